//! What is learned from calls refused upstream.

use super::{at, key, lane, ledger, midnight, tokens};
use crate::config::Pacing;
use crate::ledger::{Ledger, Margins, Wait};
use crate::throttle::ThrottleCause::{Capacity, Day, Requests, Tokens};
use crate::units::{Millis, Timestamp, TokensPerMinute};

fn go(ledger: &mut Ledger, now: u64, number: u64, size: u64) {
    ledger.reserve(at(now), key(number), tokens(size)).unwrap();
    ledger.started(at(now), key(number), at(now));
}

#[test]
fn tokens_refused_lower_only_the_ledger_with_the_least_margin() {
    let mut ledger = ledger(&lane(600_000, None, Pacing::Auto));
    go(&mut ledger, 0, 1, 5_000);
    ledger.refused(at(10), key(1), Tokens);
    // The short bucket held 98,000 and now just less than what was refused; nothing goes for half a second.
    assert_eq!(ledger.tokens_view(at(10)).free, 4_900);
    assert_eq!(ledger.tokens_view(at(10)).used, 0);
    assert_eq!(ledger.shut(at(10)), Some(Wait::Until(at(510))));
    assert_eq!(ledger.parked_until(at(10)), Some(at(510)));
    // Refilled within ten seconds: the long bucket and the windows were left alone.
    assert_eq!(ledger.tokens_view(at(10_000)).free, 98_000);
    assert_eq!(
        ledger.learned_ceiling(at(10)),
        Some(TokensPerMinute::new(600_000 - 93_100))
    );
    assert_eq!(ledger.learned_ceiling(at(60_010)), None);
}

#[test]
fn refusals_that_go_on_cost_a_debt_and_longer_pauses() {
    let mut ledger = ledger(&lane(600_000, None, Pacing::Auto));
    let mut now = 0;
    let mut pauses = Vec::new();
    for number in 0..5 {
        while ledger.reserve(at(now), key(number), tokens(1_000)).is_err() {
            now += 10;
        }
        ledger.refused(at(now), key(number), Tokens);
        let shut = ledger.parked_until(at(now)).unwrap();
        pauses.push(shut.since(at(now)).get());
    }
    assert_eq!(pauses, [500, 1_000, 2_000, 4_000, 4_000]);
    assert_eq!(ledger.tokens_view(at(now)).free, 0);
}

#[test]
fn calls_refused_together_pause_the_lane_once() {
    let mut ledger = ledger(&lane(600_000, None, Pacing::Auto));
    for number in 0..10 {
        go(&mut ledger, 0, number, 1_000);
    }
    for number in 0..10 {
        ledger.refused(at(number), key(number), Tokens);
    }
    assert_eq!(ledger.parked_until(at(10)), Some(at(500)));
}

#[test]
fn requests_refused_teach_the_requests_ledger() {
    let mut ledger = ledger(&lane(600_000, Some(600), Pacing::Auto));
    go(&mut ledger, 0, 1, 1_000);
    ledger.refused(at(0), key(1), Requests);
    assert_eq!(ledger.requests_view(at(0)).unwrap().free, 0);
    assert_eq!(ledger.tokens_view(at(0)).free, 98_000);
    // Ten a second, less what a first refusal takes others to use.
    assert_eq!(ledger.requests_view(at(1_000)).unwrap().free, 9);
}

#[test]
fn capacity_lowers_calls_at_once_which_grow_back() {
    let mut lane = lane(6_000_000, None, Pacing::Auto);
    lane.max_concurrency = 64;
    let mut ledger = ledger(&lane);
    for number in 0..20 {
        go(&mut ledger, 0, number, 1_000);
    }
    ledger.refused(at(100), key(0), Capacity);
    // 7/10 of the twenty that ran; the others of that time say nothing new.
    ledger.refused(at(101), key(1), Capacity);
    assert_eq!(ledger.concurrency_view(at(100)).free, 0);
    assert_eq!(ledger.shut(at(1_000)), Some(Wait::Until(at(1_614))));
    for number in 2..20 {
        ledger.settle(at(1_000), key(number), tokens(1_000));
    }
    assert_eq!(ledger.concurrency_view(at(1_000)).free, 17);
    assert_eq!(ledger.concurrency_view(at(5_100)).free, 20);
    assert_eq!(ledger.concurrency_view(at(3_600_000)).free, 64);
    // A later refusal with little under way goes down from there.
    go(&mut ledger, 10_000, 50, 1_000);
    ledger.refused(at(10_100), key(50), Capacity);
    assert_eq!(ledger.concurrency_view(at(10_100)).free, 1);
}

