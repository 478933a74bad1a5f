//! The ledger after a restart.

use super::{at, key, lane, ledger, tokens};
use crate::call::{Call, CallEnding, Settlement};
use crate::config::Pacing;
use crate::ids::LaneId;
use crate::ports::DayCount;

fn call(number: u64, charged_at: u64, reserved: u64, ended: Option<(CallEnding, u64)>) -> Call {
    let (request, call) = key(number);
    Call {
        request,
        number: call,
        lane: LaneId::new("test").unwrap(),
        reserved: tokens(reserved),
        charged_at: at(charged_at),
        settlement: ended.map(|(ending, charged)| Settlement {
            call,
            ending,
            charged: tokens(charged),
            usage: None,
            throttle: None,
            error: None,
            upstream_request_id: None,
            at: at(charged_at + 500),
        }),
    }
}

#[test]
fn the_last_minute_and_open_calls_are_charged_again() {
    let mut ledger = ledger(&lane(60_000, Some(60), Pacing::Window));
    let calls = [
        call(1, 100_000, 9_000, Some((CallEnding::Completed, 4_000))),
        call(2, 101_000, 9_000, Some((CallEnding::Throttled, 0))),
        call(3, 102_000, 5_000, None),
        call(4, 1_000, 7_000, None),
    ];
    ledger.restore(at(103_000), &calls, None);
    assert_eq!(ledger.tokens_view(at(103_000)).used, 9_000);
    assert_eq!(ledger.requests_view(at(103_000)).unwrap().used, 2);
    assert_eq!(ledger.under_way(), 2);
    // Both open calls still settle, once.
    ledger.settle(at(104_000), key(3), tokens(1_000));
    ledger.settle(at(104_000), key(3), tokens(1_000));
    ledger.settle(at(104_000), key(4), tokens(1_000));
    assert_eq!(ledger.tokens_view(at(104_000)).used, 5_000);
    assert_eq!(ledger.under_way(), 0);
}

#[test]
fn a_throttle_that_cost_something_is_charged_again_and_one_that_did_not_is_not() {
    let mut ledger = ledger(&lane(60_000, Some(60), Pacing::Window));
    let calls = [
        call(1, 100_000, 9_000, Some((CallEnding::Throttled, 9_000))),
        call(2, 101_000, 5_000, Some((CallEnding::Throttled, 0))),
    ];
    ledger.restore(at(103_000), &calls, None);
    assert_eq!(ledger.tokens_view(at(103_000)).used, 9_000);
    assert_eq!(ledger.requests_view(at(103_000)).unwrap().used, 1);
    assert_eq!(ledger.under_way(), 0);
}

#[test]
fn buckets_go_on_from_the_worst_that_can_have_been() {
    let mut fresh = ledger(&lane(600_000, None, Pacing::Auto));
    fresh.restore(at(100_000), &[], None);
    assert_eq!(fresh.tokens_view(at(100_000)).free, 98_000);
    let mut busy = ledger(&lane(600_000, None, Pacing::Auto));
    busy.restore(at(100_000), &[call(1, 99_000, 60_000, None)], None);
    assert_eq!(busy.tokens_view(at(100_000)).free, 48_000);
}

#[test]
fn the_days_count_goes_on() {
    let day = at(0).as_millis() / 86_400_000;
    let count = |day, number| DayCount {
        day,
        tokens: tokens(number),
    };
    let mut same = ledger(&lane(60_000, None, Pacing::Auto));
    let calls = [
        call(1, 0, 900, Some((CallEnding::Completed, 500))),
        call(2, 0, 700, None),
    ];
    same.restore(at(1_000), &calls, Some(count(day, 10_000)));
    assert_eq!(same.day_count(), count(day, 10_500));
    same.settle(at(2_000), key(2), tokens(100));
    assert_eq!(same.day_count(), count(day, 10_600));
    let mut other = ledger(&lane(60_000, None, Pacing::Auto));
    other.restore(at(1_000), &[], Some(count(day - 1, 10_000)));
    assert_eq!(other.day_count(), count(day, 0));
}
