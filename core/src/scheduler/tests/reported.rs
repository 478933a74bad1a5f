//! The door where only a report of the lane answers.

use super::admission::crowd;
use super::world::{Decides, Dice, Job, World, at, config, id, lane, tenant, waiting};
use super::{ended, scheduler, started, throttled};
use crate::config::{Admission, Bound, Pacing};
use crate::ids::RequestId;
use crate::ledger::tests::limiters::Kind;
use crate::ports::Counted;
use crate::request::Priority::{self, Batch, Interactive, Normal};
use crate::scheduler::{Command, Event, LaneReport, Limit, Scheduler, SchedulerConfig, TurnedAway, Waiting};
use crate::throttle::ThrottleCause;
use crate::units::{Millis, Timestamp, Tokens};
use proptest::prelude::*;

/// A lane as a holder has it, in which one call runs and nothing else goes.
fn busy(change: impl FnOnce(&mut SchedulerConfig)) -> Scheduler {
    let mut config = config(lane(6_000_000, None, Pacing::Auto));
    config.lane.max_concurrency = 1;
    config.window = Some(4);
    change(&mut config);
    let mut lane = scheduler(config);
    lane.step(at(0), Event::Arrived(one(1_000, Normal, "runs")));
    lane.step(at(0), started(id(1_000), 1, 0));
    lane
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

/// As it is written down and read again.
fn report(lane: &Scheduler) -> LaneReport {
    let text = serde_json::to_string(&lane.report(at(1))).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// The bound that keeps it out, what it is and how much waits; `None` where it may come in.
fn full(lane: &Scheduler, newcomer: Waiting) -> Option<(&'static str, u64, u64)> {
    match report(lane).admit(&lane.config, &newcomer) {
        Ok(_) => None,
        Err(TurnedAway::Full(full)) => Some((full.key(), full.bound, full.waiting)),
        Err(TurnedAway::Late(late)) => panic!("{late:?}"),
    }
}

fn arrive(lane: &mut Scheduler, count: u64, priority: Priority, whose: &str) {
    let first = lane.table.known() as u64;
    for number in first..first + count {
        lane.step(at(1), Event::Arrived(one(number, priority, whose)));
    }
}

#[test]
fn a_tenant_is_held_to_its_bound_and_the_others_to_theirs() {
    let mut lane = busy(|config| {
        config.limits.tenant = most(3);
        config.bounds.insert(tenant("a"), most(2));
    });
    arrive(&mut lane, 2, Batch, "a");
    arrive(&mut lane, 2, Normal, "b");
    assert_eq!(
        full(&lane, one(50, Interactive, "a")),
        Some(("tenants.*.max_waiting", 2, 2))
    );
    assert_eq!(full(&lane, one(50, Interactive, "b")), None);
    arrive(&mut lane, 1, Batch, "b");
    assert_eq!(
        full(&lane, one(50, Interactive, "b")),
        Some(("limits.tenant_waiting", 3, 3))
    );
    assert_eq!(
        full(&lane, one(50, Interactive, "c")),
        None,
        "nothing of it waits"
    );
}

#[test]
fn those_nearest_to_their_bound_are_told_of_and_the_report_stays_small() {
    let mut lane = busy(|config| config.limits.tenant = most(1_000));
    lane.config.bounds.insert(tenant("small"), most(2));
    for number in 0..300 {
        let whose = format!("tenant-{number}");
        arrive(&mut lane, 3, Batch, &whose);
    }
    arrive(&mut lane, 2, Batch, "small");
    assert!(full(&lane, one(9_000, Batch, "small")).is_some());
    let written = serde_json::to_string(&lane.report(at(1))).unwrap().len();
    assert!(written < 16_000, "{written} bytes");
}

#[test]
fn what_waits_beyond_the_window_counts() {
    let mut lane = busy(|config| config.limits.tenant = most(10));
    arrive(&mut lane, 10, Batch, "a");
    assert_eq!(lane.report(at(1)).view.waiting["batch"].requests, 10);
    assert_eq!(
        full(&lane, one(50, Batch, "a")),
        Some(("limits.tenant_waiting", 10, 10))
    );
    // One of them is read and comes into the window: that makes it no more.
    lane.comes_from_beyond(Batch, &tenant("a"), Tokens::new(100));
    assert_eq!(full(&lane, one(50, Batch, "a")), None);
    let counted = |requests| Counted {
        requests,
        last_due: Some(at(9)),
    };
    lane.counted(Batch, &tenant("a"), counted(30));
    assert_eq!(
        full(&lane, one(50, Batch, "a")),
        Some(("limits.tenant_waiting", 10, 30))
    );
    assert_eq!(lane.report(at(1)).view.waiting["batch"].tokens, 3_000);
    lane.counted(Batch, &tenant("a"), counted(5));
    assert_eq!(full(&lane, one(50, Batch, "a")), None);
    lane.counted(Batch, &tenant("a"), counted(12));
    let all_read = Event::Refilled {
        priority: Batch,
        tenant: tenant("a"),
        more: false,
    };
    lane.step(at(2), all_read);
    assert_eq!(lane.report(at(2)).view.waiting["batch"].requests, 4);
}

/// Who gives way for one that was let in elsewhere and has come.
fn gone_for(lane: &mut Scheduler, arrived: &Waiting) -> Vec<RequestId> {
    lane.step(at(2), Event::Arrived(arrived.clone()));
    let mut commands = Vec::new();
    lane.make_room_for_arrived(at(2), arrived, &mut commands);
    let gone = commands.iter().filter_map(|command| match command {
        Command::Fail { request, .. } => Some(*request),
        _ => None,
    });
    gone.collect()
}

#[test]
fn whoever_could_have_room_made_is_let_in_and_has_it_made_once_it_has_come() {
    let mut lane = busy(|config| {
        config.limits.lane = most(3);
        config.limits.shed = true;
    });
    arrive(&mut lane, 3, Batch, "a");
    assert_eq!(
        full(&lane, one(50, Batch, "b")),
        Some(("limits.waiting", 3, 3)),
        "of its own band"
    );
    let urgent = one(50, Interactive, "b");
    assert_eq!(full(&lane, urgent.clone()), None);
    assert_eq!(gone_for(&mut lane, &urgent), [id(3)]);
    assert_eq!(gone_for(&mut lane, &urgent), [], "its event comes twice");
    for number in 51..53 {
        assert_eq!(gone_for(&mut lane, &one(number, Interactive, "b")).len(), 1);
    }
    assert_eq!(
        full(&lane, one(60, Interactive, "b")),
        Some(("limits.waiting", 3, 3)),
        "none is left"
    );
    // Two doors let one in by the same report: it was accepted, and waits beyond the bound.
    assert_eq!(gone_for(&mut lane, &one(60, Interactive, "b")), []);
    assert_eq!(lane.view(at(2)).waiting["interactive"].requests, 4);
}

#[test]
fn whoever_has_come_wants_room_as_it_would_have_at_the_door() {
    let mut lane = busy(|config| {
        config.limits.lane = most(3);
        config.limits.shed = true;
    });
    let urgent = one(50, Interactive, "b");
    arrive(&mut lane, 2, Batch, "a");
    assert!(!lane.wants_room(at(2), &urgent), "there is some");
    lane.step(at(2), Event::Arrived(urgent.clone()));
    assert!(!lane.wants_room(at(2), &urgent), "it has it");
    let next = one(51, Interactive, "b");
    assert!(lane.wants_room(at(2), &next));
    lane.step(at(2), Event::Arrived(next.clone()));
    assert!(lane.wants_room(at(2), &next), "it has none yet");
    let mut commands = Vec::new();
    lane.make_room_for_arrived(at(2), &next, &mut commands);
    assert!(!lane.wants_room(at(2), &next));
}

#[test]
fn under_a_tenants_bound_only_its_own_would_make_room() {
    let mut lane = busy(|config| {
        config.limits.tenant = most(2);
        config.limits.shed = true;
    });
    arrive(&mut lane, 2, Normal, "a");
    arrive(&mut lane, 2, Batch, "b");
    assert_eq!(
        full(&lane, one(50, Normal, "a")),
        Some(("limits.tenant_waiting", 2, 2))
    );
    assert_eq!(full(&lane, one(50, Interactive, "a")), None);
    assert_eq!(gone_for(&mut lane, &one(50, Interactive, "a")), [id(2)]);
}

#[test]
fn a_lane_that_does_not_shed_gives_nobody_up() {
    let mut lane = busy(|config| config.limits.lane = most(1));
    arrive(&mut lane, 3, Batch, "a");
    assert!(full(&lane, one(50, Interactive, "b")).is_some());
    assert_eq!(gone_for(&mut lane, &one(50, Interactive, "b")), []);
}

/// A lane of one call at a time, of whose calls enough is known, in which as many wait.
fn slow(count: u64, change: impl FnOnce(&mut SchedulerConfig)) -> Scheduler {
    let mut lane = busy(|config| {
        config.window = Some(64);
        change(config);
    });
    lane.step(at(10_000), ended(id(1_000), 1, 100, 10_000));
    for number in 2_000..2_030 {
        let now = 10_000 * (number - 1_998);
        lane.step(at(now), Event::Arrived(one(number, Normal, "a")));
        lane.step(at(now), started(id(number), 1, now));
        lane.step(at(now + 10_000), ended(id(number), 1, 100, now + 10_000));
    }
    for number in 0..count {
        lane.step(at(400_000), Event::Arrived(waits(number, "a")));
    }
    lane
}

fn waits(number: u64, whose: &str) -> Waiting {
    Waiting {
        arrived_at: at(400_000 + number),
        ..one(number, Normal, whose)
    }
}

fn hurried(number: u64, whose: &str) -> Waiting {
    Waiting {
        latest_start: Some(at(401_000 + number)),
        ..waits(number, whose)
    }
}

#[test]
fn whoever_cannot_be_in_time_is_told_by_the_report_too() {
    let lane = slow(40, |_| ());
    let report = lane.report(at(400_100));
    let Err(TurnedAway::Late(late)) = report.admit(&lane.config, &hurried(500, "a")) else {
        panic!("it would have to pass forty");
    };
    assert_eq!((late.limit, late.at), (Limit::MaxWait, at(401_500)));
    assert!(late.forecast.earliest > at(440_000), "{late:?}");
    assert!(
        report.admit(&lane.config, &waits(500, "a")).is_ok(),
        "it has time"
    );
    assert!(
        report.admit(&lane.config, &hurried(500, "b")).is_ok(),
        "nothing stands before it"
    );

    let lane = slow(40, |config| config.limits.admission = Admission::Flag);
    let told = lane
        .report(at(400_100))
        .admit(&lane.config, &hurried(500, "a"))
        .unwrap();
    let late = told.misses(Some(at(401_500)), None).unwrap();
    assert_eq!(late.limit, Limit::MaxWait);
}

#[test]
fn behind_what_is_beyond_the_window_it_is_later_still() {
    let lane = slow(400, |_| ());
    let told = lane.report(at(400_500));
    // Those in the window last 64 × 10 s, at best half of that.
    let best = told.at_best(&hurried(900, "a"));
    assert!(best > at(400_000 + 64 * 10_000), "{best:?}");
}

#[test]
fn nobody_is_too_late_for_a_lane_that_is_shut_who_may_go_on_elsewhere() {
    let mut lane = busy(|_| ());
    lane.step(at(1), throttled(id(1_000), 1, ThrottleCause::Day, at(1)));
    let report = report(&lane);
    let mut short = one(50, Normal, "a");
    short.latest_start = Some(at(2_000));
    assert!(
        matches!(report.admit(&lane.config, &short), Err(TurnedAway::Late(_))),
        "{report:?}"
    );
    short.may_leave = true;
    assert!(report.admit(&lane.config, &short).is_ok());
}

#[test]
fn a_report_of_an_earlier_version_keeps_nobody_out() {
    let lane = slow(40, |config| config.limits.tenant = most(2));
    let mut old = serde_json::to_value(lane.report(at(400_100))).unwrap();
    for name in ["opens", "tenants"] {
        old.as_object_mut().unwrap().remove(name);
    }
    let old: LaneReport = serde_json::from_value(old).unwrap();
    assert!(old.admit(&lane.config, &hurried(500, "a")).is_ok());
}

/// A lane beside which somebody compares what its report says with what it says itself.
struct Compared {
    scheduler: Scheduler,
    later: Vec<(Waiting, Timestamp, Timestamp)>,
    bounded: u64,
}

impl Decides for Compared {
    fn decide(&mut self, now: Timestamp, event: Event) -> Vec<Command> {
        if let Event::Arrived(one) = &event {
            let told = self.scheduler.report(now).at_best(one);
            let itself = self.scheduler.forecast_of(now, one).earliest;
            self.bounded += u64::from(told > now + Millis::from_secs(1));
            if told > itself {
                self.later.push((one.clone(), told, itself));
            }
        }
        self.scheduler.step(now, event)
    }
}

fn compared(seed: u64) -> World<Compared> {
    let mut dice = Dice(seed);
    let mut config = config(lane(60_000, None, Pacing::Auto));
    config.lane.max_concurrency = 1 + dice.below(12) as u32;
    let jobs: Vec<Job> = crowd(&mut dice, 300, 2);
    let compared = Compared {
        scheduler: Scheduler::new(config.clone(), at(0)),
        later: Vec::new(),
        bounded: 0,
    };
    let mut world = World::of(compared, &config, Kind::Sliding, jobs);
    world.run();
    world
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, ..ProptestConfig::default() })]

    /// So whoever is refused by a report would have been refused by the lane itself.
    #[test]
    fn a_report_never_says_later_than_the_lane_itself(seed in any::<u64>()) {
        let world = compared(seed);
        prop_assert!(world.scheduler.later.is_empty(), "{:?}", world.scheduler.later.first());
    }
}

#[test]
fn a_report_does_say_something() {
    let says: u64 = (0..6).map(|seed| compared(seed).scheduler.bounded).sum();
    assert!(says > 100, "{says}");
}
