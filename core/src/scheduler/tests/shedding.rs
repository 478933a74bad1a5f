//! Who makes room for whom at a bound.

use super::world::{at, config, id, lane, tenant, waiting};
use super::{ended, scheduler, started};
use crate::config::{Bound, Pacing};
use crate::fallback::HopCause;
use crate::ids::RequestId;
use crate::request::Priority::{self, Batch, Interactive, Normal};
use crate::scheduler::{Again, Command, Event, Scheduler, SchedulerConfig, Waiting};
use crate::units::Tokens;

/// A lane that sheds, in which one call runs and nothing else goes.
fn busy(change: impl FnOnce(&mut SchedulerConfig)) -> Scheduler {
    let mut config = config(lane(6_000_000, None, Pacing::Auto));
    config.lane.max_concurrency = 1;
    config.limits.shed = true;
    change(&mut config);
    let mut scheduler = scheduler(config);
    scheduler.step(at(0), Event::Arrived(one(1_000, Normal, "runs")));
    scheduler.step(at(0), started(id(1_000), 1, 0));
    scheduler
}

fn one(number: u64, priority: Priority, whose: &str) -> Waiting {
    Waiting {
        tenant: tenant(whose),
        ..waiting(number, number, priority, 100)
    }
}

fn most(requests: u64) -> Bound {
    Bound {
        requests: Some(requests),
        tokens: None,
    }
}

/// Whether it may come in, and who makes room for it.
fn comes(lane: &mut Scheduler, one: Waiting) -> (bool, Vec<RequestId>) {
    let mut commands = Vec::new();
    let comes = lane.admit(at(1), &one, &mut commands).is_ok();
    if comes {
        lane.step(at(1), Event::Arrived(one));
    }
    let gone = commands.iter().filter_map(|command| match command {
        Command::Fail { request, failure } => {
            assert_eq!(
                (failure.status, failure.exception.as_str()),
                (429, "ThrottlingException")
            );
            let [(name, seconds)] = failure.headers.as_slice() else {
                panic!("it says when to come back: {:?}", failure.headers)
            };
            assert_eq!(name, "retry-after");
            assert!((1..=900).contains(&seconds.parse::<u64>().unwrap()), "{seconds}");
            Some(*request)
        }
        Command::Expire { request } | Command::Leave { request, .. } => Some(*request),
        _ => None,
    });
    (comes, gone.collect())
}

#[test]
fn the_last_of_the_lowest_band_makes_room_and_its_own_band_does_not() {
    let mut lane = busy(|config| config.limits.lane = most(4));
    for (number, band) in [(1, Normal), (2, Batch), (3, Batch), (4, Normal)] {
        assert_eq!(comes(&mut lane, one(number, band, "a")), (true, Vec::new()));
    }
    assert_eq!(comes(&mut lane, one(5, Batch, "a")), (false, Vec::new()));
    assert_eq!(comes(&mut lane, one(6, Normal, "a")), (true, vec![id(3)]));
    assert_eq!(comes(&mut lane, one(7, Interactive, "b")), (true, vec![id(2)]));
    assert_eq!(
        comes(&mut lane, one(8, Interactive, "b")),
        (true, vec![id(6)]),
        "then normal"
    );
    assert_eq!(comes(&mut lane, one(9, Normal, "b")), (false, Vec::new()));
    let view = lane.view(at(1));
    assert_eq!((view.shed, view.waiting["interactive"].requests), (3, 2));
    assert_eq!(view.running, 1, "what runs goes on");
}

#[test]
fn it_is_the_tenants_of_which_most_waits() {
    let mut lane = busy(|config| config.limits.lane = most(5));
    for (number, whose) in [(1, "few"), (2, "many"), (3, "many"), (4, "many"), (5, "few")] {
        comes(&mut lane, one(number, Batch, whose));
    }
    assert_eq!(comes(&mut lane, one(6, Normal, "x")), (true, vec![id(4)]));
    assert_eq!(
        comes(&mut lane, one(7, Normal, "x")),
        (true, vec![id(5)]),
        "of two with as many"
    );
    let told = comes(&mut lane, one(8, Normal, "x"));
    assert_eq!(told, (true, vec![id(3)]));
}

