//! What becomes of a call: claimed too late, refused inside its stream, never heard of.

use super::lifecycle::{busy, idle};
use super::world::{at, config, id, lane, waiting};
use super::{Again, ended, released, scheduler, started, throttled};
use crate::breaker::CallHealth;
use crate::config::Pacing;
use crate::ids::CallNo;
use crate::request::Priority::Normal;
use crate::scheduler::{Command, Event, Gone, Handing};
use crate::throttle::ThrottleCause;
use crate::units::{Millis, Tokens};

#[test]
fn a_release_not_heard_of_is_checked_until_answered() {
    let mut scheduler = idle();
    scheduler.step(at(0), Event::Arrived(waiting(1, 0, Normal, 9_800)));
    let check = Command::Check {
        request: id(1),
        call: CallNo::new(1),
    };
    assert_eq!(
        scheduler.step(at(24_999), Event::Tick),
        [Command::WakeAt(at(25_000))]
    );
    for now in [25_000, 30_000] {
        let commands = scheduler.step(at(now), Event::Tick);
        assert_eq!(commands, [check.clone(), Command::WakeAt(at(now + 5_000))]);
        // Its reservation is not freed before the row has been read.
        assert_eq!(scheduler.view(at(now)).tokens.used, 9_800);
    }
    let lapsed = Event::Lapsed {
        request: id(1),
        call: CallNo::new(1),
    };
    assert_eq!(
        released(&scheduler.step(at(30_001), lapsed.clone())),
        [(id(1), 2)]
    );
    // The same answer again is about a call that is no longer the current one.
    assert_eq!(released(&scheduler.step(at(30_002), lapsed)), []);
    assert_eq!(scheduler.view(at(30_002)).released, 1);
}

#[test]
fn a_release_that_was_claimed_too_late_is_checked_at_once() {
    let mut scheduler = idle();
    scheduler.step(at(0), Event::Arrived(waiting(1, 0, Normal, 9_800)));
    let unclaimed = |call| Event::Unclaimed {
        request: id(1),
        call: CallNo::new(call),
    };
    let check = Command::Check {
        request: id(1),
        call: CallNo::new(1),
    };
    // Told of another call, it waits for its time.
    let commands = scheduler.step(at(20_001), unclaimed(2));
    assert_eq!(commands, [Command::WakeAt(at(25_000))]);
    let commands = scheduler.step(at(20_001), unclaimed(1));
    assert_eq!(commands, [check, Command::WakeAt(at(25_001))]);
    // Only the row frees the reservation: it may have been claimed by another worker all the same.
    assert_eq!(scheduler.view(at(20_001)).tokens.used, 9_800);
    scheduler.step(at(20_002), started(id(1), 1, 20_000));
    let commands = scheduler.step(at(20_003), unclaimed(1));
    assert!(
        !commands.iter().any(|c| matches!(c, Command::Check { .. })),
        "a call that runs is not in doubt: {commands:?}"
    );
}

#[test]
fn a_throttle_inside_an_accepted_stream_keeps_its_charge() {
    let mut scheduler = idle();
    scheduler.step(at(0), Event::Arrived(waiting(1, 0, Normal, 5_000)));
    scheduler.step(at(0), started(id(1), 1, 0));
    scheduler.step(
        at(1_000),
        Event::Ended {
            request: id(1),
            call: CallNo::new(1),
            charged: Tokens::new(3_000),
            throttle: Some(ThrottleCause::Tokens),
            again: Again::NotBefore(at(9_000)),
            health: CallHealth::Fine,
            at: at(1_000),
        },
    );
    let view = scheduler.view(at(1_000));
    assert_eq!((view.running, view.throttles["tokens"]), (0, 1));
    assert_eq!(view.tokens.used, 3_000);
    // A refusal at the door cost nothing.
    let mut scheduler = busy();
    scheduler.step(at(1_000), throttled(id(1), 1, ThrottleCause::Tokens, at(9_000)));
    assert_eq!(scheduler.view(at(1_000)).tokens.used, 0);
}

#[test]
fn a_call_whose_end_is_never_told_is_written_off() {
    let mut scheduler = busy();
    let long_after = 600_000 + 60_000;
    let before = scheduler.step(at(long_after - 1), Event::Tick);
    assert_eq!(before, [Command::WakeAt(at(long_after))]);
    assert_eq!(scheduler.view(at(long_after - 1)).running, 1);
    let lose = Command::Lose {
        request: id(1),
        call: CallNo::new(1),
        reserve: Tokens::new(9_800),
    };
    let commands = scheduler.step(at(long_after), Event::Tick);
    let ask_again = at(long_after + 60_000);
    assert_eq!(commands, [lose.clone(), Command::WakeAt(ask_again)]);
    // A store that failed is asked again, by the next holder too: until there is an answer the call is under way.
    assert_eq!(scheduler.snapshot(at(long_after)).under_way(), 1);
    assert_eq!(scheduler.step(ask_again, Event::Tick)[0], lose);
    // Told at last, it ends as it should.
    let commands = scheduler.step(ask_again, ended(id(1), 1, 9_800, long_after));
    assert!(!scheduler.knows(id(1)));
    assert_eq!(scheduler.view(ask_again).running, 0);
    assert_eq!(commands, []);
}

#[test]
fn a_lost_call_of_a_request_that_has_left_is_asked_for_too() {
    let mut scheduler = busy();
    let gone = Event::Left {
        request: id(1),
        why: Gone::Cancelled,
    };
    scheduler.step(at(10), gone);
    // Its slowness was told to the breaker, its loss is told to whoever reads the row.
    scheduler.step(at(120_001), Event::Tick);
    let commands = scheduler.step(at(660_000), Event::Tick);
    assert!(
        matches!(commands[0], Command::Lose { request, .. } if request == id(1)),
        "{commands:?}"
    );
    let commands = scheduler.step(at(660_001), ended(id(1), 1, 9_800, 660_000));
    assert_eq!(commands, [], "nothing is left to look at");
}

#[test]
fn no_more_is_released_than_may_be_unclaimed_until_a_claim_or_a_lapse_makes_room() {
    let mut config = config(lane(60_000, None, Pacing::Auto));
    config.handing = Handing {
        most_unclaimed: 2,
        start_within: Millis::from_secs(90),
        ..Handing::default()
    };
    let mut scheduler = scheduler(config);
    for number in 1..=2 {
        let commands = scheduler.step(at(0), Event::Arrived(waiting(number, 0, Normal, 100)));
        assert_eq!(released(&commands), [(id(number), 1)]);
        let until = commands.iter().find_map(|command| match command {
            Command::Release { start_by, .. } => Some(*start_by),
            _ => None,
        });
        assert_eq!(until, Some(at(90_000)));
    }
    for number in 3..=4 {
        let commands = scheduler.step(at(0), Event::Arrived(waiting(number, 0, Normal, 100)));
        assert_eq!(released(&commands), []);
    }
    let commands = scheduler.step(at(10), started(id(1), 1, 10));
    assert_eq!(released(&commands), [(id(3), 1)]);
    let lapsed = Event::Lapsed {
        request: id(2),
        call: CallNo::new(1),
    };
    // What comes back goes before its tenant's others, and takes the room it has made.
    assert_eq!(released(&scheduler.step(at(20), lapsed)), [(id(2), 2)]);
    assert_eq!(scheduler.view(at(20)).released, 2);
}
