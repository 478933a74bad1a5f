//! One request's way through the scheduler, and every way out of it.

use super::world::{at, config, id, lane, waiting};
use super::{ended, released, scheduler, started, throttled, wake};
use crate::call::Call;
use crate::config::Pacing;
use crate::ids::{CallNo, LaneId};
use crate::request::Priority::Normal;
use crate::scheduler::{Command, Event, Gone, Scheduler};
use crate::throttle::ThrottleCause;
use crate::units::Tokens;

pub(super) fn idle() -> Scheduler {
    scheduler(config(lane(60_000, None, Pacing::Auto)))
}

/// A scheduler whose quota is used up by request 1, which runs.
pub(super) fn busy() -> Scheduler {
    let mut scheduler = idle();
    scheduler.step(at(0), Event::Arrived(waiting(1, 0, Normal, 9_800)));
    scheduler.step(at(0), started(id(1), 1, 0));
    scheduler
}

fn left(number: u64, why: Gone) -> Event {
    let request = id(number);
    Event::Left { request, why }
}

#[test]
fn an_idle_lane_lets_an_arrival_go_at_once() {
    let commands = idle().step(at(5), Event::Arrived(waiting(1, 5, Normal, 100)));
    let [
        Command::Release {
            request,
            call,
            reserve,
            start_by,
        },
        Command::WakeAt(check),
    ] = commands.as_slice()
    else {
        panic!("{commands:?}");
    };
    assert_eq!((*request, call.get(), reserve.get()), (id(1), 1, 100));
    assert_eq!(*start_by, at(20_005));
    assert_eq!(*check, at(25_005));
}

#[test]
fn a_repeated_event_changes_nothing() {
    let mut scheduler = idle();
    for again in [false, true] {
        let commands = scheduler.step(at(0), Event::Arrived(waiting(1, 0, Normal, 100)));
        assert_eq!(released(&commands).is_empty(), again);
        let commands = scheduler.step(at(1), started(id(1), 1, 1));
        assert_eq!(released(&commands), []);
    }
    for _ in 0..2 {
        scheduler.step(at(500), ended(id(1), 1, 40, 500));
        let view = scheduler.view(at(500));
        assert_eq!((view.tokens.used, view.running, view.released), (40, 0, 0));
    }
    assert!(!scheduler.knows(id(1)));
}

#[test]
fn events_of_unknown_requests_change_nothing() {
    let mut scheduler = idle();
    let before = scheduler.view(at(0));
    for event in [
        started(id(7), 1, 0),
        ended(id(7), 1, 500, 0),
        left(7, Gone::Cancelled),
        Event::Lapsed {
            request: id(7),
            call: CallNo::new(1),
        },
        Event::Void {
            request: id(7),
            call: CallNo::new(1),
        },
    ] {
        assert_eq!(scheduler.step(at(0), event), []);
        assert_eq!(scheduler.view(at(0)), before);
    }
}

#[test]
fn an_unknown_request_that_may_wait_is_looked_at() {
    let mut scheduler = idle();
    let before = scheduler.view(at(0)).concurrency;
    let (request, call) = (id(7), CallNo::new(1));
    for event in [
        throttled(request, 1, ThrottleCause::Tokens, at(0)),
        Event::Unclaimed { request, call },
    ] {
        assert_eq!(scheduler.step(at(0), event), [Command::Check { request, call }]);
        assert_eq!(scheduler.view(at(0)).concurrency, before);
    }
}

#[test]
fn a_full_lane_says_when_to_come_back() {
    let mut scheduler = busy();
    let commands = scheduler.step(at(10), Event::Arrived(waiting(2, 10, Normal, 1_000)));
    assert_eq!(commands, [Command::WakeAt(at(1_000))]);
    let commands = scheduler.step(at(1_000), Event::Tick);
    assert_eq!(released(&commands), [(id(2), 1)]);
}

