//! What is kept, and for how long.

use super::world::{at, config, id, lane, tenant, waiting};
use super::{ended, released, scheduler, started};
use crate::config::Pacing;
use crate::request::Priority;
use crate::scheduler::Event;
use crate::scheduler::entry::Entry;

#[test]
fn a_waiting_request_takes_little() {
    assert!(
        size_of::<Option<Entry>>() <= 104,
        "{}",
        size_of::<Option<Entry>>()
    );
}

#[test]
fn tenants_without_requests_are_forgotten() {
    let mut scheduler = scheduler(config(lane(6_000_000, None, Pacing::Auto)));
    for number in 0..2_000 {
        let mut one = waiting(number, number, Priority::Normal, 100);
        one.tenant = tenant(&format!("t{number}"));
        let commands = scheduler.step(at(number), Event::Arrived(one));
        assert_eq!(released(&commands).len(), 1);
        scheduler.step(at(number), started(id(number), 1, number));
        scheduler.step(at(number), ended(id(number), 1, 150, number));
    }
    assert!(
        scheduler.shares.remembered() <= 1,
        "{}",
        scheduler.shares.remembered()
    );
    assert!(scheduler.alarms.is_empty());
}

#[test]
fn the_oldest_is_known_whoever_left() {
    let mut scheduler = scheduler(config(lane(60_000, None, Pacing::Auto)));
    scheduler.step(at(0), Event::Arrived(waiting(0, 0, Priority::Batch, 9_800)));
    for number in 1..500 {
        scheduler.step(
            at(number),
            Event::Arrived(waiting(number, number, Priority::Batch, 60_000)),
        );
    }
    let oldest =
        |scheduler: &crate::scheduler::Scheduler| scheduler.view(at(1_000)).waiting["batch"].oldest_ms.get();
    assert_eq!(oldest(&scheduler), 999);
    for number in (1..400).chain(450..460) {
        let gone = Event::Left {
            request: id(number),
            why: crate::scheduler::Gone::Cancelled,
        };
        scheduler.step(at(1_000), gone);
    }
    assert_eq!(oldest(&scheduler), 600);
    // One that comes from elsewhere may be older than all that wait.
    scheduler.step(
        at(1_000),
        Event::Arrived(waiting(900, 250, Priority::Batch, 60_000)),
    );
    assert_eq!(oldest(&scheduler), 750);
}
