//! What pacing learns outlives its process and its holder.

use super::{at, key, lane, ledger, tokens};
use crate::config::{LaneConfig, Pacing};
use crate::ledger::{Ledger, LedgerSnapshot, Margins, PacingMemory, Wait};
use crate::throttle::ThrottleCause::{Capacity, Day, Requests, Tokens};
use crate::units::{Millis, TokensPerMinute};
use proptest::prelude::*;

fn small(pacing: Pacing) -> LaneConfig {
    lane(600_000, None, pacing)
}

/// Refusals of ten seconds that no ledger explains.
fn refused_again_and_again(ledger: &mut Ledger) -> u64 {
    let mut now = 0;
    for number in 0..4 {
        while ledger.reserve(at(now), key(number), tokens(5_000)).is_err() {
            now += 10;
        }
        ledger.started(at(now), key(number), at(now));
        ledger.refused(at(now + 5), key(number), Tokens);
        now += 5;
    }
    now
}

/// A later process that was told only what is kept.
fn later(memory: PacingMemory, pacing: Pacing) -> Ledger {
    let text = serde_json::to_string(&memory).unwrap();
    let mut later = Ledger::new(&small(pacing), Margins::default(), at(3_600_000));
    later.remember(at(3_600_000), &serde_json::from_str(&text).unwrap());
    later
}

#[test]
fn what_others_take_is_kept_and_slows_the_next_process_too() {
    let mut first = ledger(&small(Pacing::Auto));
    refused_again_and_again(&mut first);
    let share = first.others_percent();
    assert!((20..=60).contains(&share), "{share}");
    let mut next = later(first.memory(), Pacing::Auto);
    assert_eq!(next.others_percent(), share);
    // The bucket holds its burst, and fills at what is left.
    let now = at(3_600_000);
    next.reserve(now, key(1), tokens(98_000)).unwrap();
    next.started(now, key(1), now);
    next.settle(now, key(1), tokens(98_000));
    let wait = next.earliest(now, tokens(1_000)).since(now);
    assert!(wait > Millis::new(110), "{wait}: alone it would be 100 ms");
    // It asks before long whether they are still there.
    assert!(next.earliest(now, tokens(98_000)).since(now) <= Millis::from_secs(10));
}

#[test]
fn nothing_learned_takes_no_room_and_old_notes_are_read() {
    assert!(ledger(&small(Pacing::Auto)).memory().is_empty());
    let old: crate::ports::LaneMemory = serde_json::from_str("{}").unwrap();
    assert!(old.pacing.is_empty());
    assert!(!serde_json::to_string(&old).unwrap().contains("pacing"));
}

#[test]
fn a_day_that_was_refused_and_calls_at_once_that_were_too_many_are_known_after_a_restart() {
    let mut lane = small(Pacing::Auto);
    lane.max_concurrency = 100;
    let mut first = ledger(&lane);
    for number in 0..20 {
        first.reserve(at(0), key(number), tokens(10)).unwrap();
        first.started(at(0), key(number), at(0));
    }
    first.refused(at(5), key(0), Capacity);
    first.refused(at(10), key(1), Day);
    let text = serde_json::to_string(&first.memory()).unwrap();
    let restarted = |now: u64| {
        let mut next = Ledger::new(&lane, Margins::default(), at(now));
        next.remember(at(now), &serde_json::from_str(&text).unwrap());
        next
    };
    let mut next = restarted(1_000);
    let probe = at(10 + 3_600_000);
    assert_eq!(
        next.day_parked_until(at(1_000)),
        first.day_parked_until(at(1_000))
    );
    assert_eq!(next.shut(at(1_000)), Some(Wait::Until(probe)));
    let ceiling = u64::from(first.slots.ceiling(at(1_000)));
    assert!(ceiling < 20, "{ceiling}");
    assert_eq!(next.concurrency_view(at(1_000)).free, ceiling, "and nothing runs");
    // What it finds out ends it as ever.
    next.reserve(probe, key(100), tokens(10)).unwrap();
    next.started(probe, key(100), probe);
    next.settle(probe, key(100), tokens(10));
    assert_eq!(next.day_parked_until(probe), None);
    let day = 86_400_000;
    assert_eq!(
        restarted(day).day_parked_until(at(day)),
        None,
        "it was another day's"
    );
}