#[test]
fn the_day_refused_parks_the_lane_but_for_a_probe_an_hour() {
    let hour = Millis::from_secs(3_600);
    let mut ledger = ledger(&lane(600_000, None, Pacing::Auto));
    go(&mut ledger, 0, 1, 1_000);
    ledger.refused(at(0), key(1), Day);
    assert_eq!(ledger.parked_until(at(0)), Some(midnight()));
    assert_eq!(
        ledger.reserve(at(5), key(2), tokens(1)),
        Err(Wait::Until(at(0) + hour))
    );
    // One probe, and no second beside it.
    let probe = at(0) + hour;
    assert_eq!(ledger.reserve(probe, key(2), tokens(1)), Ok(()));
    assert_eq!(
        ledger.reserve(probe, key(3), tokens(1)),
        Err(Wait::Until(midnight()))
    );
    // Never made, it leaves its turn to another; refused, the next is an hour later.
    ledger.release(probe, key(2));
    assert_eq!(ledger.reserve(probe, key(4), tokens(1)), Ok(()));
    ledger.refused(probe, key(4), Day);
    assert_eq!(
        ledger.reserve(probe, key(5), tokens(1)),
        Err(Wait::Until(probe + hour))
    );
    // Let through, the lane is open.
    assert_eq!(ledger.reserve(probe + hour, key(5), tokens(1)), Ok(()));
    ledger.settle(probe + hour, key(5), tokens(1));
    assert_eq!(ledger.parked_until(probe + hour), None);
    assert_eq!(ledger.reserve(probe + hour, key(6), tokens(1)), Ok(()));
}

#[test]
fn a_park_ends_with_the_day() {
    let mut ledger = ledger(&lane(600_000, None, Pacing::Auto));
    go(&mut ledger, 0, 1, 1_000);
    let late = midnight().before(Millis::new(1_000));
    ledger.refused(late, key(1), Day);
    assert_eq!(
        ledger.reserve(late, key(2), tokens(1)),
        Err(Wait::Until(midnight()))
    );
    assert_eq!(ledger.reserve(midnight(), key(2), tokens(1)), Ok(()));
    assert_eq!(ledger.reserve(midnight(), key(3), tokens(1)), Ok(()));
}

fn handed_over(left: &Ledger, at: Timestamp, now: Timestamp) -> Ledger {
    let written = serde_json::to_string(&left.snapshot(at)).unwrap();
    let mut next = Ledger::new(&lane(600_000, None, Pacing::Auto), Margins::default(), now);
    next.resume(now, &serde_json::from_str(&written).unwrap(), now.since(at));
    next
}

#[test]
fn the_next_holder_keeps_the_park_of_the_same_day_and_its_probe() {
    let hour = Millis::from_secs(3_600);
    let mut ledger = ledger(&lane(600_000, None, Pacing::Auto));
    go(&mut ledger, 0, 1, 1_000);
    ledger.refused(at(0), key(1), Day);
    let later = at(0) + Millis::from_secs(600);
    let mut next = handed_over(&ledger, at(0), later);
    assert_eq!(next.parked_until(later), Some(midnight()));
    assert_eq!(
        next.reserve(later, key(2), tokens(1)),
        Err(Wait::Until(at(0) + hour))
    );
    // Nobody held the lane for an hour: the probe's time has come.
    let late = at(0) + hour + hour;
    assert_eq!(
        handed_over(&ledger, later, late).reserve(late, key(2), tokens(1)),
        Ok(())
    );
    // A probe under way at the change of holders opens the lane as ever.
    let probe = at(0) + hour;
    assert_eq!(next.reserve(probe, key(2), tokens(1)), Ok(()));
    next.started(probe, key(2), probe);
    let mut third = handed_over(&next, probe, probe);
    third.settle(probe, key(2), tokens(1));
    assert_eq!(third.parked_until(probe), None);
    // Another day knows nothing of it.
    let tomorrow = midnight() + Millis::new(1);
    assert_eq!(handed_over(&ledger, at(0), tomorrow).parked_until(tomorrow), None);
}

#[test]
fn the_next_holder_knows_how_many_calls_at_once_were_too_many() {
    let mut ledger = ledger(&lane(60_000_000, None, Pacing::Auto));
    for number in 1..=60 {
        go(&mut ledger, 0, number, 10);
    }
    ledger.refused(at(10), key(60), Capacity);
    for number in 1..60 {
        ledger.settle(at(10), key(number), tokens(10));
    }
    let (before, after) = (
        ledger.concurrency_view(at(1_000)),
        handed_over(&ledger, at(10), at(1_000)).concurrency_view(at(1_000)),
    );
    assert_eq!(before, after);
    assert!(before.free < 60, "{before:?}");
}