#[test]
fn a_settlement_lets_the_next_one_go() {
    let mut scheduler = busy();
    scheduler.step(at(10), Event::Arrived(waiting(2, 10, Normal, 1_000)));
    let commands = scheduler.step(at(300), ended(id(1), 1, 5_000, 300));
    assert_eq!(released(&commands), [(id(2), 1)]);
}

#[test]
fn a_throttled_request_goes_again_before_its_tenants_others() {
    let mut scheduler = busy();
    scheduler.step(at(10), Event::Arrived(waiting(2, 10, Normal, 1_000)));
    scheduler.step(at(11), Event::Arrived(waiting(3, 11, Normal, 1_000)));
    let commands = scheduler.step(at(20), throttled(id(1), 1, ThrottleCause::Tokens, at(600)));
    assert_eq!(released(&commands), [], "a refusal pauses the lane");
    let view = scheduler.view(at(20));
    assert_eq!(view.throttles["tokens"], 1);
    assert_eq!(view.waiting["normal"].requests, 3);
    assert_eq!(view.parked_until, Some(at(520)));
    // It is snoozed until 600; those behind it do not wait for that.
    assert_eq!(
        released(&scheduler.step(at(520), Event::Tick)),
        [(id(2), 1), (id(3), 1)]
    );
    for number in [2, 3] {
        scheduler.step(at(530), started(id(number), 1, 530));
    }
    let commands = scheduler.step(at(600), Event::Tick);
    assert_eq!(released(&commands), []);
    let commands = scheduler.step(wake(&commands).unwrap(), Event::Tick);
    assert_eq!(released(&commands), [(id(1), 2)]);
}

#[test]
fn returned_requests_stand_before_earlier_deadlines() {
    let mut scheduler = busy();
    let mut urgent = waiting(2, 10, Normal, 1_000);
    urgent.deadline = Some(at(5_000));
    scheduler.step(at(10), Event::Arrived(urgent));
    scheduler.step(at(20), throttled(id(1), 1, ThrottleCause::Tokens, at(20)));
    let commands = scheduler.step(at(520), Event::Tick);
    assert_eq!(released(&commands), [(id(1), 2)]);
}

#[test]
fn a_snoozed_request_goes_when_its_time_comes() {
    let mut scheduler = idle();
    let mut later = waiting(1, 0, Normal, 100);
    later.not_before = Some(at(700));
    assert_eq!(
        scheduler.step(at(0), Event::Arrived(later)),
        [Command::WakeAt(at(700))]
    );
    assert_eq!(scheduler.view(at(0)).waiting["normal"].requests, 1);
    assert_eq!(released(&scheduler.step(at(700), Event::Tick)), [(id(1), 1)]);
}

#[test]
fn a_deadline_or_latest_start_expires_what_waits() {
    for snoozed in [false, true] {
        let mut scheduler = busy();
        let mut one = waiting(2, 0, Normal, 9_000);
        one.deadline = Some(at(100));
        let mut two = waiting(3, 0, Normal, 9_000);
        two.latest_start = Some(at(200));
        if snoozed {
            one.not_before = Some(at(5_000));
            two.not_before = Some(at(5_000));
        }
        scheduler.step(at(0), Event::Arrived(one));
        let commands = scheduler.step(at(0), Event::Arrived(two));
        assert_eq!(wake(&commands), Some(at(100)));
        let expired = scheduler.step(at(100), Event::Tick);
        assert_eq!(expired[0], Command::Expire { request: id(2) });
        let expired = scheduler.step(at(200), Event::Tick);
        assert_eq!(expired[0], Command::Expire { request: id(3) });
        assert_eq!(scheduler.view(at(200)).waiting["normal"].requests, 0);
    }
}

#[test]
fn a_release_is_void_once_its_request_may_not_start() {
    let mut scheduler = idle();
    let mut one = waiting(1, 0, Normal, 100);
    one.latest_start = Some(at(3_000));
    let commands = scheduler.step(at(0), Event::Arrived(one));
    assert!(matches!(commands[0], Command::Release { start_by, .. } if start_by == at(3_000)));
}