#[test]
fn another_quota_leaves_what_the_lane_could_have() {
    let mut ledger = ledger(&small(Pacing::Auto));
    let now = refused_again_and_again(&mut ledger);
    let had = u64::from(100 - ledger.others_percent()) * 600_000;
    let mut smaller = small(Pacing::Auto);
    smaller.tokens_per_minute = TokensPerMinute::new(500_000);
    ledger.reconfigure(&smaller, at(now));
    let has = u64::from(100 - ledger.others_percent()) * 500_000;
    assert!(has.abs_diff(had) <= 500_000, "{has} instead of {had}");
}

/// An accepted call that a bucket of 10 s would have refused rules that out.
fn found_out() -> Ledger {
    let mut ledger = ledger(&small(Pacing::Eager));
    assert_eq!(ledger.limiters(at(0)).len(), 4);
    for number in 0..12 {
        let now = number * 500;
        ledger.reserve(at(now), key(number), tokens(20_000)).unwrap();
        ledger.started(at(now), key(number), at(now));
    }
    ledger
}

#[test]
fn a_limiter_that_was_ruled_out_stays_so_in_the_next_process_and_with_the_next_holder() {
    let mut first = found_out();
    // Time alone tells that the last was accepted.
    let _ = first.reserve(at(6_000), key(99), tokens(100));
    let found = first.limiters(at(6_000));
    assert!(
        !found.iter().any(|limiter| limiter == "bucket of 10 s"),
        "{found:?}"
    );
    assert_eq!(
        later(first.memory(), Pacing::Eager).limiters(at(3_600_000)),
        found
    );
    let left: LedgerSnapshot =
        serde_json::from_str(&serde_json::to_string(&first.snapshot(at(6_000))).unwrap()).unwrap();
    let mut next = later(first.memory(), Pacing::Eager);
    next.resume(at(3_600_000), &left, Millis::ZERO);
    assert_eq!(next.limiters(at(3_600_000)), found);
}

#[test]
fn a_refusal_that_comes_late_takes_back_what_its_call_ruled_out() {
    let mut ledger = ledger(&small(Pacing::Eager));
    let mut last = 0;
    for number in 0..12 {
        let now = number * 500;
        ledger.reserve(at(now), key(number), tokens(20_000)).unwrap();
        ledger.started(at(now), key(number), at(now));
        if ledger.limiters(at(now)).len() < 4 {
            break;
        }
        last = number;
    }
    let now = last * 500 + 600;
    assert_eq!(ledger.limiters(at(now)).len(), 3);
    ledger.refused(at(now), key(last), Tokens);
    assert_eq!(ledger.limiters(at(now)).len(), 4);
}

/// Short buckets are ruled out for tokens.
const NO_SHORT_BUCKET: &str = r#"{"t":{"x":1}}"#;

/// Small calls that go at once, until one is kept back.
fn at_once(ledger: &mut Ledger, now: u64, first: u64) -> u64 {
    (first..)
        .find(|number| {
            let goes = ledger.reserve(at(now), key(*number), tokens(10)).is_ok();
            ledger.started(at(now), key(*number), at(now));
            !goes
        })
        .unwrap()
        - first
}

