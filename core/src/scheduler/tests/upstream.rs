//! An upstream in trouble: the breaker, those who need not wait for it, and the retry budget.

use super::world::*;
use super::*;
use crate::breaker::{BreakerConfig, CallHealth, Hand, Phase};
use crate::config::Pacing;
use crate::fallback::HopCause;
use crate::request::Priority;
use crate::scheduler::Waiting;
use crate::units::Millis;

/// A lane whose breaker opens at the second failure of two, for a second, and probes with one call.
pub(super) fn lane_in_trouble() -> Scheduler {
    let mut lane = lane(60_000_000, None, Pacing::Auto);
    lane.breaker = BreakerConfig {
        least_calls: 2,
        probes: 1,
        open_for: Millis::new(1_000),
        ..BreakerConfig::default()
    };
    scheduler(config(lane))
}

fn arrives(number: u64, may_leave: bool) -> Event {
    Event::Arrived(Waiting {
        may_leave,
        ..waiting(number, 0, Priority::Normal, 100)
    })
}

fn over(number: u64, call: u32, health: CallHealth, again: Again, ms: u64) -> Event {
    Event::Ended {
        request: id(number),
        call: CallNo::new(call),
        charged: Tokens::new(10),
        throttle: None,
        again,
        health,
        at: at(ms),
    }
}

pub(super) fn leaving(commands: &[Command]) -> Vec<(RequestId, HopCause)> {
    let leave = |command: &Command| match command {
        Command::Leave { request, cause } => Some((*request, *cause)),
        _ => None,
    };
    commands.iter().filter_map(leave).collect()
}

/// Requests 1 and 2 have failed, at 10 ms.
pub(super) fn opened() -> Scheduler {
    let mut lane = lane_in_trouble();
    for number in [1, 2] {
        assert_eq!(
            released(&lane.step(at(0), arrives(number, false))),
            [(id(number), 1)]
        );
        lane.step(at(1), started(id(number), 1, 1));
    }
    for number in [1, 2] {
        lane.step(at(10), over(number, 1, CallHealth::Failed, Again::No, 10));
    }
    assert_eq!(lane.view(at(10)).breaker.state, Phase::Open);
    lane
}

#[test]
fn while_the_breaker_is_open_requests_wait_and_one_probes_after_it() {
    let mut lane = opened();
    let commands = lane.step(at(20), arrives(3, false));
    assert_eq!((released(&commands).len(), wake(&commands)), (0, Some(at(1_010))));
    lane.step(at(21), arrives(4, false));
    assert_eq!(released(&lane.step(at(1_010), Event::Tick)), [(id(3), 1)]);
    lane.step(at(1_011), started(id(3), 1, 1_011));
    let commands = lane.step(at(1_020), over(3, 1, CallHealth::Fine, Again::No, 1_020));
    assert_eq!(released(&commands), [(id(4), 1)], "it closed");
}

#[test]
fn calls_that_hang_open_it_before_they_end_and_are_counted_once() {
    let mut lane = lane_in_trouble();
    let slow = BreakerConfig::default().slow_call.get();
    for number in [1, 2] {
        lane.step(at(0), arrives(number, false));
        lane.step(at(1), started(id(number), 1, 1));
    }
    let commands = lane.step(at(slow), Event::Tick);
    assert_eq!(wake(&commands), Some(at(slow + 2)));
    assert_eq!(lane.view(at(slow)).breaker.state, Phase::Closed);
    lane.step(at(slow + 2), Event::Tick);
    let view = lane.view(at(slow + 2));
    assert_eq!((view.breaker.state, view.breaker.slow), (Phase::Open, 2));
    assert_eq!(view.running, 2, "they run on");
    // Their ends say nothing new: neither of the time before nor of the probe.
    lane.step(at(slow + 1_100), arrives(3, false));
    lane.step(at(slow + 1_101), started(id(3), 1, slow + 1_101));
    for number in [1, 2] {
        lane.step(
            at(slow + 1_200),
            over(number, 1, CallHealth::Failed, Again::No, slow + 1_200),
        );
    }
    let view = lane.view(at(slow + 1_200));
    assert_eq!((view.breaker.state, view.breaker.calls), (Phase::HalfOpen, 2));
    // A probe that hangs opens it again.
    lane.step(at(2 * slow + 1_102), Event::Tick);
    assert_eq!(lane.view(at(2 * slow + 1_102)).breaker.state, Phase::Open);
}

