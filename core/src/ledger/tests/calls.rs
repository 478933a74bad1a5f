//! One call's way through the ledger, with every step repeated.

use super::{at, key, lane, ledger, midnight, tokens};
use crate::config::Pacing;
use crate::ledger::{NeverFits, Wait, fits};
use crate::units::{Millis, TokensPerDay, TokensPerMinute};

fn free(ledger: &crate::ledger::Ledger, now: u64) -> u64 {
    ledger.tokens_view(at(now)).free
}

#[test]
fn every_step_happens_once() {
    let lane = lane(60_000, Some(600), Pacing::Window);
    let mut ledger = ledger(&lane);
    for _ in 0..2 {
        assert_eq!(ledger.reserve(at(0), key(1), tokens(5_000)), Ok(()));
        assert_eq!(free(&ledger, 0), 55_000);
    }
    for _ in 0..2 {
        ledger.started(at(10), key(1), at(5));
        assert_eq!(free(&ledger, 10), 55_000);
    }
    for _ in 0..2 {
        ledger.settle(at(900), key(1), tokens(2_000));
        assert_eq!(free(&ledger, 900), 58_000);
    }
    ledger.release(at(900), key(1));
    ledger.started(at(900), key(1), at(900));
    assert_eq!(free(&ledger, 900), 58_000);
    assert_eq!(ledger.under_way(), 0);
    assert_eq!(ledger.requests_view(at(900)).unwrap().used, 1);
}

#[test]
fn a_charge_leaves_the_window_a_minute_after_its_start() {
    let lane = lane(60_000, None, Pacing::Window);
    let mut ledger = ledger(&lane);
    ledger.reserve(at(0), key(1), tokens(60_000)).unwrap();
    // Held, it counts however long it takes to start.
    assert_eq!(free(&ledger, 300_000), 0);
    ledger.started(at(300_000), key(1), at(300_000));
    assert_eq!(free(&ledger, 360_000), 0);
    assert_eq!(free(&ledger, 360_500), 60_000);
    // Its surplus then has nowhere to go back to.
    ledger.settle(at(360_500), key(1), tokens(1));
    assert_eq!(free(&ledger, 360_500), 60_000);
}

#[test]
fn an_excess_is_a_debt_from_now_on() {
    let lane = lane(60_000, None, Pacing::Auto);
    let mut ledger = ledger(&lane);
    ledger.reserve(at(0), key(1), tokens(1_000)).unwrap();
    ledger.started(at(0), key(1), at(0));
    ledger.settle(at(1_000), key(1), tokens(21_000));
    assert_eq!(free(&ledger, 1_000), 0);
    assert_eq!(ledger.tokens_view(at(1_000)).used, 21_000);
    // The short bucket was full with 9,800 before the 20,000; it is out of debt at a token a millisecond.
    assert_eq!(
        ledger.reserve(at(1_000), key(2), tokens(1)),
        Err(Wait::Until(at(11_201)))
    );
}

#[test]
fn what_is_given_back_is_free_again() {
    for started in [false, true] {
        let lane = lane(60_000, Some(10), Pacing::Auto);
        let mut ledger = ledger(&lane);
        let before = (ledger.tokens_view(at(0)), ledger.requests_view(at(0)));
        ledger.reserve(at(0), key(1), tokens(9_000)).unwrap();
        if started {
            ledger.started(at(0), key(1), at(0));
        }
        assert_ne!(before, (ledger.tokens_view(at(0)), ledger.requests_view(at(0))));
        ledger.release(at(0), key(1));
        assert_eq!(before, (ledger.tokens_view(at(0)), ledger.requests_view(at(0))));
    }
}

#[test]
fn all_limits_or_none() {
    let mut lane = lane(60_000, Some(6), Pacing::Auto);
    lane.tokens_per_day = Some(TokensPerDay::new(70_000));
    let mut ledger = ledger(&lane);
    ledger.reserve(at(0), key(1), tokens(100)).unwrap();
    // One request of six a minute is all that the short bucket holds.
    assert!(matches!(
        ledger.reserve(at(0), key(2), tokens(100)),
        Err(Wait::Until(_))
    ));
    assert_eq!(ledger.tokens_view(at(0)).used, 100);
    assert_eq!(ledger.day_view(at(0)).unwrap().used, 100);
}

#[test]
fn what_is_larger_than_a_quota_never_fits() {
    let mut lane = lane(60_000, None, Pacing::Auto);
    assert!(fits(&lane, tokens(60_000)).is_ok());
    let never = NeverFits::Minute {
        needs: tokens(60_001),
        limit: TokensPerMinute::new(60_000),
    };
    assert_eq!(fits(&lane, tokens(60_001)), Err(never));
    assert!(never.to_string().contains("tokens_per_minute is 60000"));
    assert_eq!(
        ledger(&lane).reserve(at(0), key(1), tokens(60_001)),
        Err(Wait::Never(never))
    );
    lane.tokens_per_day = Some(TokensPerDay::new(50_000));
    assert_eq!(fits(&lane, tokens(50_001)).unwrap_err().limit(), "tokens_per_day");
}

