//! Events in any order, repeated, late and about nothing: what must hold whatever comes.

use super::released;
use super::world::{at, config, id, lane, tenant, waiting};
use crate::breaker::CallHealth;
use crate::config::Pacing;
use crate::ids::{CallNo, RequestId};
use crate::ledger::{Demand, Wait};
use crate::request::Priority;
use crate::scheduler::{Again, Command, Event, Gone, Scheduler};
use crate::throttle::ThrottleCause;
use crate::units::{Millis, Timestamp, Tokens};
use proptest::prelude::*;
use std::collections::BTreeSet;

fn again() -> impl Strategy<Value = Again> {
    prop_oneof![
        2 => Just(Again::No),
        1 => (0u64..90_000).prop_map(|ms| Again::NotBefore(at(ms))),
    ]
}

fn cause() -> impl Strategy<Value = Option<ThrottleCause>> {
    prop_oneof![
        6 => Just(None),
        2 => prop::sample::select(ThrottleCause::ALL.to_vec()).prop_map(Some),
    ]
}

fn event() -> impl Strategy<Value = Event> {
    let request = || (0u64..12).prop_map(id);
    let call = || (1u32..4).prop_map(CallNo::new);
    let arrived = (
        (0u64..12, 0usize..3, 1u64..25_000, 0u64..4),
        (
            prop::option::of(0u64..90_000),
            prop::option::of(0u64..90_000),
            prop::option::of(0u64..9_000),
        ),
    );
    prop_oneof![
        6 => arrived.prop_map(|((number, band, size, who), (deadline, start, snooze))| {
            let mut one = waiting(number, 0, Priority::ALL[band], size);
            one.tenant = tenant(&format!("t{who}"));
            one.deadline = deadline.map(at);
            one.latest_start = start.map(at);
            one.not_before = snooze.map(at);
            Event::Arrived(one)
        }),
        1 => request().prop_map(|request| Event::Left { request, why: Gone::Cancelled }),
        1 => request().prop_map(|request| Event::Left { request, why: Gone::Elsewhere }),
        5 => (request(), call(), 0u64..90_000)
            .prop_map(|(request, call, ms)| Event::Started { request, call, at: at(ms) }),
        5 => (request(), call(), 0u64..30_000, cause(), again()).prop_map(
            |(request, call, charged, throttle, again)| Event::Ended {
                request,
                call,
                charged: Tokens::new(charged),
                throttle,
                again,
                health: CallHealth::Fine,
                at: at(0),
            }
        ),
        1 => (request(), call()).prop_map(|(request, call)| Event::Unclaimed { request, call }),
        1 => (request(), call()).prop_map(|(request, call)| Event::Lapsed { request, call }),
        4 => Just(Event::Tick),
    ]
}

fn events() -> impl Strategy<Value = Vec<(u64, Event)>> {
    prop::collection::vec((prop_oneof![3 => 0u64..50, 1 => 0u64..20_000], event()), 1..200)
}

fn lane_of_two(pacing: Pacing) -> Scheduler {
    let mut lane = lane(60_000, Some(90), pacing);
    lane.max_concurrency = 3;
    Scheduler::new(config(lane), at(0))
}

/// Whatever waits, waits because the one whose turn it is cannot go.
fn conserves_work(scheduler: &Scheduler, now: Timestamp, wake: Option<Timestamp>) -> Result<(), String> {
    let Some((slot, _)) = scheduler.next() else {
        return Ok(());
    };
    let head = scheduler.table.get(slot).ok_or("a head that is not known")?;
    let key = (head.id, head.call.next());
    let mut ledger = scheduler.ledger.clone();
    let flow = scheduler.shares.flow(head.flow).ok_or("a head of nobody")?;
    let wanted = Demand::of(head.reserve, flow.priority);
    let asked = if head.wants_alone {
        ledger.reserve_alone(now, key, wanted)
    } else {
        ledger.reserve(now, key, wanted)
    };
    match asked {
        Ok(()) => Err(format!("{} could go and does not", head.id)),
        Err(Wait::Until(_)) if wake.is_none() => Err("it waits for a moment nobody is told of".to_owned()),
        Err(_) => Ok(()),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, ..ProptestConfig::default() })]

    #[test]
    fn invariants_hold_whatever_comes(events in events(), pacing in prop_oneof![
        Just(Pacing::Auto),
        Just(Pacing::Eager),
    ]) {
        let mut scheduler = lane_of_two(pacing);
        let mut now = at(0);
        let mut open: BTreeSet<(RequestId, u32)> = BTreeSet::new();
        for (passed, event) in events {
            now = now + Millis::new(passed);
            let frees = matches!(event, Event::Ended { .. } | Event::Lapsed { .. });
            let commands = scheduler.step(now, event);
            let known = open.len();
            open.retain(|(request, call)| scheduler.ledger.is_open((*request, CallNo::new(*call))));
            prop_assert!(frees || open.len() == known, "what may be called keeps its reservation");
            for (request, call) in released(&commands) {
                prop_assert!(open.insert((request, call)), "a call under way is not made again");
            }
            for command in &commands {
                match command {
                    Command::Release { start_by, .. } => prop_assert!(*start_by > now),
                    Command::WakeAt(moment) => prop_assert!(*moment > now),
                    _ => {}
                }
            }
            let view = scheduler.view(now);
            prop_assert!(view.concurrency.used <= 3);
            prop_assert_eq!(view.released + view.running, view.concurrency.used);
            let waits: u64 = view.waiting.values().map(|band| band.requests).sum();
            let known = (0..12).filter(|n| scheduler.forecast(now, id(*n)).is_some()).count();
            prop_assert_eq!(waits, known as u64);
            conserves_work(&scheduler, now, super::wake(&commands)).map_err(TestCaseError::fail)?;
        }
        finishes(scheduler, now)?;
    }

    #[test]
    fn the_same_log_gives_the_same_commands(events in events()) {
        let (mut one, mut two) = (lane_of_two(Pacing::Eager), lane_of_two(Pacing::Eager));
        let mut now = at(0);
        for (passed, event) in events {
            now = now + Millis::new(passed);
            prop_assert_eq!(one.step(now, event.clone()), two.step(now, event));
        }
    }
}

/// With workers that answer, everything that waits is let go, expires or fails.
fn finishes(mut scheduler: Scheduler, from: Timestamp) -> Result<(), TestCaseError> {
    let mut now = from;
    let mut running: BTreeSet<(RequestId, CallNo)> = BTreeSet::new();
    for number in 0..12 {
        for call in 1..=64 {
            running.insert((id(number), CallNo::new(call)));
        }
    }
    for _ in 0..3_000 {
        let mut commands = Vec::new();
        for (request, call) in std::mem::take(&mut running) {
            let ended = Event::Ended {
                request,
                call,
                charged: Tokens::new(10),
                throttle: None,
                again: Again::No,
                health: CallHealth::Fine,
                at: now,
            };
            commands.extend(scheduler.step(now, ended));
        }
        commands.extend(scheduler.step(now, Event::Tick));
        for (request, call) in released(&commands) {
            running.insert((request, CallNo::new(call)));
        }
        let waits: u64 = scheduler
            .view(now)
            .waiting
            .values()
            .map(|band| band.requests)
            .sum();
        if waits == 0 && running.is_empty() {
            return Ok(());
        }
        if running.is_empty() {
            let wake = super::wake(&commands);
            prop_assert!(wake.is_some(), "{} wait and nobody wakes", waits);
            now = wake.unwrap_or(now);
        }
    }
    Err(TestCaseError::fail("it never ends"))
}
