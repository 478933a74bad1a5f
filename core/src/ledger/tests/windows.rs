//! What `eager` leaves of a window that it has found.

use super::{at, key, lane, ledger, tokens};
use crate::config::Pacing;
use crate::ledger::{Demand, Ledger, PacingMemory};
use crate::request::Priority;
use crate::throttle::ThrottleCause;
use crate::units::Millis;

/// Buckets are ruled out, a fixed minute is suspended: only a sliding one of 600,000 tokens is left.
fn of_a_sliding_minute() -> Ledger {
    let mut ledger = ledger(&lane(600_000, None, Pacing::Eager));
    let memory: PacingMemory = serde_json::from_str(r#"{"t":{"x":3,"s":4}}"#).unwrap();
    ledger.remember(at(0), &memory);
    assert_eq!(ledger.limiters(at(0)), ["sliding minute"]);
    ledger
}

#[test]
fn of_a_window_something_is_kept_for_interactive_requests() {
    let mut ledger = of_a_sliding_minute();
    let of = |size, priority| Demand::of(tokens(size), priority);
    ledger
        .reserve(at(0), key(1), of(400_000, Priority::Batch))
        .unwrap();
    ledger.started(at(0), key(1), at(0));
    ledger.settle(at(0), key(1), tokens(400_000));
    assert!(!ledger.admits(at(0), of(90_000, Priority::Batch)));
    assert!(ledger.admits(at(0), of(75_000, Priority::Batch)));
    assert!(ledger.admits(at(0), of(150_000, Priority::Interactive)));
    // The less, the sooner what was spent comes back.
    let goes = ledger.earliest(at(0), of(150_000, Priority::Batch)).since(at(0));
    assert!(
        (Millis::from_secs(33)..=Millis::from_secs(37)).contains(&goes),
        "{goes}"
    );
    assert!(!ledger.admits(at(goes.get() - 1), of(150_000, Priority::Batch)));
    assert!(ledger.admits(at(goes.get()), of(150_000, Priority::Batch)));
}

/// What an input takes is known when its call is over: a fiftieth of what is under way may have been taken besides.
#[test]
fn what_is_under_way_may_have_taken_more_than_was_reserved() {
    let mut ledger = of_a_sliding_minute();
    let urgent = |size| Demand::of(tokens(size), Priority::Interactive);
    ledger.reserve(at(0), key(1), urgent(500_000)).unwrap();
    ledger.started(at(0), key(1), at(0));
    assert!(!ledger.admits(at(0), urgent(90_001)));
    assert!(ledger.admits(at(0), urgent(90_000)));
    ledger.settle(at(500), key(1), tokens(500_000));
    assert!(ledger.admits(at(500), urgent(100_000)));

    ledger.reserve(at(500), key(2), urgent(50_000)).unwrap();
    assert!(!ledger.admits(at(500), urgent(49_001)), "not started yet");
    ledger.release(at(500), key(2));
    assert!(ledger.admits(at(500), urgent(100_000)));
}

/// A window that is nearly full by what was estimated may be full by what was counted: that says nothing of another
/// limiter, and nothing of other clients.
#[test]
fn a_refusal_that_estimates_explain_brings_back_nobody() {
    let mut ledger = of_a_sliding_minute();
    let urgent = |size| Demand::of(tokens(size), Priority::Interactive);
    let mut refused_after = |number: u64, spent: u64, now: u64| {
        ledger.reserve(at(now), key(number), urgent(spent)).unwrap();
        ledger.started(at(now), key(number), at(now));
        ledger.reserve(at(now), key(number + 1), urgent(5_000)).unwrap();
        ledger.started(at(now), key(number + 1), at(now));
        ledger.refused(at(now + 20), key(number + 1), ThrottleCause::Tokens);
        ledger.settle(at(now + 1_000), key(number), tokens(spent));
        ledger.limiters(at(now + 1_000)).len()
    };
    assert_eq!(refused_after(1, 580_000, 0), 1);
    assert_eq!(
        refused_after(3, 200_000, 70_000),
        2,
        "a window that is nearly empty refuses nobody: the short bucket would"
    );
}