#[test]
fn a_slow_call_is_counted_once() {
    let mut lane = lane_in_trouble();
    let slow = BreakerConfig::default().slow_call.get();
    lane.step(at(0), arrives(1, false));
    lane.step(at(1), started(id(1), 1, 1));
    lane.step(at(slow + 2), Event::Tick);
    lane.step(at(slow + 10), over(1, 1, CallHealth::Slow, Again::No, slow + 10));
    let view = lane.view(at(slow + 10)).breaker;
    assert_eq!((view.state, view.calls, view.slow), (Phase::Closed, 1, 1));
}

#[test]
fn a_probe_nobody_claimed_makes_room_for_the_next() {
    let mut lane = opened();
    lane.step(at(20), arrives(3, false));
    assert_eq!(released(&lane.step(at(1_010), Event::Tick)).len(), 1);
    let lapsed = Event::Lapsed {
        request: id(3),
        call: CallNo::new(1),
    };
    assert_eq!(released(&lane.step(at(26_100), lapsed)), [(id(3), 2)]);
}

#[test]
fn whoever_has_another_lane_is_sent_on_and_the_others_wait() {
    let mut lane = opened();
    let commands = lane.step(at(20), arrives(3, true));
    assert_eq!(leaving(&commands), [(id(3), HopCause::BreakerOpen)]);
    assert!(!lane.knows(id(3)));
    assert_eq!(leaving(&lane.step(at(20), arrives(4, false))), []);
    assert!(lane.knows(id(4)));
    // Half-open, one goes to see, and the next need not wait for what it finds.
    assert_eq!(released(&lane.step(at(1_010), Event::Tick)), [(id(4), 1)]);
    let commands = lane.step(at(1_011), arrives(5, true));
    assert_eq!(leaving(&commands), [(id(5), HopCause::BreakerOpen)]);
    assert_eq!(lane.view(at(1_011)).sent_on, 2);
}

#[test]
fn those_who_waited_when_it_opened_leave_too_a_few_at_a_time() {
    let mut lane = lane_in_trouble();
    lane.step(at(0), Event::Breaker(Some(Hand::Open)));
    lane.step(at(0), Event::Breaker(Some(Hand::Closed)));
    // The ledger lets none of these go: the first takes the whole burst.
    let mut big = waiting(1, 0, Priority::Normal, 9_000_000);
    big.may_leave = true;
    assert_eq!(released(&lane.step(at(0), Event::Arrived(big))).len(), 1);
    for number in 2..600 {
        let mut next = waiting(number, 0, Priority::Batch, 9_000_000);
        next.may_leave = true;
        assert_eq!(leaving(&lane.step(at(0), Event::Arrived(next))), []);
    }
    let first = lane.step(at(5), Event::Breaker(Some(Hand::Open)));
    assert_eq!((leaving(&first).len(), wake(&first)), (256, Some(at(6))));
    assert_eq!(leaving(&lane.step(at(6), Event::Tick)).len(), 256);
    assert_eq!(leaving(&lane.step(at(7), Event::Tick)).len(), 598 - 512);
    assert_eq!(lane.view(at(7)).waiting["batch"].requests, 0);
}

#[test]
fn a_day_used_up_sends_on_whoever_may_leave() {
    let mut lane = lane_in_trouble();
    lane.step(at(0), arrives(1, true));
    lane.step(at(1), started(id(1), 1, 1));
    lane.step(at(2), throttled(id(1), 1, ThrottleCause::Day, at(3_600_000)));
    let commands = lane.step(at(3), arrives(2, true));
    assert_eq!(leaving(&commands), [(id(2), HopCause::Parked)]);
}