#[test]
fn a_cancelled_request_frees_what_it_held_once_its_row_says_that_no_call_was_made() {
    let mut scheduler = idle();
    scheduler.step(at(0), Event::Arrived(waiting(1, 0, Normal, 9_800)));
    scheduler.step(at(0), Event::Arrived(waiting(2, 0, Normal, 9_000)));
    let commands = scheduler.step(at(1), left(1, Gone::Cancelled));
    let (request, call) = (id(1), CallNo::new(1));
    assert_eq!(commands[0], Command::Check { request, call });
    assert_eq!(released(&commands), []);
    let commands = scheduler.step(at(2), Event::Void { request, call });
    assert_eq!(released(&commands), [(id(2), 1)]);
    assert!(!scheduler.knows(id(1)));
}

#[test]
fn a_call_that_was_cancelled_before_its_start_is_told_keeps_its_charge_until_its_end() {
    let mut scheduler = idle();
    scheduler.step(at(0), Event::Arrived(waiting(1, 0, Normal, 9_800)));
    scheduler.step(at(0), Event::Arrived(waiting(2, 0, Normal, 9_000)));
    // Where events come in no order, its cancel may overtake its worker's word.
    scheduler.step(at(1), left(1, Gone::Cancelled));
    let commands = scheduler.step(at(2), started(id(1), 1, 0));
    assert_eq!(released(&commands), []);
    let view = scheduler.view(at(2));
    assert_eq!((view.running, view.tokens.used), (1, 9_800));
    let commands = scheduler.step(at(3), ended(id(1), 1, 100, 3));
    assert_eq!(released(&commands), [(id(2), 1)]);
    assert!(!scheduler.knows(id(1)));
}

#[test]
fn a_row_read_before_its_release_was_recorded_takes_nothing_of_it_back() {
    let mut config = config(lane(60_000, None, Pacing::Auto));
    config.lane.max_concurrency = 1;
    let mut scheduler = scheduler(config);
    // A holder took up the lane with a call under way whose end nobody told, and its request is back in line.
    scheduler.step(at(0), Event::Arrived(waiting(1, 0, Normal, 100)));
    scheduler.step(at(0), started(id(1), 1, 0));
    let mut back = waiting(1, 0, Normal, 100);
    back.last_call = CallNo::new(1);
    scheduler.step(at(1), Event::Arrived(back.clone()));
    scheduler.step(at(1), Event::Arrived(waiting(2, 1, Normal, 100)));
    // The call is settled as lost, which lets its request go again; its row was read before that.
    let commands = scheduler.step(at(2), ended(id(1), 1, 100, 2));
    assert_eq!(released(&commands), [(id(1), 2)]);
    for old in [left(1, Gone::Elsewhere), Event::Arrived(back)] {
        assert_eq!(released(&scheduler.step(at(2), old)), []);
        assert_eq!(scheduler.view(at(2)).concurrency.used, 1);
    }
    scheduler.step(at(3), started(id(1), 2, 3));
    let commands = scheduler.step(at(4), ended(id(1), 2, 100, 4));
    assert_eq!(released(&commands), [(id(2), 1)]);
}

#[test]
fn a_cancelled_call_keeps_its_charge_until_its_end() {
    let mut scheduler = busy();
    scheduler.step(at(1), left(1, Gone::Cancelled));
    let view = scheduler.view(at(1));
    assert_eq!((view.running, view.tokens.used), (1, 9_800));
    // The same id may come again meanwhile: its calls are told apart by their numbers.
    let mut back = waiting(1, 2, Normal, 100);
    back.last_call = CallNo::new(1);
    scheduler.step(at(2), Event::Arrived(back));
    let commands = scheduler.step(at(3), ended(id(1), 1, 4_000, 3));
    assert_eq!(released(&commands), [(id(1), 2)]);
    let view = scheduler.view(at(3));
    assert_eq!((view.running, view.released, view.tokens.used), (0, 1, 4_100));
}

