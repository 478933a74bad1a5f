//! A partial view: a few heads of each tenant, refilled by who holds the rest.

use super::world::{at, config, lane, tenant, waiting};
use super::{ended, released, scheduler, started, wake};
use crate::config::Pacing;
use crate::ids::{RequestId, TenantId};
use crate::request::Priority;
use crate::scheduler::{Command, Event, Scheduler, Waiting};
use proptest::prelude::*;
use std::collections::{BTreeMap, VecDeque};

const WINDOW: usize = 8;
/// So many behind a head are looked at.
const BACKFILLED: usize = 8;
const TENANTS: usize = 5;

/// Everybody's waiting requests, in the order in which a tenant's go.
fn rest(sizes: &[(u64, usize)]) -> BTreeMap<TenantId, VecDeque<Waiting>> {
    let mut rest: BTreeMap<TenantId, VecDeque<Waiting>> = BTreeMap::new();
    for (number, (size, who)) in sizes.iter().enumerate() {
        let number = number as u64;
        let mut one = waiting(number, number, Priority::Batch, *size);
        one.tenant = tenant(&format!("t{who}"));
        rest.entry(one.tenant.clone()).or_default().push_back(one);
    }
    rest
}

/// Lets all go, answering every wish for more; the order in which they went.
fn drain(
    mut scheduler: Scheduler,
    mut rest: BTreeMap<TenantId, VecDeque<Waiting>>,
    window: usize,
) -> Vec<RequestId> {
    let mut order = Vec::new();
    let mut commands = Vec::new();
    // Nothing goes before everybody's heads are there.
    let mut first = waiting(999, 0, Priority::Batch, 9_800);
    first.tenant = tenant("first");
    scheduler.step(at(999), Event::Arrived(first));
    scheduler.step(at(999), started(super::world::id(999), 1, 999));
    for tenant in rest.keys().cloned().collect::<Vec<_>>() {
        commands.push(Command::Refill {
            priority: Priority::Batch,
            tenant,
        });
    }
    let mut now = at(1_000);
    let mut todo = VecDeque::from(commands);
    loop {
        let Some(command) = todo.pop_front() else {
            return order;
        };
        match command {
            Command::Refill { priority, tenant } => {
                let known = scheduler.view(now).waiting["batch"].requests;
                assert!(known <= 5 * window as u64);
                let heads = rest.entry(tenant.clone()).or_default();
                let count = heads.len().min(window / 2);
                for one in heads.drain(..count) {
                    // What is let go meanwhile is told after the refill is complete.
                    todo.extend(scheduler.step(now, Event::Arrived(one)));
                }
                let more = !heads.is_empty();
                todo.extend(scheduler.step(
                    now,
                    Event::Refilled {
                        priority,
                        tenant,
                        more,
                    },
                ));
            }
            Command::Release { request, call, .. } => {
                order.push(request);
                let start = scheduler.step(now, started(request, call.get(), 0));
                let end = scheduler.step(now, ended(request, call.get(), 700, 0));
                todo.extend(start.into_iter().chain(end));
            }
            // The first one's end is told by nobody else.
            Command::Lose { request, call, .. } => {
                todo.extend(scheduler.step(now, ended(request, call.get(), 9_800, 0)));
            }
            Command::WakeAt(moment) if todo.is_empty() => {
                now = moment;
                todo.extend(scheduler.step(now, Event::Tick));
            }
            _ => {}
        }
    }
}

/// Both let everybody go, and nobody more than a few windows earlier or later than the other does.
fn decides_as_the_full_one(sizes: &[(u64, usize)], window: usize) -> Result<(), TestCaseError> {
    let full = config(lane(60_000, None, Pacing::Auto));
    let mut partial = full.clone();
    partial.window = Some(window);
    let by_window = drain(scheduler(partial), rest(sizes), window);
    let all = drain(scheduler(full), rest(sizes), 10_000);
    prop_assert_eq!(by_window.len(), sizes.len());
    let place: BTreeMap<RequestId, usize> = all.iter().enumerate().map(|(place, id)| (*id, place)).collect();
    // The first burst goes while the window is still being filled; after that they stay together, but for what only the
    // full view sees to be small enough to go before a head that has to wait.
    for (index, request) in by_window.iter().enumerate() {
        let other = place[request];
        let apart = window * TENANTS + BACKFILLED;
        prop_assert!(index.abs_diff(other) <= apart, "{} {}", index, other);
    }
    Ok(())
}