#[test]
fn by_hand_it_closes_and_what_waited_goes() {
    let mut lane = opened();
    lane.step(at(20), arrives(3, false));
    assert_eq!(
        released(&lane.step(at(30), Event::Breaker(Some(Hand::Closed)))),
        [(id(3), 1)]
    );
    assert!(lane.view(at(30)).breaker.by_hand);
}

#[test]
fn throttles_do_not_open_it() {
    let mut lane = lane_in_trouble();
    for n in 1..30 {
        lane.step(at(n * 10_000), arrives(n, false));
        lane.step(at(n * 10_000), started(id(n), 1, n * 10_000));
        let again = at(n * 10_000 + 3_600_000);
        lane.step(
            at(n * 10_000 + 1),
            throttled(id(n), 1, ThrottleCause::Tokens, again),
        );
    }
    assert_eq!(lane.view(at(300_000)).breaker.state, Phase::Closed);
}

#[test]
fn retries_beyond_a_fifth_of_the_calls_wait_while_first_calls_go() {
    let mut config = config(lane(60_000_000, None, Pacing::Auto));
    config.lane.breaker.least_calls = u32::MAX;
    let mut lane = scheduler(config);
    let (mut firsts, mut retries) = (0u64, 0u64);
    for n in 1..=400 {
        let mut going = released(&lane.step(at(n * 10), arrives(n, false)));
        // Whatever goes fails at once and wants to be made again at once.
        while let Some((request, call)) = going.pop() {
            if call == 1 {
                firsts += 1;
            } else {
                retries += 1;
            }
            lane.step(at(n * 10), started(request, call, n * 10));
            let again = Again::Retry(at(n * 10));
            going.extend(released(
                &lane.step(at(n * 10), fails_again(request, call, again, n * 10)),
            ));
        }
    }
    assert_eq!(firsts, 400, "first calls are never kept back");
    assert!(
        retries >= 90 && retries * 100 <= (firsts + retries) * 20 + 1_400,
        "{retries} of {firsts}"
    );
    let view = lane.view(at(4_000));
    assert_eq!(view.waiting["normal"].requests, 400, "none was given up");
}

fn fails_again(request: RequestId, call: u32, again: Again, ms: u64) -> Event {
    Event::Ended {
        request,
        call: CallNo::new(call),
        charged: Tokens::ZERO,
        throttle: None,
        again,
        health: CallHealth::Failed,
        at: at(ms),
    }
}

#[test]
fn a_restart_finds_the_breaker_as_it_was() {
    let before = opened();
    let mut after = lane_in_trouble();
    after.remember(at(500), &before.memory());
    assert_eq!(released(&after.step(at(500), arrives(3, false))), []);
    assert_eq!(released(&after.step(at(1_010), Event::Tick)), [(id(3), 1)]);
}

/// A row as it comes back to its lane, or to another, after `change`.
fn next_entry(change: &crate::Change) -> Waiting {
    let mut row = crate::Request::fresh(crate::request::Fresh {
        id: id(1),
        tenant: crate::TenantId::default(),
        lane: crate::LaneId::new("a").unwrap(),
        model: crate::ModelId::new("m").unwrap(),
        operation: crate::Operation::Converse,
        door: crate::Door::Job,
        arrived_at: at(0),
        body_hash: [0; 32],
        body_bytes: 0,
        estimate: crate::Estimate::default(),
    });
    row.state = crate::State::Running;
    row.call = CallNo::new(2);
    row.calls_made = 2;
    row.tries = 1;
    row.started_at = Some(at(50));
    row.last_error = Some(crate::ModelErrorKind::Internal);
    row.fallback.push(crate::Hop::Lane {
        lane: crate::LaneId::new("b").unwrap(),
        model: row.model.clone(),
        estimate: row.estimate,
        own_output: None,
    });
    Waiting::priced(&crate::lifecycle::apply(&row, change).unwrap(), 1)
}

