//! Bounds on what waits: who is let in at the door, and who is told to come back.

use super::world::{at, config, id, lane, tenant, waiting};
use super::{ended, scheduler, started};
use crate::breaker::Hand;
use crate::config::{Bound, Pacing};
use crate::request::Priority;
use crate::scheduler::{
    Again, Event, Forecast, Full, Gone, Measure, Scheduler, SchedulerConfig, Scope, TurnedAway, Waiting,
};
use crate::units::Tokens;

/// A lane in which one call runs and nothing else goes.
fn busy(change: impl FnOnce(&mut SchedulerConfig)) -> Scheduler {
    let mut config = config(lane(6_000_000, None, Pacing::Auto));
    config.lane.max_concurrency = 1;
    change(&mut config);
    let mut scheduler = scheduler(config);
    comes(&mut scheduler, waiting(1_000, 0, Priority::Normal, 10)).unwrap();
    scheduler.step(at(0), started(id(1_000), 1, 0));
    scheduler
}

/// Asks at the door, and comes in where it may; else the bound's key, the bound and what waits.
fn comes(scheduler: &mut Scheduler, one: Waiting) -> Result<(), (&'static str, u64, u64)> {
    full(scheduler.admit(at(1), &one, &mut Vec::new()))
        .map_or(Ok(()), |full| Err((full.key(), full.bound, full.waiting)))?;
    scheduler.step(at(1), Event::Arrived(one));
    Ok(())
}

fn full(said: Result<Forecast, TurnedAway>) -> Option<Full> {
    match said {
        Ok(_) => None,
        Err(TurnedAway::Full(full)) => Some(full),
        Err(TurnedAway::Late(late)) => panic!("{late:?}"),
    }
}

fn requests(most: u64) -> Bound {
    Bound {
        requests: Some(most),
        tokens: None,
    }
}

fn tokens(most: u64) -> Bound {
    Bound {
        requests: None,
        tokens: Some(Tokens::new(most)),
    }
}

fn one(number: u64, priority: Priority, reserve: u64) -> Waiting {
    waiting(number, number, priority, reserve)
}

#[test]
fn a_bands_bound_is_its_own() {
    let mut lane = busy(|config| config.limits.bands[2] = requests(2));
    assert_eq!(comes(&mut lane, one(1, Priority::Batch, 100)), Ok(()));
    assert_eq!(comes(&mut lane, one(2, Priority::Batch, 100)), Ok(()));
    assert_eq!(
        comes(&mut lane, one(3, Priority::Batch, 100)),
        Err(("limits.batch_waiting", 2, 2))
    );
    assert_eq!(comes(&mut lane, one(4, Priority::Normal, 100)), Ok(()));
    lane.step(
        at(2),
        Event::Left {
            request: id(1),
            why: Gone::Cancelled,
        },
    );
    assert_eq!(comes(&mut lane, one(3, Priority::Batch, 100)), Ok(()));
}

#[test]
fn tokens_are_bound_too_and_one_may_always_wait() {
    let mut lane = busy(|config| config.limits.lane = tokens(500));
    assert_eq!(comes(&mut lane, one(1, Priority::Batch, 9_000)), Ok(()));
    assert_eq!(
        comes(&mut lane, one(2, Priority::Interactive, 1)),
        Err(("limits.waiting_tokens", 500, 9_000))
    );
    let mut lane = busy(|config| config.limits.lane = tokens(500));
    assert_eq!(comes(&mut lane, one(1, Priority::Batch, 300)), Ok(()));
    assert_eq!(comes(&mut lane, one(2, Priority::Normal, 200)), Ok(()));
    assert!(comes(&mut lane, one(3, Priority::Normal, 1)).is_err());
}

#[test]
fn a_tenant_has_its_own_bound_or_everybodys() {
    let mut lane = busy(|config| {
        config.limits.tenant = requests(1);
        config.bounds.insert(tenant("large"), requests(3));
    });
    let of = |number: u64, who: &str| Waiting {
        tenant: tenant(who),
        ..one(number, Priority::ALL[number as usize % 3], 100)
    };
    for number in 1..=3 {
        assert_eq!(comes(&mut lane, of(number, "large")), Ok(()), "over all bands");
    }
    assert_eq!(
        comes(&mut lane, of(4, "large")),
        Err(("tenants.*.max_waiting", 3, 3))
    );
    assert_eq!(comes(&mut lane, of(5, "small")), Ok(()));
    assert_eq!(
        comes(&mut lane, of(6, "small")),
        Err(("limits.tenant_waiting", 1, 1))
    );
    assert_eq!(comes(&mut lane, of(7, "other")), Ok(()));
}

