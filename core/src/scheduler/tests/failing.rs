//! Requests that no wait would let through.

use super::lifecycle::{busy, idle};
use super::world::{at, config, id, lane, waiting};
use super::{ended, released, scheduler, started, throttled, wake};
use crate::config::Pacing;
use crate::fallback::HopCause;
use crate::ids::TenantId;
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

#[test]
fn a_lane_that_is_not_configured_any_more_calls_nobody_and_keeps_nobody() {
    let gone =
        crate::config::LaneConfig::gone(crate::ids::LaneId::new("haiku").unwrap(), Millis::from_secs(900));
    let mut scheduler = scheduler(config(gone));
    let chained = |number| Waiting {
        may_leave: true,
        has_next_lane: true,
        ..waiting(number, 0, Normal, 500)
    };
    let deadline = Waiting {
        deadline: Some(at(1)),
        ..waiting(4, 0, Normal, 0)
    };
    scheduler.take_up(at(2), &[waiting(1, 0, Batch, 0), chained(2), deadline], &[]);
    let mut commands = scheduler.step(at(2), Event::Tick);
    commands.extend(scheduler.step(at(3), Event::Arrived(waiting(3, 3, Normal, 500))));
    assert_eq!(released(&commands), []);
    let (cause, failed) = (HopCause::LaneGone, |number| {
        commands.iter().any(|command| {
            matches!(command, Command::Fail { request, failure }
            if *request == id(number) && failure.status == 503 && failure.message.contains("[lanes.haiku]"))
        })
    });
    let request = id(2);
    assert!(commands.contains(&Command::Leave { request, cause }));
    assert!(failed(1) && failed(3), "{commands:?}");
    assert!(commands.contains(&Command::Expire { request: id(4) }));
    assert!((1..=4).all(|number| !scheduler.knows(id(number))));
}

#[test]
fn a_full_lane_that_is_gone_is_emptied_in_several_steps() {
    let gone =
        crate::config::LaneConfig::gone(crate::ids::LaneId::new("haiku").unwrap(), Millis::from_secs(900));
    let mut scheduler = scheduler(config(gone));
    let many: Vec<_> = (1..=300).map(|number| waiting(number, 0, Normal, 9)).collect();
    scheduler.take_up(at(0), &many, &[]);
    let first = scheduler.step(at(0), Event::Tick);
    assert!(
        first
            .iter()
            .any(|command| matches!(command, Command::WakeAt(when) if *when == at(1)))
    );
    let second = scheduler.step(at(1), Event::Tick);
    let failed = |commands: &[Command]| {
        let fails = |command: &&Command| matches!(command, Command::Fail { .. });
        commands.iter().filter(fails).count()
    };
    assert_eq!((failed(&first), failed(&second)), (256, 44));
}

#[test]
fn a_tenant_at_its_cap_leaves_a_lane_that_is_gone_too() {
    let capped = |lane| {
        let mut config = config(lane);
        config.caps.insert(TenantId::default(), 1);
        scheduler(config)
    };
    let mut before = capped(lane(60_000, None, Pacing::Auto));
    before.step(at(0), Event::Arrived(waiting(1, 0, Normal, 500)));
    before.step(at(0), started(id(1), 1, 0));
    let left = before.snapshot(at(1));

    let haiku = crate::ids::LaneId::new("haiku").unwrap();
    let mut gone = capped(crate::config::LaneConfig::gone(haiku, Millis::from_secs(900)));
    gone.resume(at(2), &left);
    gone.take_up(at(2), &[waiting(2, 0, Normal, 500)], &[]);
    let commands = gone.step(at(2), Event::Tick);
    assert!(
        matches!(&commands[0], Command::Fail { request, .. } if *request == id(2)),
        "{commands:?}"
    );
    assert_eq!(gone.view(at(2)).running, 1, "its call is waited for");
}