#[test]
fn a_first_call_in_another_lane_is_no_retry() {
    let call = CallNo::new(2);
    let again = next_entry(&crate::Change::Requeue {
        call,
        not_before: at(60),
        throttle: None,
        error: Some(crate::ModelErrorKind::Internal),
        spends_try: true,
    });
    assert!(again.retries);
    let throttled = next_entry(&crate::Change::Requeue {
        call,
        not_before: at(60),
        throttle: Some(ThrottleCause::Tokens),
        error: Some(crate::ModelErrorKind::Throttled(ThrottleCause::Tokens)),
        spends_try: false,
    });
    assert!(!throttled.retries);
    let elsewhere = next_entry(&crate::Change::Divert {
        from: crate::lifecycle::Leaving::Call(call),
        cause: HopCause::Error(crate::ModelErrorKind::Internal),
        at: at(60),
    });
    assert!(!elsewhere.retries);
}

#[test]
fn an_upstream_that_is_not_well_is_neither_paused_for_nor_called_with_less_at_once() {
    let mut config = config(lane(60_000_000, None, Pacing::Auto));
    config.lane.breaker.least_calls = u32::MAX;
    let mut lane = scheduler(config);
    for number in 1..=20 {
        lane.step(at(0), arrives(number, false));
        lane.step(at(1), started(id(number), 1, 1));
    }
    let before = lane.view(at(2)).concurrency.free;
    let unavailable = |number, again| Event::Ended {
        request: id(number),
        call: CallNo::new(1),
        charged: Tokens::ZERO,
        throttle: Some(ThrottleCause::Capacity),
        again,
        health: CallHealth::Failed,
        at: at(2),
    };
    lane.step(at(2), unavailable(1, Again::NotBefore(at(400))));
    let view = lane.view(at(2));
    assert_eq!(view.concurrency.free, before + 1);
    assert_eq!((view.parked_until, view.throttles["capacity"]), (None, 1));
    assert_eq!(released(&lane.step(at(3), arrives(21, false))), [(id(21), 1)]);
}

#[test]
fn what_comes_back_from_an_upstream_that_is_not_well_spends_the_retry_budget() {
    let mut config = config(lane(60_000_000, None, Pacing::Auto));
    config.lane.breaker.least_calls = u32::MAX;
    let mut lane = scheduler(config);
    let left = lane.view(at(0)).retries_left;
    let commands = lane.step(at(0), arrives(1, false));
    assert_eq!(released(&commands), [(id(1), 1)]);
    lane.step(at(1), started(id(1), 1, 1));
    lane.step(at(2), fails_again(id(1), 1, Again::NotBefore(at(3)), 2));
    assert_eq!(released(&lane.step(at(3), Event::Tick)), [(id(1), 2)]);
    assert_eq!(lane.view(at(3)).retries_left, left - 1);
}

#[test]
fn a_retry_without_budget_goes_on_in_the_next_lane_but_not_to_the_text_at_the_end() {
    let mut config = config(lane(60_000_000, None, Pacing::Auto));
    config.lane.breaker.least_calls = u32::MAX;
    let mut lane = scheduler(config);
    let (mut left, mut put_off) = (Vec::new(), 0);
    for number in 1..=80 {
        let elsewhere = number % 2 == 0;
        lane.step(
            at(0),
            Event::Arrived(Waiting {
                may_leave: true,
                has_next_lane: elsewhere,
                ..waiting(number, 0, Priority::Normal, 100)
            }),
        );
        lane.step(at(1), started(id(number), 1, 1));
        let commands = lane.step(at(2), fails_again(id(number), 1, Again::Retry(at(2)), 2));
        left.extend(leaving(&commands));
        put_off += u64::from(!elsewhere && released(&commands).is_empty());
    }
    assert!(left.len() >= 10, "{left:?}");
    assert!(left.iter().all(|(_, cause)| *cause == HopCause::RetriesSpent));
    assert!((1..=40).all(|n| !left.iter().any(|(left, _)| *left == id(2 * n - 1))));
    assert!(put_off >= 10, "those without another lane wait");
    assert_eq!(lane.view(at(2)).waiting["normal"].requests, put_off);
}
