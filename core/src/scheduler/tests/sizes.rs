//! Requests whose cost changes while they wait, or by their own call.

use super::lifecycle::idle;
use super::world::{at, id, waiting};
use super::{Again, ended, started};
use crate::breaker::CallHealth;
use crate::ids::{CallNo, RequestId};
use crate::request::Priority::Normal;
use crate::scheduler::{Command, Event};
use crate::units::Tokens;

fn resized(n: u64, reserve: u64) -> Event {
    Event::Resized {
        request: id(n),
        last_call: CallNo::NONE,
        reserve: Tokens::new(reserve),
        expected: Tokens::new(reserve / 2),
        surplus: Tokens::ZERO,
    }
}

fn reserved(commands: &[Command]) -> Vec<(RequestId, u32, u64)> {
    let release = |command: &Command| match command {
        Command::Release {
            request,
            call,
            reserve,
            ..
        } => Some((*request, call.get(), reserve.get())),
        _ => None,
    };
    commands.iter().filter_map(release).collect()
}

#[test]
fn what_waits_goes_at_its_new_cost_and_keeps_its_place() {
    let mut scheduler = idle();
    scheduler.step(at(0), Event::Arrived(waiting(1, 0, Normal, 9_800)));
    scheduler.step(at(1), started(id(1), 1, 1));
    for n in 2..5 {
        assert_eq!(
            reserved(&scheduler.step(at(n), Event::Arrived(waiting(n, n, Normal, 9_000)))),
            []
        );
    }
    let tokens = |view: crate::scheduler::LaneView| view.waiting["normal"].tokens;
    assert_eq!(tokens(scheduler.view(at(5))), 27_000);
    scheduler.step(at(5), resized(3, 400));
    scheduler.step(at(5), resized(2, 300));
    let view = scheduler.view(at(5));
    assert_eq!((view.waiting["normal"].requests, tokens(view)), (3, 9_700));
    // One that runs keeps what it has, and one that is not known is none.
    scheduler.step(at(5), resized(1, 10));
    scheduler.step(at(5), resized(9, 10));
    assert_eq!(scheduler.view(at(5)).tokens.used, 9_800);
    let commands = scheduler.step(at(6), ended(id(1), 1, 100, 6));
    let order = [(id(2), 1, 300), (id(3), 1, 400), (id(4), 1, 9_000)];
    assert_eq!(reserved(&commands), order);
}

#[test]
fn a_snoozed_request_stays_so() {
    let mut scheduler = idle();
    let mut late = waiting(1, 0, Normal, 9_000);
    late.not_before = Some(at(5_000));
    scheduler.step(at(0), Event::Arrived(late));
    assert_eq!(reserved(&scheduler.step(at(1), resized(1, 300))), []);
    assert_eq!(
        reserved(&scheduler.step(at(5_000), Event::Tick)),
        [(id(1), 1, 300)]
    );
}

#[test]
fn an_answer_cut_short_goes_again_before_its_tenants_others_with_what_it_needs_now() {
    let mut scheduler = idle();
    scheduler.step(at(0), Event::Arrived(waiting(1, 0, Normal, 600)));
    scheduler.step(at(1), started(id(1), 1, 1));
    scheduler.step(at(2), Event::Arrived(waiting(2, 2, Normal, 9_200)));
    scheduler.step(at(3), started(id(2), 1, 3));
    scheduler.step(at(4), Event::Arrived(waiting(3, 4, Normal, 500)));
    let cut = Event::Ended {
        request: id(1),
        call: CallNo::new(1),
        charged: Tokens::new(500),
        throttle: None,
        again: Again::Resized {
            reserve: Tokens::new(5_000),
            expected: Tokens::new(900),
            surplus: Tokens::ZERO,
        },
        health: CallHealth::Fine,
        at: at(1_000),
    };
    scheduler.step(at(1_000), cut);
    // That it was to cost less was told before its call, and comes late or again.
    scheduler.step(at(1_500), resized(1, 600));
    let commands = scheduler.step(at(2_000), ended(id(2), 1, 100, 2_000));
    assert_eq!(reserved(&commands), [(id(1), 2, 5_000), (id(3), 1, 500)]);
}
