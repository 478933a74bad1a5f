//! Who is told at the door that it would be too late: whoever cannot be in time, and nobody who could have been.

use super::world::{Decides, Dice, Job, World, at, config, lane, tenant, waiting};
use super::{ended, scheduler, started};
use crate::config::{Admission, Pacing};
use crate::ids::RequestId;
use crate::ledger::tests::limiters::Kind;
use crate::request::Priority;
use crate::scheduler::{Command, Event, Late, Limit, Scheduler, TurnedAway, Waiting};
use crate::units::{Millis, Timestamp, Tokens};
use proptest::prelude::*;

/// A scheduler beside which somebody notes whom the door calls too late.
struct Watched {
    scheduler: Scheduler,
    /// They are sent away.
    refuses: bool,
    late: Vec<(RequestId, Late)>,
}

impl Decides for Watched {
    fn decide(&mut self, now: Timestamp, event: Event) -> Vec<Command> {
        if let Event::Arrived(one) = &event {
            let forecast = self.scheduler.forecast_of(now, one);
            assert!(forecast.earliest <= forecast.start, "{forecast:?}");
            let late = forecast.misses(one.latest_start, one.deadline);
            self.late.extend(late.map(|late| (one.id, late)));
            if late.is_some() && self.refuses {
                return self.scheduler.step(now, Event::Tick);
            }
        }
        self.scheduler.step(now, event)
    }
}

/// Requests of some tenants for up to eight times what the quota gives, of which one in `limited` has hardly any time.
pub(super) fn crowd(dice: &mut Dice, count: u64, limited: u64) -> Vec<Job> {
    // Of one tenant alone, or of three.
    let tenants = [1, 3][dice.below(2) as usize];
    let part = 1 + dice.below(4);
    let every = 100 + dice.below(600);
    let job = |number: u64| {
        let size = 500 + dice.below(3_000);
        let mut one = waiting(
            number,
            number * every,
            Priority::ALL[dice.below(3) as usize],
            size,
        );
        one.tenant = tenant(["a", "b", "c"][dice.below(tenants).min(dice.below(tenants)) as usize]);
        one.priority = Priority::ALL[if tenants == 1 { 1 } else { dice.below(3) as usize }];
        let spans = [2_000, 10_000, 60_000, 200_000];
        let mut span = || one.arrived_at + Millis::new(spans[dice.below(4) as usize]);
        let has_limit = number.is_multiple_of(limited);
        one.latest_start = (has_limit && (number / limited).is_multiple_of(2)).then(&mut span);
        one.deadline = (has_limit && (number / limited).is_multiple_of(3)).then(&mut span);
        Job {
            waiting: one,
            charged: size,
            // What is expected is too much for some lanes, and right for others.
            actual: size / part,
            lasts: 200 + dice.below(4_000),
        }
    };
    (0..count).map(job).collect()
}

/// A crowd before a lane, whose door refuses or does not.
fn watched(seed: u64, count: u64, limited: u64, refuses: bool) -> World<Watched> {
    let mut dice = Dice(seed);
    let mut config = config(lane(60_000, None, Pacing::Auto));
    if dice.below(2) == 0 {
        config.lane.max_concurrency = 1 + dice.below(12) as u32;
    }
    if dice.below(3) == 0 {
        config.caps.insert(tenant("a"), 1 + dice.below(3) as u32);
    }
    let jobs = crowd(&mut dice, count, limited);
    let scheduler = Watched {
        scheduler: Scheduler::new(config.clone(), at(0)),
        refuses,
        late: Vec::new(),
    };
    let mut world = World::of(scheduler, &config, Kind::Sliding, jobs);
    world.run();
    world
}

/// Tokens of all that went within its limits.
fn served(world: &World<Watched>) -> u64 {
    let went = world.jobs.iter().zip(&world.fates);
    let went = went.filter(|(_, fate)| fate.released.is_some());
    went.map(|(job, _)| job.actual).sum()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

    /// Where few have a limit, each of them may go before the others.
    #[test]
    fn nobody_is_called_too_late_who_would_have_been_in_time(seed in any::<u64>()) {
        let world = watched(seed, 700, 6, false);
        for (id, late) in &world.scheduler.late {
            let index = world.jobs.iter().position(|job| job.waiting.id == *id).unwrap();
            let went = world.fates[index].released.map(at);
            prop_assert!(
                went.is_none_or(|went| went > late.at),
                "{:?} went {went:?} and was called too late: {late:?}", world.jobs[index].waiting
            );
        }
    }

    /// Where most have one, who goes in time goes in somebody else's place: what is refused leaves no quota unused.
    #[test]
    fn a_door_that_refuses_loses_no_work(seed in any::<u64>()) {
        let (without, with) = (watched(seed, 400, 1, false), watched(seed, 400, 1, true));
        let (all, left) = (served(&without), served(&with));
        prop_assert!(
            left * 100 >= all * 97,
            "{left} of {all} tokens, with {} refused", with.scheduler.late.len()
        );
    }
}

#[test]
fn whoever_stands_far_behind_is_called_too_late() {
    let late = |seed| watched(seed, 700, 6, true).scheduler.late.len();
    let late: Vec<usize> = (0..12).map(late).collect();
    assert!(late.iter().filter(|late| **late > 10).count() >= 3, "{late:?}");
}