#[test]
fn larger_than_the_burst_goes_when_the_bucket_is_full_and_leaves_a_debt() {
    let lane = lane(60_000, None, Pacing::Bucket { seconds: 10 });
    let mut ledger = ledger(&lane);
    ledger.reserve(at(0), key(1), tokens(100)).unwrap();
    ledger.started(at(0), key(1), at(0));
    let wait = ledger.reserve(at(0), key(2), tokens(30_000));
    assert_eq!(wait, Err(Wait::Until(at(100))));
    assert_eq!(
        ledger.reserve_alone(at(100), key(2), tokens(30_000)),
        Err(Wait::CallEnds)
    );
    assert_eq!(ledger.reserve(at(100), key(2), tokens(30_000)), Ok(()));
    ledger.started(at(100), key(2), at(100));
    assert_eq!(
        ledger.reserve(at(100), key(3), tokens(100)),
        Err(Wait::Until(at(100 + 20_200 + 100)))
    );
}

#[test]
fn calls_at_once_are_limited() {
    let mut lane = lane(60_000, None, Pacing::Auto);
    lane.max_concurrency = 2;
    let mut ledger = ledger(&lane);
    ledger.reserve(at(0), key(1), tokens(1)).unwrap();
    ledger.reserve(at(0), key(2), tokens(1)).unwrap();
    assert_eq!(ledger.reserve(at(0), key(3), tokens(1)), Err(Wait::CallEnds));
    ledger.settle(at(5), key(1), tokens(1));
    assert_eq!(ledger.reserve(at(5), key(3), tokens(1)), Ok(()));
}

#[test]
fn a_day_is_over_at_midnight() {
    let mut lane = lane(60_000, None, Pacing::Auto);
    lane.tokens_per_day = Some(TokensPerDay::new(10_000));
    let mut ledger = ledger(&lane);
    ledger.reserve(at(0), key(1), tokens(9_000)).unwrap();
    ledger.started(at(0), key(1), at(0));
    let refused = ledger.reserve(at(20_000), key(2), tokens(2_000));
    assert_eq!(refused, Err(Wait::Until(midnight())));
    ledger.settle(at(20_000), key(1), tokens(8_000));
    assert_eq!(ledger.day_count().tokens, tokens(8_000));
    assert_eq!(ledger.reserve(at(20_000), key(2), tokens(2_000)), Ok(()));
    let next = midnight() + Millis::new(1);
    // Held over midnight, it counts in the new day.
    assert_eq!(ledger.reserve(next, key(3), tokens(7_000)), Ok(()));
    let later = next + Millis::from_secs(20);
    assert_eq!(
        ledger.reserve(later, key(4), tokens(1_001)),
        Err(Wait::Until(midnight() + Millis::from_secs(86_400)))
    );
    assert_eq!(ledger.day_count().tokens, tokens(0));
}

#[test]
fn new_settings_keep_what_was_charged() {
    let mut lane = lane(60_000, None, Pacing::Window);
    let mut ledger = ledger(&lane);
    ledger.reserve(at(0), key(1), tokens(50_000)).unwrap();
    ledger.started(at(0), key(1), at(0));
    lane.tokens_per_minute = TokensPerMinute::new(40_000);
    ledger.reconfigure(&lane, at(10));
    assert_eq!(ledger.tokens_view(at(10)).used, 50_000);
    assert_eq!(free(&ledger, 10), 0);
    lane.pacing = Pacing::Auto;
    lane.tokens_per_minute = TokensPerMinute::new(600_000);
    ledger.reconfigure(&lane, at(10));
    // Buckets that were not kept so far start empty.
    assert_eq!(free(&ledger, 10), 0);
    assert_eq!(free(&ledger, 1_010), 10_000);
}

#[test]
fn requests_that_are_limited_from_now_on_begin_with_the_calls_under_way_and_no_burst() {
    let unlimited = lane(6_000_000, None, Pacing::Auto);
    let limited = lane(6_000_000, Some(600), Pacing::Auto);
    let mut ledger = ledger(&unlimited);
    for number in 0..30 {
        ledger.reserve(at(0), key(number), tokens(10)).unwrap();
    }
    for number in 0..20 {
        ledger.started(at(1), key(number), at(1));
    }
    ledger.reconfigure(&limited, at(2));
    let requests = ledger.requests_view(at(2)).unwrap();
    assert_eq!((requests.used, requests.free), (30, 0));
    // Ten a second, once those are paid for.
    let when = ledger.earliest(at(2), tokens(10));
    assert!(when >= at(3_000) && when <= at(3_200), "{when}");
    for number in 0..30 {
        ledger.release(at(2), key(number));
    }
    assert_eq!(ledger.requests_view(at(2)).unwrap().used, 0, "as it was counted");
    assert!(matches!(
        ledger.reserve(at(2), key(99), tokens(10)),
        Err(Wait::Until(_))
    ));
}