#[test]
fn what_is_under_way_does_not_wait_and_what_was_accepted_is_not_refused() {
    let mut lane = busy(|config| config.limits.lane = requests(1));
    // Comes on from another lane, or was taken up: nobody asked at the door.
    for number in 1..=3 {
        lane.step(at(1), Event::Arrived(one(number, Priority::Normal, 100)));
    }
    assert_eq!(lane.view(at(1)).waiting["normal"].requests, 3);
    let full = full(lane.admit(at(1), &one(9, Priority::Normal, 100), &mut Vec::new())).unwrap();
    assert_eq!(
        (full.scope, full.measure, full.waiting),
        (Scope::Lane, Measure::Requests, 3)
    );
    lane.step(at(2), ended(id(1_000), 1, 10, 2));
    for number in 1..=3 {
        lane.step(at(3), started(id(number), 1, 3));
        // The last one is throttled, and waits again.
        let mut end = ended(id(number), 1, 100, 4);
        if let (Event::Ended { again, .. }, 3) = (&mut end, number) {
            *again = Again::NotBefore(at(60_000));
        }
        lane.step(at(4), end);
    }
    assert_eq!(
        comes(&mut lane, one(9, Priority::Normal, 100)),
        Err(("limits.waiting", 1, 1))
    );
}

#[test]
fn a_place_is_held_until_its_request_comes_or_is_given_up() {
    let mut lane = busy(|config| config.limits.bands[1] = requests(2));
    assert_eq!(comes(&mut lane, one(1, Priority::Normal, 100)), Ok(()));
    // Two doors at once: the second is told to come back although nothing has arrived.
    assert!(
        lane.admit(at(1), &one(2, Priority::Normal, 100), &mut Vec::new())
            .is_ok()
    );
    assert!(
        lane.admit(at(1), &one(3, Priority::Normal, 100), &mut Vec::new())
            .is_err()
    );
    assert!(
        lane.admit(at(1), &one(2, Priority::Normal, 100), &mut Vec::new())
            .is_ok(),
        "asks again"
    );
    lane.step(
        at(2),
        Event::Left {
            request: id(2),
            why: Gone::Elsewhere,
        },
    );
    assert!(
        lane.admit(at(3), &one(3, Priority::Normal, 100), &mut Vec::new())
            .is_ok()
    );
    assert!(
        lane.admit(at(10_000), &one(4, Priority::Normal, 100), &mut Vec::new())
            .is_err()
    );
    assert!(
        lane.admit(at(10_003), &one(4, Priority::Normal, 100), &mut Vec::new())
            .is_ok(),
        "given up"
    );
}

#[test]
fn nobody_is_refused_at_once_where_all_would_go_at_once() {
    let mut config = config(lane(60_000, None, Pacing::Bucket { seconds: 10 }));
    config.limits.lane = requests(1);
    let mut lane = scheduler(config);
    // The bucket holds something less than 10,000 tokens: nine go, one waits, the next is refused.
    let admitted = (0..20).filter(|n| {
        lane.admit(at(0), &one(*n, Priority::Normal, 1_000), &mut Vec::new())
            .is_ok()
    });
    assert_eq!(admitted.count(), 10);
}

#[test]
fn it_says_when_the_first_of_them_goes() {
    let mut config = config(lane(60_000, None, Pacing::Window));
    config.limits.bands[2] = requests(1);
    let mut lane = scheduler(config);
    comes(&mut lane, one(1, Priority::Normal, 60_000)).unwrap();
    lane.step(at(1), started(id(1), 1, 1));
    comes(&mut lane, one(2, Priority::Batch, 1_000)).unwrap();
    let found = full(lane.admit(at(30_000), &one(3, Priority::Batch, 1_000), &mut Vec::new())).unwrap();
    let wait = found.next.since(at(30_000)).get();
    assert!((30_000..32_000).contains(&wait), "{wait}");
    // The same, read off what its holder wrote down.
    let told = lane
        .report(at(30_000))
        .admit(&lane.config, &one(3, Priority::Batch, 1_000));
    assert_eq!(full(told), Some(found));
    assert!(
        lane.report(at(0))
            .admit(&lane.config, &one(3, Priority::Normal, 1_000))
            .is_ok()
    );
}

/// As many as are let in at one moment, of which none has come yet.
fn let_in_at_once(scheduler: &mut Scheduler, count: u64) -> usize {
    let asks = |number| scheduler.admit(at(1), &one(number, Priority::Normal, 10), &mut Vec::new());
    (0..count).map(asks).filter(Result::is_ok).count()
}

#[test]
fn a_place_that_its_tenant_will_wait_in_is_held_against_it() {
    let mut config = config(lane(6_000_000, None, Pacing::Auto));
    let whose = crate::ids::TenantId::default();
    config.caps.insert(whose.clone(), 1);
    config.bounds.insert(whose, requests(5));
    assert_eq!(let_in_at_once(&mut scheduler(config), 64), 1 + 5);
}

#[test]
fn a_place_is_not_waited_in_only_where_the_lane_lets_somebody_go() {
    let bound = |change: &dyn Fn(&mut SchedulerConfig)| {
        let mut config = config(lane(6_000_000, None, Pacing::Auto));
        config.limits.lane = requests(5);
        change(&mut config);
        scheduler(config)
    };
    assert_eq!(let_in_at_once(&mut bound(&|_| {}), 64), 64);
    let mut shut = bound(&|_| {});
    shut.step(at(0), Event::Breaker(Some(Hand::Open)));
    assert_eq!(let_in_at_once(&mut shut, 64), 5);
    let mut handed = bound(&|config| config.handing.most_unclaimed = 3);
    assert_eq!(let_in_at_once(&mut handed, 64), 3 + 5);
}