/// A lane of 60,000 tokens a minute in which ten minutes' work waits, and of whose calls enough is known.
fn behind_ten_minutes(admission: Admission) -> Scheduler {
    let mut config = config(lane(60_000, None, Pacing::Window));
    config.limits.admission = admission;
    let mut lane = scheduler(config);
    for number in 0..640 {
        lane.step(at(0), Event::Arrived(waiting(number, 0, Priority::Normal, 1_000)));
    }
    for number in 0..30 {
        lane.step(at(1), started(super::world::id(number), 1, 1));
        lane.step(at(900), ended(super::world::id(number), 1, 1_000, 900));
    }
    lane
}

fn one(max_wait: Option<u64>, timeout: Option<u64>) -> Waiting {
    let mut one = waiting(9_000, 1_000, Priority::Normal, 1_000);
    one.latest_start = max_wait.map(|ms| at(1_000 + ms));
    one.deadline = timeout.map(|ms| at(1_000 + ms));
    one
}

#[test]
fn the_first_limit_to_pass_is_named_with_the_forecast() {
    let mut lane = behind_ten_minutes(Admission::Refuse);
    let Err(TurnedAway::Late(late)) = lane.admit(at(1_000), &one(Some(120_000), None), &mut Vec::new())
    else {
        panic!("two minutes are too short");
    };
    assert_eq!((late.limit, late.at), (Limit::MaxWait, at(121_000)));
    let start = late.forecast.start.since(at(1_000)).get();
    assert!((570_000..620_000).contains(&start), "{start}");
    assert_eq!(late.forecast.position, 581, "580 wait");
    // Its deadline puts it at the head of its tenant; only its own longest wait could make it late.
    assert!(
        lane.admit(at(1_000), &one(None, Some(120_000)), &mut Vec::new())
            .is_ok()
    );
    // It is not sure that four minutes are too short.
    assert!(
        lane.admit(at(1_000), &one(Some(250_000), None), &mut Vec::new())
            .is_ok()
    );
    assert!(lane.admit(at(1_000), &one(None, None), &mut Vec::new()).is_ok());
}

#[test]
fn where_it_is_only_flagged_it_comes_in() {
    let mut lane = behind_ten_minutes(Admission::Flag);
    let late = one(Some(120_000), None);
    let forecast = lane.admit(at(1_000), &late, &mut Vec::new()).unwrap();
    let missed = forecast.misses(late.latest_start, late.deadline).unwrap();
    assert_eq!(missed.limit, Limit::MaxWait);
    lane.step(at(1_000), Event::Arrived(late.clone()));
    let known = lane.forecast(at(1_000), late.id).unwrap();
    assert!(
        known.misses(late.latest_start, late.deadline).is_some(),
        "also once it waits"
    );
}

#[test]
fn a_lane_of_which_nothing_is_known_refuses_nobody() {
    let mut lane = scheduler(config(lane(60_000, None, Pacing::Window)));
    for number in 0..640 {
        lane.step(at(0), Event::Arrived(waiting(number, 0, Priority::Normal, 1_000)));
    }
    assert!(
        lane.admit(at(1_000), &one(Some(1_000), None), &mut Vec::new())
            .is_ok()
    );
}

#[test]
fn another_tenant_is_not_late_for_a_crowd_that_is_not_its_own() {
    let mut lane = behind_ten_minutes(Admission::Refuse);
    let mut other = one(Some(5_000), None);
    other.tenant = tenant("other");
    let forecast = lane.admit(at(1_000), &other, &mut Vec::new()).unwrap();
    assert_eq!(forecast.position, 2);
    let mut higher = one(Some(5_000), None);
    higher.priority = Priority::Interactive;
    assert!(lane.admit(at(1_000), &higher, &mut Vec::new()).is_ok());
}

#[test]
fn a_snoozed_request_and_a_tenant_at_its_cap_have_their_forecast() {
    let mut config = config(lane(6_000_000, None, Pacing::Auto));
    config.caps.insert(tenant("capped"), 2);
    let mut lane = scheduler(config);
    let of = |number: u64| Waiting {
        tenant: tenant("capped"),
        ..waiting(number, 0, Priority::Normal, 1_000)
    };
    for number in 0..8 {
        lane.step(at(0), Event::Arrived(of(number)));
    }
    // Six wait for two calls at a time, each of five seconds as far as is known: the last for three rounds.
    let start = |lane: &Scheduler, number: u64| lane.forecast(at(0), super::world::id(number)).unwrap().start;
    assert_eq!(start(&lane, 2), at(2_500));
    assert_eq!(start(&lane, 7), at(15_000));
    let mut snoozed = of(20);
    snoozed.not_before = Some(at(60_000));
    lane.step(at(0), Event::Arrived(snoozed));
    let forecast = lane.forecast(at(0), super::world::id(20)).unwrap();
    assert_eq!((forecast.start, forecast.earliest), (at(60_000), at(60_000)));
    assert_eq!(forecast.position, 7);
    assert_eq!(
        lane.forecast_of(
            at(0),
            &Waiting {
                expected: Tokens::new(1),
                ..of(30)
            }
        )
        .position,
        7
    );
}