#[test]
fn requests_follow_what_was_found_for_tokens_until_a_refusal_speaks_against_it() {
    let lane = lane(600_000, Some(600), Pacing::Eager);
    let mut ledger = ledger(&lane);
    assert_eq!(ledger.clone().reserve(at(0), key(0), tokens(10)), Ok(()));
    assert_eq!(at_once(&mut ledger.clone(), 0, 0), 98);
    ledger.remember(at(0), &serde_json::from_str(NO_SHORT_BUCKET).unwrap());
    let went = at_once(&mut ledger, 0, 0);
    assert!((580..=600).contains(&went), "{went}");
    // Requests are under a short bucket after all: nobody else is blamed, and tokens keep what was found for them.
    ledger.refused(at(50), key(went - 1), Requests);
    let found = ledger.limiters(at(50));
    assert!(
        !found.iter().any(|limiter| limiter == "bucket of 10 s"),
        "{found:?}"
    );
    assert!(
        serde_json::to_string(&ledger.memory())
            .unwrap()
            .contains(r#""d":1"#)
    );
    // From now on ten a second, and no burst above a short bucket's: also in the next process.
    assert_eq!(at_once(&mut ledger, 120_000, 10_000), 98);
    let text = serde_json::to_string(&ledger.memory()).unwrap();
    let mut next = Ledger::new(&lane, Margins::default(), at(600_000));
    next.remember(at(600_000), &serde_json::from_str(&text).unwrap());
    assert_eq!(at_once(&mut next, 600_000, 0), 98);
    assert_eq!(next.limiters(at(600_000)), found);
}

/// Takes the lane over every ten minutes, from one moment to another, by a text as it is kept.
fn from_holder_to_holder(mut text: String, lane: &LaneConfig, from: u64, to: u64) -> Ledger {
    let mut holder = Ledger::new(lane, Margins::default(), at(from));
    for now in (from..=to).step_by(600_000) {
        holder = Ledger::new(lane, Margins::default(), at(now));
        holder.remember(at(now), &serde_json::from_str(&text).unwrap());
        text = serde_json::to_string(&holder.memory()).unwrap();
    }
    holder
}

#[test]
fn a_doubt_lasts_half_an_hour_whoever_holds_the_lane_and_the_next_one_twice_as_long() {
    let lane = lane(600_000, Some(600), Pacing::Eager);
    let mut first = ledger(&lane);
    first.remember(at(0), &serde_json::from_str(NO_SHORT_BUCKET).unwrap());
    let went = at_once(&mut first, 0, 0);
    first.refused(at(0), key(went - 1), Requests);
    let text = serde_json::to_string(&first.memory()).unwrap();
    let mut doubts = from_holder_to_holder(text.clone(), &lane, 600_000, 1_200_000);
    assert_eq!(at_once(&mut doubts, 1_799_999, 0), 98);
    let mut doubts = from_holder_to_holder(text, &lane, 600_000, 1_200_000);
    let went = at_once(&mut doubts, 1_800_000, 0);
    assert!(went > 500, "{went}");
    doubts.refused(at(1_800_000), key(went - 1), Requests);
    let text = serde_json::to_string(&doubts.memory()).unwrap();
    let mut again = from_holder_to_holder(text.clone(), &lane, 2_000_000, 5_000_000);
    assert_eq!(at_once(&mut again, 5_399_999, 0), 98, "an hour");
    let mut again = from_holder_to_holder(text, &lane, 2_000_000, 5_000_000);
    assert!(at_once(&mut again, 5_400_000, 0) > 500);
}

#[test]
fn a_limiter_is_suspended_for_ten_minutes_whoever_holds_the_lane() {
    // As it is kept at the start: a sliding minute is suspended from then on.
    let until = at(600_000).as_millis();
    let text = format!(r#"{{"t":{{"s":8,"su":[[0,0],[0,0],[0,0],[{until},1]]}}}}"#);
    let lane = small(Pacing::Eager);
    let holder = from_holder_to_holder(text.clone(), &lane, 0, 0);
    assert_eq!(holder.limiters(at(599_999)).len(), 3);
    assert_eq!(holder.limiters(at(600_000)).len(), 4);
    // Whose clock is an hour ahead is not believed for longer than it can have said.
    let holder = from_holder_to_holder(text.replace(&until.to_string(), "1999999999999"), &lane, 0, 0);
    assert_eq!(holder.limiters(at(600_000)).len(), 4);
    // The version before kept no time: it begins anew.
    let holder = from_holder_to_holder(r#"{"t":{"s":8}}"#.to_owned(), &lane, 300_000, 300_000);
    assert_eq!(holder.limiters(at(899_999)).len(), 3);
    assert_eq!(holder.limiters(at(900_000)).len(), 4);
}

/// What others are taken to use of tokens says nothing of requests, and the other way round.
#[test]
fn each_quota_has_its_own_share_of_others() {
    let lane = lane(600_000, Some(600), Pacing::Auto);
    let mut ledger = ledger(&lane);
    let memory: PacingMemory = serde_json::from_str(r#"{"t":{"o":4000}}"#).unwrap();
    ledger.remember(at(0), &memory);
    assert_eq!(ledger.others_percent(), 40);
    assert_eq!(at_once(&mut ledger, 0, 0), 98);
    let waits = ledger.earliest(at(0), tokens(10)).since(at(0));
    assert!(
        waits <= Millis::new(100),
        "{waits}: requests fill at their whole quota"
    );
}

/// Of calls that outlast the test none ends: whatever was not refused was accepted all the same.
#[test]
fn a_share_of_requests_comes_down_while_its_probes_still_run() {
    let mut ledger = ledger(&lane(600_000_000, Some(600), Pacing::Auto));
    let memory: PacingMemory = serde_json::from_str(r#"{"r":{"o":4000}}"#).unwrap();
    ledger.remember(at(0), &memory);
    let (mut now, mut went, mut looks) = (at(0), 0, 0);
    while now < at(120_000) {
        match ledger.reserve(now, key(went), tokens(10)) {
            Ok(()) => {
                ledger.started(now, key(went), now);
                went += 1;
            }
            Err(Wait::Until(next)) => {
                looks += 1;
                now = next;
            }
            Err(wait) => panic!("{wait:?}"),
        }
    }
    assert!(
        ledger.memory().is_empty(),
        "nobody else is there any more: {:?}",
        ledger.memory()
    );
    assert!(went > 900, "{went}: 720 are what others were taken to leave");
    assert!(looks < went + 200, "it looked {looks} times for {went} calls");
}

#[test]
fn a_request_larger_than_what_others_leave_goes_when_nothing_else_counts() {
    let memory: PacingMemory = serde_json::from_str(r#"{"t":{"o":5000}}"#).unwrap();
    for pacing in [
        Pacing::Auto,
        Pacing::Eager,
        Pacing::Window,
        Pacing::Bucket { seconds: 10 },
    ] {
        let mut ledger = ledger(&small(pacing));
        ledger.remember(at(0), &memory);
        ledger.reserve(at(0), key(1), tokens(90_000)).unwrap();
        ledger.started(at(0), key(1), at(0));
        // Half of the quota is 300,000. No probe: each is told what became of those it has.
        let when = ledger.earliest(at(0), tokens(550_000));
        assert!(when <= at(121_000), "{pacing:?}: {when}");
        ledger.settle(at(500), key(1), tokens(90_000));
        let mut now = at(500);
        while let Err(wait) = ledger.reserve(now, key(2), tokens(550_000)) {
            let Wait::Until(next) = wait else {
                panic!("{pacing:?}: {wait:?}")
            };
            assert!(next > now && next <= at(121_000), "{pacing:?}: {next}");
            now = next;
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, ..ProptestConfig::default() })]

    /// Whatever was refused before: who comes at the moments that it is told goes within some minutes.
    #[test]
    fn nothing_waits_for_ever(
        eager in any::<bool>(),
        past in prop::collection::vec((0u64..2_000, 1u64..60_000, 0u8..8), 0..150),
        size in 1u64..600_000,
    ) {
        let mut ledger = ledger(&lane(600_000, Some(600), if eager { Pacing::Eager } else { Pacing::Auto }));
        let mut now = 0;
        for (number, (passes, size, fate)) in past.iter().enumerate() {
            now += passes;
            let key = key(number as u64);
            if ledger.reserve(at(now), key, tokens(*size)).is_err() {
                continue;
            }
            ledger.started(at(now), key, at(now));
            match fate {
                0 => ledger.refused(at(now), key, Tokens),
                1 => ledger.refused(at(now), key, Requests),
                2 => ledger.release(at(now), key),
                // It runs on.
                3 | 4 => {}
                _ => ledger.settle(at(now), key, tokens(size / 2)),
            }
        }
        let mut when = at(now);
        let mut looks = 0;
        while let Err(wait) = ledger.reserve(when, key(9_999), tokens(size)) {
            let Wait::Until(next) = wait else {
                return Err(TestCaseError::fail(format!("{wait:?}")));
            };
            prop_assert!(next > when && next <= at(now + 400_000), "{when} then {next}");
            looks += 1;
            prop_assert!(looks < 100, "looked in vain so often");
            when = next;
        }
    }
}
