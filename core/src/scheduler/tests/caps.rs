//! Calls at once of one tenant: what is beyond them waits, and the others go.

use super::world::{at, config, id, lane, tenant, waiting};
use super::{ended, released, scheduler, started};
use crate::config::Pacing;
use crate::ids::CallNo;
use crate::request::Priority;
use crate::scheduler::{Again, Command, Event, Gone, LaneSnapshot, Scheduler, SchedulerConfig, Waiting};

fn capped(most: u32) -> SchedulerConfig {
    let mut config = config(lane(6_000_000, None, Pacing::Auto));
    config.caps.insert(tenant("capped"), most);
    config
}

fn of(number: u64, who: &str, priority: Priority) -> Waiting {
    let mut one = waiting(number, number, priority, 1_000);
    one.tenant = tenant(who);
    one
}

/// Which requests go when these arrive, by their numbers.
fn go(scheduler: &mut Scheduler, arrivals: impl IntoIterator<Item = Waiting>) -> Vec<u64> {
    let commands = arrivals
        .into_iter()
        .flat_map(|one| scheduler.step(at(1), Event::Arrived(one)));
    numbers(&commands.collect::<Vec<_>>())
}

fn numbers(commands: &[Command]) -> Vec<u64> {
    let number = |id: &[u8; 16]| u64::from_be_bytes(id[8..].try_into().unwrap());
    released(commands)
        .iter()
        .map(|(request, _)| number(request.as_bytes()))
        .collect()
}

#[test]
fn what_is_beyond_the_cap_waits_and_the_others_go() {
    let mut scheduler = scheduler(capped(2));
    let arrivals = (0..6).map(|number| of(number, "capped", Priority::ALL[number as usize % 3]));
    assert_eq!(go(&mut scheduler, arrivals), [0, 1], "over all bands together");
    assert_eq!(
        go(
            &mut scheduler,
            (10..13).map(|number| of(number, "other", Priority::Batch))
        ),
        [10, 11, 12]
    );
    scheduler.step(at(1), started(id(0), 1, 1));
    assert_eq!(
        numbers(&scheduler.step(at(2), Event::Tick)),
        [0u64; 0],
        "one that runs counts too"
    );
    assert_eq!(numbers(&scheduler.step(at(3), ended(id(0), 1, 900, 3))).len(), 1);
    assert_eq!(
        scheduler
            .view(at(3))
            .waiting
            .values()
            .map(|band| band.requests)
            .sum::<u64>(),
        3
    );
}

#[test]
fn however_a_call_is_over_it_counts_no_more() {
    let (request, call) = (id(0), CallNo::new(1));
    let comes_back = Event::Ended {
        request,
        call,
        charged: crate::units::Tokens::ZERO,
        throttle: None,
        again: Again::NotBefore(at(5_000)),
        health: crate::breaker::CallHealth::Fine,
        at: at(2),
    };
    for over in [
        ended(request, 1, 10, 2),
        Event::Void { request, call },
        comes_back,
    ] {
        let mut scheduler = scheduler(capped(1));
        let arrivals = (0..2).map(|number| of(number, "capped", Priority::Normal));
        assert_eq!(go(&mut scheduler, arrivals), [0]);
        assert_eq!(numbers(&scheduler.step(at(2), over.clone())), [1], "{over:?}");
    }
    // A request that was called off while its call ran: the call goes on, and counts.
    let mut scheduler = scheduler(capped(1));
    go(
        &mut scheduler,
        (0..2).map(|number| of(number, "capped", Priority::Normal)),
    );
    scheduler.step(at(1), started(request, 1, 1));
    let left = Event::Left {
        request,
        why: Gone::Cancelled,
    };
    assert_eq!(numbers(&scheduler.step(at(2), left)), [0u64; 0]);
    assert_eq!(numbers(&scheduler.step(at(3), ended(request, 1, 10, 3))), [1]);
}