#[test]
fn the_turn_of_a_minute_delays_nobody() {
    let turn = 60_000 - super::world::START % 60_000;
    for now in [turn - 400, turn, turn + 400] {
        let commands = idle().step(at(now), Event::Arrived(waiting(1, now, Normal, 9_000)));
        assert_eq!(released(&commands), [(id(1), 1)]);
    }
}

#[test]
fn after_a_restart_open_calls_count_until_their_end() {
    let mut scheduler = idle();
    let open = Call {
        request: id(7),
        number: CallNo::new(2),
        lane: LaneId::new("test").unwrap(),
        reserved: Tokens::new(5_000),
        charged_at: at(99_000),
        settlement: None,
    };
    let mut back = waiting(1, 0, Normal, 9_800);
    back.last_call = CallNo::new(3);
    scheduler.restore(at(100_000), vec![back], &[open], None);
    // The bucket is refilled from what the open call left of it.
    let commands = scheduler.step(at(100_000), Event::Tick);
    assert_eq!(commands, [Command::WakeAt(at(104_000))]);
    let commands = scheduler.step(at(100_001), ended(id(7), 2, 900, 100_001));
    assert_eq!(released(&commands), [(id(1), 4)]);
    assert_eq!(scheduler.view(at(100_001)).running, 0);
}

#[test]
fn a_latest_start_is_kept_by_the_first_start() {
    let mut scheduler = idle();
    let mut one = waiting(1, 0, Normal, 100);
    one.latest_start = Some(at(3_000));
    scheduler.step(at(0), Event::Arrived(one));
    scheduler.step(at(0), started(id(1), 1, 0));
    // Throttled after its start: it waits again, past the latest start of its first call.
    scheduler.step(at(2_000), throttled(id(1), 1, ThrottleCause::Tokens, at(6_000)));
    let (mut now, mut gone) = (at(2_000), Vec::new());
    while now < at(70_000) && gone.is_empty() {
        now = now + crate::units::Millis::new(500);
        let commands = scheduler.step(now, Event::Tick);
        assert!(
            !commands.iter().any(|c| matches!(c, Command::Expire { .. })),
            "expired at {now}"
        );
        gone = released(&commands);
    }
    assert_eq!(gone.len(), 1, "it never went again");
}

#[test]
fn a_request_that_waits_again_before_its_call_is_told_to_be_over_is_not_forgotten_with_it() {
    for heard_of_its_start in [true, false] {
        let mut scheduler = idle();
        scheduler.step(at(0), Event::Arrived(waiting(1, 0, Normal, 100)));
        if heard_of_its_start {
            scheduler.step(at(1), started(id(1), 1, 1));
        }
        // News of an earlier day changes nothing.
        scheduler.step(at(2), Event::Arrived(waiting(1, 0, Normal, 100)));
        assert_eq!(scheduler.view(at(2)).tokens.used, 100);

        let mut back = waiting(1, 0, Normal, 100);
        back.last_call = CallNo::new(1);
        let commands = scheduler.step(at(3), Event::Arrived(back));
        assert_eq!(released(&commands), [(id(1), 2)]);
        let view = scheduler.view(at(3));
        assert_eq!((view.tokens.used, view.released), (200, 1), "both calls count");

        scheduler.step(at(4), ended(id(1), 1, 30, 4));
        assert!(scheduler.knows(id(1)));
        scheduler.step(at(5), started(id(1), 2, 5));
        scheduler.step(at(6), ended(id(1), 2, 40, 6));
        let view = scheduler.view(at(6));
        assert_eq!((view.tokens.used, view.running, view.released), (70, 0, 0));
        assert!(!scheduler.knows(id(1)));
    }
}
