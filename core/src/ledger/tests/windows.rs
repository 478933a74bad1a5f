//! What `eager` leaves of a window that it has found.

use super::{at, key, lane, ledger, next_minute, tokens};
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

/// So much was taken at `now` by one call that is over.
fn takes(ledger: &mut Ledger, now: u64, number: u64, of: Demand, size: u64) {
    ledger.reserve(at(now), key(number), of).unwrap();
    ledger.started(at(now), key(number), at(now));
    ledger.settle(at(now), key(number), tokens(size));
}

#[test]
fn where_little_waits_what_interactive_requests_take_is_kept_and_no_more() {
    let mut ledger = of_a_sliding_minute();
    let of = |size, priority| Demand::of(tokens(size), priority);
    takes(&mut ledger, 0, 1, of(400_000, Priority::Batch), 400_000);
    assert!(ledger.is_little(tokens(60_000)) && !ledger.is_little(tokens(60_001)));
    let few = |size| of(size, Priority::Batch).of_few();
    assert!(!ledger.admits(at(0), of(90_000, Priority::Batch)));
    assert!(ledger.admits(at(0), few(194_000)));
    assert!(!ledger.admits(at(0), few(194_001)), "a hundredth is kept anyway");

    // 1,000 in five seconds are 12,000 in a minute.
    takes(&mut ledger, 0, 2, of(1_000, Priority::Interactive), 1_000);
    assert!(ledger.keeps_something(at(0)));
    assert!(ledger.admits(at(0), few(174_000)));
    assert!(!ledger.admits(at(0), few(176_000)));
    assert!(ledger.admits(at(5_500), few(187_000)), "half of it is over");
    assert!(!ledger.admits(at(5_500), few(190_000)));
    assert!(ledger.admits(at(5_500), of(199_000, Priority::Interactive).of_few()));
}

/// By a fixed minute that has turned there is room again: whether one stands upstream is found out at the end of a
/// sliding one, so nothing is kept of that until then.
#[test]
fn while_it_may_be_either_window_the_one_by_which_less_is_kept_has_its_way() {
    let mut ledger = ledger(&lane(600_000, None, Pacing::Eager));
    let memory: PacingMemory = serde_json::from_str(r#"{"t":{"x":3}}"#).unwrap();
    ledger.remember(at(0), &memory);
    assert_eq!(ledger.limiters(at(0)), ["fixed minute", "sliding minute"]);
    let batch = |size| Demand::of(tokens(size), Priority::Batch);
    takes(&mut ledger, 20_000, 1, batch(480_000), 480_000);
    assert!(!ledger.admits(at(20_000), batch(60_000)), "neither lets it");
    let turned = next_minute() + 600;
    assert!(ledger.admits(at(turned), batch(120_000)));
    assert!(
        !ledger.admits(at(turned), batch(120_001)),
        "a sliding one is full"
    );
    assert_eq!(
        ledger.earliest(at(20_000), batch(120_000)),
        at(next_minute() + 500)
    );

    ledger.remember(at(turned), &serde_json::from_str(r#"{"t":{"x":7}}"#).unwrap());
    assert_eq!(ledger.limiters(at(turned)), ["sliding minute"]);
    assert!(!ledger.admits(at(turned), batch(120_000)));
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

/// A minute later what is under way still runs, and counts in no window any more.
#[test]
fn what_runs_for_long_holds_nothing_back() {
    let mut ledger = of_a_sliding_minute();
    let urgent = |size| Demand::of(tokens(size), Priority::Interactive);
    for number in 0..20 {
        let now = number * 70_000;
        ledger.reserve(at(now), key(number), urgent(590_000)).unwrap();
        ledger.started(at(now), key(number), at(now));
    }
    assert!(ledger.admits(at(20 * 70_000), urgent(600_000)));
}

/// Lets go a call of each size, has the first `refused` of them refused on their way, the last ones first, and says how many
/// kinds there are then.
fn refused(ledger: &mut Ledger, first: u64, now: u64, sizes: &[u64], refused: u64) -> usize {
    let last = first + sizes.len() as u64 - 1;
    for (number, size) in (first..).zip(sizes) {
        let demand = Demand::of(tokens(*size), Priority::Interactive);
        ledger.reserve(at(now), key(number), demand).unwrap();
        ledger.started(at(now), key(number), at(now));
    }
    for number in 0..refused {
        ledger.refused(at(now + 20 + number), key(last - number), ThrottleCause::Tokens);
    }
    for (number, size) in (first..).zip(sizes) {
        ledger.settle(at(now + 1_000), key(number), tokens(*size));
    }
    ledger.limiters(at(now + 1_000)).len()
}

/// A window that is nearly full by what was estimated may be full by what was counted: that says nothing of another
/// limiter, and nothing of other clients.
#[test]
fn a_refusal_that_estimates_explain_brings_back_nobody() {
    let mut ledger = of_a_sliding_minute();
    assert_eq!(
        refused(&mut ledger, 0, 0, &[570_000, 5_000, 5_000], 2),
        1,
        "they were on their way together"
    );
    assert_eq!(ledger.others_percent(), 0);
    assert_eq!(
        refused(&mut ledger, 10, 60_500, &[570_000, 5_000], 1),
        2,
        "what strikes again soon has another reason"
    );
}

#[test]
fn a_window_that_is_nearly_empty_refuses_nobody() {
    let mut ledger = of_a_sliding_minute();
    assert_eq!(
        refused(&mut ledger, 0, 0, &[200_000, 5_000], 1),
        2,
        "the short bucket would"
    );
}
