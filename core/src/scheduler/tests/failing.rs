//! Requests that no wait would let through.

use super::lifecycle::{busy, idle};
use super::world::{at, config, id, lane, waiting};
use super::{ended, released, scheduler, started, throttled, wake};
use crate::config::Pacing;
use crate::fallback::HopCause;
use crate::request::Priority::{Batch, Normal};
use crate::scheduler::{Command, Event, Waiting};
use crate::throttle::ThrottleCause;
use crate::units::{Millis, TokensPerMinute};

#[test]
fn what_can_never_fit_fails_naming_the_limit() {
    let mut scheduler = idle();
    let commands = scheduler.step(at(0), Event::Arrived(waiting(1, 0, Normal, 60_001)));
    assert!(matches!(&commands[0], Command::Fail { failure, .. }
        if failure.status == 400 && failure.message.contains("tokens_per_minute is 60000")));
    assert!(!scheduler.knows(id(1)));
}

#[test]
fn what_can_never_fit_goes_on_in_its_chain_while_that_lasts() {
    let mut scheduler = busy();
    let chained = |number, reserve| {
        Event::Arrived(Waiting {
            may_leave: true,
            ..waiting(number, 0, Normal, reserve)
        })
    };
    let leaves = |number| Command::Leave {
        request: id(number),
        cause: HopCause::TooLarge,
    };
    assert!(scheduler.step(at(0), chained(2, 60_001)).contains(&leaves(2)));
    scheduler.step(at(0), chained(3, 50_000));
    let mut smaller = config(lane(60_000, None, Pacing::Auto));
    smaller.lane.tokens_per_minute = TokensPerMinute::new(40_000);
    scheduler.reconfigure(at(1), smaller);
    assert!(scheduler.step(at(1), Event::Tick).contains(&leaves(3)));
    assert!(!scheduler.knows(id(2)) && !scheduler.knows(id(3)));
}

#[test]
fn a_quota_made_smaller_fails_what_no_longer_fits() {
    let mut scheduler = busy();
    scheduler.step(at(0), Event::Arrived(waiting(2, 0, Normal, 50_000)));
    let mut smaller = config(lane(60_000, None, Pacing::Auto));
    smaller.lane.tokens_per_minute = TokensPerMinute::new(40_000);
    scheduler.reconfigure(at(1), smaller);
    let commands = scheduler.step(at(1), Event::Tick);
    assert!(matches!(&commands[0], Command::Fail { request, .. } if *request == id(2)));
}

#[test]
fn larger_than_the_burst_it_fails_after_three_refusals_alone() {
    let mut scheduler = scheduler(config(lane(60_000, None, Pacing::Bucket { seconds: 10 })));
    scheduler.step(at(0), Event::Arrived(waiting(2, 0, Normal, 20)));
    scheduler.step(at(0), started(id(2), 1, 0));
    let mut commands = scheduler.step(at(100), Event::Arrived(waiting(1, 100, Batch, 30_000)));
    let mut now = at(100);
    for call in 1..=4 {
        assert_eq!(released(&commands), [(id(1), call)]);
        commands = scheduler.step(now, throttled(id(1), call, ThrottleCause::Tokens, now));
        if call == 1 {
            // The first went beside another call: that refusal proves nothing, but it goes alone from now on.
            now = now + Millis::from_secs(30);
            assert_eq!(released(&scheduler.step(now, Event::Tick)), []);
            commands = scheduler.step(now, ended(id(2), 1, 20, 0));
        } else if call < 4 {
            now = wake(&commands).unwrap();
            commands = scheduler.step(now, Event::Tick);
        }
    }
    let Command::Fail { request, failure } = &commands[0] else {
        panic!("{commands:?}")
    };
    assert_eq!(*request, id(1));
    assert!(
        failure.message.contains("bursts of about 9800 tokens"),
        "{}",
        failure.message
    );
    assert_eq!(scheduler.view(now).waiting["batch"].requests, 0);
}
