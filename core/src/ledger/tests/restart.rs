//! The ledger after a restart.

use super::limiters::{KINDS, Kind, Limiter};
use super::{at, key, lane, ledger, tokens};
use crate::call::{Call, CallEnding, Settlement};
use crate::config::Pacing;
use crate::ids::LaneId;
use crate::ledger::{Ledger, Margins};
use crate::ports::DayCount;
use crate::throttle::ThrottleCause;

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

/// Calls of 5,000 tokens that come every so often, from one moment to another, before a ledger and its limiter.
fn steady(ledger: &mut Ledger, limiter: &mut Limiter, every: usize, from: u64, to: u64) -> Vec<Call> {
    let mut calls = Vec::new();
    for now in (from..to).step_by(every) {
        let key = key(now);
        if ledger.reserve(at(now), key, tokens(5_000)).is_err() {
            continue;
        }
        ledger.started(at(now), key, at(now));
        if limiter.admit(at(now).as_millis(), key, 5_000) {
            ledger.settle(at(now), key, tokens(5_000));
            calls.push(call(now, now, 5_000, Some((CallEnding::Completed, 5_000))));
        } else {
            ledger.refused(at(now), key, ThrottleCause::Tokens);
        }
    }
    calls
}

fn name(kind: Kind) -> String {
    match kind {
        Kind::Bucket(seconds) => format!("bucket of {seconds} s"),
        Kind::Fixed => "fixed minute".to_owned(),
        Kind::Sliding => "sliding minute".to_owned(),
    }
}

/// Restarts a lane at a steady load, does something to its ledger, and has more come than may go. When the limiter that
/// stands upstream was ruled out or suspended, if it was.
fn restarted(kind: Kind, then: impl FnOnce(&mut Ledger)) -> Option<u64> {
    let lane = lane(600_000, None, Pacing::Eager);
    let has = |ledger: &Ledger, now| ledger.limiters(at(now)).contains(&name(kind));
    let mut limiter = Limiter::new(kind, 600_000, None);
    let mut first = ledger(&lane);
    // 95 % of the quota.
    let before = steady(&mut first, &mut limiter, 526, 0, 120_000);
    assert!(has(&first, 120_000), "{kind:?}");
    let mut next = Ledger::new(&lane, Margins::default(), at(120_000));
    next.remember(at(120_000), &first.memory());
    let late: Vec<Call> = before
        .into_iter()
        .filter(|call| call.charged_at > at(55_000))
        .collect();
    assert!(late.len() > 100);
    next.restore(at(120_000), &late, None);
    then(&mut next);
    (120..240).find(|second| {
        steady(
            &mut next,
            &mut limiter,
            90,
            second * 1_000,
            second * 1_000 + 1_000,
        );
        !has(&next, second * 1_000 + 999)
    })
}

/// What the calls of before tell of the limiter is known; what refilled it between them is not.
#[test]
fn a_restart_at_a_steady_load_rules_out_no_limiter_that_stands_upstream() {
    for kind in KINDS {
        assert_eq!(restarted(kind, |_| {}), None, "{kind:?}");
    }
}

#[test]
fn a_ledger_that_is_too_low_to_be_sure_rules_out_the_limiter_that_stands_upstream() {
    let too_low = |ledger: &mut Ledger| {
        let sure = &mut ledger.tokens.suspects.as_mut().unwrap().sure;
        for _ in 0..100 {
            sure.charge(at(120_000), at(120_000), 5_400);
        }
    };
    assert!(restarted(Kind::Bucket(10), too_low).is_some());
}
