//! What pacing learns outlives its process and its holder.

use super::{at, key, lane, ledger, tokens};
use crate::config::{LaneConfig, Pacing};
use crate::ledger::{Demand, Ledger, LedgerSnapshot, Margins, PacingMemory};
use crate::request::Priority;
use crate::throttle::ThrottleCause::Tokens;
use crate::units::{Millis, TokensPerMinute};

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

#[test]
fn of_a_window_something_is_kept_for_interactive_requests() {
    let mut ledger = ledger(&small(Pacing::Eager));
    // Buckets are ruled out, a fixed minute is suspended: only a sliding one is left.
    let memory: PacingMemory = serde_json::from_str(r#"{"t":{"x":3,"s":4}}"#).unwrap();
    ledger.remember(at(0), &memory);
    assert_eq!(ledger.limiters(at(0)), ["sliding minute"]);
    let of = |size, priority| Demand::of(tokens(size), priority);
    ledger
        .reserve(at(0), key(1), of(400_000, Priority::Batch))
        .unwrap();
    ledger.started(at(0), key(1), at(0));
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