#[test]
fn a_new_cap_holds_for_calls_that_are_under_way() {
    let mut scheduler = scheduler(capped(4));
    let arrivals = (0..8).map(|number| of(number, "capped", Priority::Normal));
    assert_eq!(go(&mut scheduler, arrivals), [0, 1, 2, 3]);
    scheduler.reconfigure(at(2), capped(2));
    for number in 0..2 {
        assert_eq!(
            numbers(&scheduler.step(at(3), ended(id(number), 1, 900, 3))),
            [0u64; 0]
        );
    }
    assert_eq!(numbers(&scheduler.step(at(3), ended(id(2), 1, 900, 3))), [4]);
    scheduler.reconfigure(at(4), capped(3));
    assert_eq!(numbers(&scheduler.step(at(4), Event::Tick)), [5]);
    let mut without = capped(1);
    without.caps.clear();
    scheduler.reconfigure(at(5), without);
    assert_eq!(numbers(&scheduler.step(at(5), Event::Tick)), [6, 7]);
}

#[test]
fn a_cap_holds_beside_the_window_of_a_partial_view() {
    let mut config = capped(1);
    config.window = Some(4);
    let mut scheduler = scheduler(config);
    let arrivals = (0..8).map(|number| of(number, "capped", Priority::Normal));
    assert_eq!(go(&mut scheduler, arrivals), [0]);
    let mut asked = 0;
    for number in 0..4 {
        let commands = scheduler.step(at(2), ended(id(number), 1, 900, 2));
        assert_eq!(numbers(&commands), [number + 1]);
        asked += commands
            .iter()
            .filter(|command| matches!(command, Command::Refill { .. }))
            .count();
    }
    assert_eq!(asked, 1, "the rest is asked for while they wait for its call");
}

#[test]
fn the_next_holder_counts_the_calls_of_the_last_one() {
    let mut first = scheduler(capped(2));
    go(
        &mut first,
        (0..4).map(|number| of(number, "capped", Priority::Normal)),
    );
    go(&mut first, [of(9, "other", Priority::Normal)]);
    first.step(at(1), started(id(0), 1, 1));
    let written = serde_json::to_string(&first.snapshot(at(2))).unwrap();
    let left: LaneSnapshot = serde_json::from_str(&written).unwrap();
    let mut next = scheduler(capped(2));
    next.resume(at(3), &left);
    next.take_up(
        at(3),
        &[
            of(2, "capped", Priority::Normal),
            of(3, "capped", Priority::Batch),
        ],
        &[],
    );
    assert_eq!(numbers(&next.step(at(3), Event::Tick)), [0u64; 0]);
    // And the one after that, who knows of neither but by what this one writes.
    let left = next.snapshot(at(4));
    let mut last = scheduler(capped(2));
    last.resume(at(5), &left);
    last.take_up(
        at(5),
        &[
            of(2, "capped", Priority::Normal),
            of(3, "capped", Priority::Batch),
        ],
        &[],
    );
    assert_eq!(numbers(&last.step(at(5), Event::Tick)), [0u64; 0]);
    assert_eq!(numbers(&last.step(at(6), ended(id(0), 1, 900, 6))), [2]);
}

#[test]
fn a_share_that_the_cap_kept_from_being_used_is_not_saved_up() {
    let mut config = config(lane(60_000, None, Pacing::Bucket { seconds: 10 }));
    config.caps.insert(tenant("capped"), 1);
    let mut scheduler = scheduler(config);
    go(
        &mut scheduler,
        (0..40).map(|number| of(number, "capped", Priority::Normal)),
    );
    go(
        &mut scheduler,
        (100..160).map(|number| of(number, "other", Priority::Normal)),
    );
    let mut order = Vec::new();
    for second in 1..20u64 {
        order.extend(numbers(&scheduler.step(at(second * 1_000), Event::Tick)));
    }
    assert!(
        order.iter().all(|number| *number >= 100),
        "its call does not end: {order:?}"
    );
    order.clear();
    order.extend(numbers(
        &scheduler.step(at(20_000), ended(id(0), 1, 1_000, 20_000)),
    ));
    for second in 21..40u64 {
        let commands = scheduler.step(at(second * 1_000), Event::Tick);
        order.extend(numbers(&commands));
        for number in numbers(&commands).into_iter().filter(|number| *number < 100) {
            order.extend(numbers(
                &scheduler.step(at(second * 1_000), ended(id(number), 1, 1_000, 0)),
            ));
        }
    }
    let of_capped = order.iter().filter(|number| **number < 100).count();
    assert!(
        of_capped * 2 <= order.len() + 2,
        "it takes turns, no more: {order:?}"
    );
}