#[test]
fn a_partial_view_decides_as_the_full_one() {
    let sizes: Vec<_> = (0..300u64)
        .map(|number| (500 + 37 * (number % 11), number as usize % TENANTS))
        .collect();
    decides_as_the_full_one(&sizes, WINDOW).unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn a_partial_view_of_anybody_decides_as_the_full_one(
        sizes in prop::collection::vec((100u64..1_500, 0..TENANTS), 50..250),
        window in 2usize..16,
    ) {
        decides_as_the_full_one(&sizes, window)?;
    }
}

#[test]
fn more_than_a_window_is_left_to_the_holder() {
    let mut partial = config(lane(60_000, None, Pacing::Auto));
    partial.window = Some(4);
    let mut scheduler = scheduler(partial);
    scheduler.step(at(0), Event::Arrived(waiting(99, 0, Priority::Normal, 9_800)));
    scheduler.step(at(0), started(super::world::id(99), 1, 0));
    for number in 0..20 {
        scheduler.step(
            at(0),
            Event::Arrived(waiting(number, 20 - number, Priority::Normal, 1_000)),
        );
    }
    let shown = scheduler.view(at(0)).waiting;
    // Those it has read, and those it has only heard of.
    assert_eq!((shown["normal"].requests, shown["normal"].more), (20, true));
    assert!(!shown["batch"].more);
    let mut asked = 0;
    let mut went = Vec::new();
    let mut now = at(1);
    for _ in 0..10 {
        let commands = scheduler.step(now, Event::Tick);
        asked += commands
            .iter()
            .filter(|c| matches!(c, Command::Refill { .. }))
            .count();
        went.extend(released(&commands));
        now = wake(&commands).unwrap();
    }
    // The four earliest are those that came with the highest numbers; the rest is asked for, once.
    let numbers: Vec<_> = went.iter().map(|(request, _)| *request).collect();
    assert_eq!(numbers, [19, 18, 17, 16].map(super::world::id));
    assert_eq!(asked, 1);
}

#[test]
fn who_was_left_out_while_more_were_read_is_asked_for_again() {
    let mut partial = config(lane(600_000, None, Pacing::Auto));
    partial.window = Some(4);
    partial.lane.max_concurrency = 1;
    let mut scheduler = scheduler(partial);
    for number in 0..6 {
        scheduler.step(
            at(0),
            Event::Arrived(waiting(number, number, Priority::Normal, 100)),
        );
    }
    let asks = |commands: &[Command]| commands.iter().any(|it| matches!(it, Command::Refill { .. }));
    let ends = |scheduler: &mut Scheduler, number: u64| {
        scheduler.step(at(1), started(super::world::id(number), 1, 1));
        asks(&scheduler.step(at(1), ended(super::world::id(number), 1, 100, 1)))
    };
    let mut asked = (0..4).map(|number| ends(&mut scheduler, number));
    assert_eq!(
        asked.position(|asked| asked),
        Some(2),
        "less than half a window is left"
    );
    // The index is read now. A burst that it does not show yet fills the window, and the last of it is left out.
    for number in 10..20 {
        scheduler.step(
            at(2),
            Event::Arrived(waiting(number, number, Priority::Normal, 100)),
        );
    }
    let refilled = Event::Refilled {
        priority: Priority::Normal,
        tenant: TenantId::default(),
        more: false,
    };
    scheduler.step(at(3), refilled.clone());
    assert!(scheduler.view(at(3)).waiting["normal"].more);
    // A reading that began after that is believed.
    let mut asked = false;
    for number in [3, 4, 10, 11, 12] {
        asked |= ends(&mut scheduler, number);
    }
    assert!(asked);
    scheduler.step(at(3), refilled);
    assert!(!scheduler.view(at(3)).waiting["normal"].more);
}