#[test]
fn under_a_tenants_bound_its_own_makes_room_and_under_a_bands_nobodys() {
    let mut lane = busy(|config| config.limits.tenant = most(2));
    comes(&mut lane, one(1, Batch, "a"));
    comes(&mut lane, one(2, Batch, "b"));
    comes(&mut lane, one(3, Normal, "a"));
    assert_eq!(comes(&mut lane, one(4, Interactive, "a")), (true, vec![id(1)]));
    let mut lane = busy(|config| config.limits.bands[0] = most(1));
    comes(&mut lane, one(1, Batch, "a"));
    comes(&mut lane, one(2, Interactive, "a"));
    assert_eq!(comes(&mut lane, one(3, Interactive, "a")), (false, Vec::new()));
}

#[test]
fn what_has_expired_goes_first() {
    let mut lane = busy(|config| config.limits.lane = most(2));
    let mut short = one(1, Interactive, "a");
    short.latest_start = Some(at(50));
    comes(&mut lane, short);
    comes(&mut lane, one(2, Batch, "a"));
    let mut commands = Vec::new();
    assert!(
        lane.admit(at(60), &one(3, Interactive, "a"), &mut commands)
            .is_ok()
    );
    assert_eq!(commands, [Command::Expire { request: id(1) }]);
}

#[test]
fn as_many_go_as_are_needed_or_none() {
    let tokens = |config: &mut SchedulerConfig| config.limits.lane.tokens = Some(Tokens::new(1_000));
    let mut lane = busy(tokens);
    for number in 1..=10 {
        comes(
            &mut lane,
            one(number, if number > 6 { Batch } else { Interactive }, "a"),
        );
    }
    let mut large = one(20, Normal, "a");
    large.reserve = Tokens::new(350);
    assert_eq!(
        comes(&mut lane, large.clone()),
        (true, vec![id(10), id(9), id(8), id(7)])
    );
    large.id = id(21);
    large.priority = Interactive;
    large.reserve = Tokens::new(500);
    assert_eq!(
        comes(&mut lane, large),
        (false, Vec::new()),
        "350 is all there is to go"
    );
    assert_eq!(lane.view(at(1)).waiting["normal"].requests, 1);
}

#[test]
fn what_has_been_called_before_stays_and_a_chain_goes_on() {
    let mut lane = busy(|config| config.limits.lane = most(1));
    let mut end = ended(id(1_000), 1, 0, 5);
    if let Event::Ended { again, .. } = &mut end {
        *again = Again::NotBefore(at(5));
    }
    lane.step(at(5), end);
    // It goes again at once, and comes back again; now it waits behind another call.
    assert_eq!(lane.view(at(5)).released, 1);
    let mut chained = one(1, Batch, "a");
    chained.may_leave = true;
    assert!(comes(&mut lane, chained).0);
    let mut commands = Vec::new();
    assert!(lane.admit(at(6), &one(2, Normal, "a"), &mut commands).is_ok());
    let leave = Command::Leave {
        request: id(1),
        cause: HopCause::Shed,
    };
    assert_eq!(commands, [leave]);
    let mut back = one(3, Batch, "a");
    back.last_call = crate::ids::CallNo::new(2);
    lane.step(at(6), Event::Arrived(back));
    lane.step(
        at(6),
        Event::Left {
            request: id(2),
            why: crate::scheduler::Gone::Cancelled,
        },
    );
    assert_eq!(comes(&mut lane, one(4, Interactive, "a")), (false, Vec::new()));
}

#[test]
fn nothing_is_shed_unless_that_is_wanted() {
    let mut lane = busy(|config| {
        config.limits.lane = most(1);
        config.limits.shed = false;
    });
    comes(&mut lane, one(1, Batch, "a"));
    assert_eq!(comes(&mut lane, one(2, Interactive, "a")), (false, Vec::new()));
}
