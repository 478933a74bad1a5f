//! A lane that passes from holder to holder: whatever the last one wrote, the next one never spends twice, and frees
//! nothing that may still be claimed.

mod town;

use super::released;
use super::world::{at, config, id, lane, tenant, waiting};
use crate::config::Pacing;
use crate::ids::{CallNo, RequestId};
use crate::request::Priority;
use crate::scheduler::{Command, Event, LaneSnapshot, Scheduler, TenantsSnapshot, Waiting};

fn busy(calls: u64, requests: Option<u64>) -> Scheduler {
    let mut lane = lane(60_000_000, requests, Pacing::Auto);
    lane.max_concurrency = u32::try_from(calls).unwrap();
    Scheduler::new(config(lane), at(0))
}

fn ended(number: u64, ms: u64) -> Event {
    super::ended(id(number), 1, 900, ms)
}

#[test]
fn a_snapshot_is_small() {
    let mut scheduler = busy(64, Some(60_000));
    for number in 0..61 {
        let ms = number * 1_000;
        let many = waiting(1_000 + number, ms, Priority::Normal, 123_456);
        scheduler.step(at(ms), Event::Arrived(many));
        scheduler.step(at(ms), super::started(id(1_000 + number), 1, ms));
        scheduler.step(at(ms), super::ended(id(1_000 + number), 1, 98_765, ms));
    }
    for number in 0..64 {
        // Ids as they are, not mostly zeros.
        let mut one = waiting(number, 60_500, Priority::Normal, 65_432);
        one.id = RequestId::fresh(at(60_500), [u8::try_from(number).unwrap() ^ 0x5a; 10]);
        let request = one.id;
        scheduler.step(at(60_500), Event::Arrived(one));
        if number % 2 == 0 {
            scheduler.step(at(60_700), super::started(request, 1, 60_700));
        }
    }
    let snapshot = scheduler.snapshot(at(61_000));
    assert_eq!(snapshot.under_way(), 64);
    let text = serde_json::to_string(&snapshot).unwrap();
    assert!(text.len() < 4_096, "{} bytes", text.len());
    assert_eq!(serde_json::from_str::<LaneSnapshot>(&text).unwrap(), snapshot);
}

#[test]
fn a_snapshot_of_the_version_before_is_read_and_one_of_a_later_is_not() {
    let snapshot = busy(4, None).snapshot(at(0));
    let mut value = serde_json::to_value(&snapshot).unwrap();
    let version = value["v"].as_u64().unwrap();
    value["v"] = (version - 1).into();
    value.as_object_mut().unwrap().remove("m");
    assert_eq!(
        serde_json::from_value::<LaneSnapshot>(value.clone()).unwrap(),
        snapshot
    );
    value["v"] = (version + 1).into();
    let refused = serde_json::from_value::<LaneSnapshot>(value)
        .unwrap_err()
        .to_string();
    assert!(refused.contains(&format!("version {}", version + 1)), "{refused}");
}

#[test]
fn a_release_stays_reserved_until_its_row_was_read() {
    let mut first = busy(2, None);
    for number in 0..2 {
        first.step(at(0), Event::Arrived(waiting(number, 0, Priority::Normal, 1_000)));
    }
    first.step(at(500), super::started(id(1), 1, 500));
    let left = first.snapshot(at(1_000));
    // By a clock that is a minute ahead.
    let mut next = busy(2, None);
    next.resume(at(61_000), &left);
    let view = next.view(at(61_000));
    assert_eq!((view.released, view.running), (1, 1));
    let commands = next.step(at(61_000), Event::Arrived(waiting(9, 0, Priority::Normal, 1_000)));
    assert!(matches!(commands[0], Command::Check { .. }), "{commands:?}");
    let check = Command::Check {
        request: id(0),
        call: CallNo::new(1),
    };
    // Looked at again and again, and nothing is freed before there is an answer.
    for ms in [66_000, 71_000, 85_000] {
        let commands = next.step(at(ms), Event::Tick);
        assert_eq!(commands[0], check);
        assert!(released(&commands).is_empty(), "{commands:?}");
    }
    let void = Event::Void {
        request: id(0),
        call: CallNo::new(1),
    };
    assert_eq!(released(&next.step(at(85_100), void)), [(id(9), 1)]);
    next.step(at(85_200), ended(1, 85_200));
    assert_eq!(next.view(at(85_200)).concurrency.used, 1);
}

#[test]
fn a_call_number_that_another_holder_gave_out_is_not_given_out_again() {
    let mut first = busy(2, None);
    first.step(at(0), Event::Arrived(waiting(1, 0, Priority::Normal, 1_000)));
    let left = first.snapshot(at(10));
    let mut next = busy(2, None);
    next.resume(at(20), &left);
    // An index that lags shows it as it waited before; or it still waits, and the write is on its way.
    let old = waiting(1, 0, Priority::Normal, 1_000);
    next.take_up(at(20), std::slice::from_ref(&old), &[]);
    let commands = next.step(at(20), Event::Tick);
    assert!(released(&commands).is_empty(), "{commands:?}");
    let (request, call) = (id(1), CallNo::new(1));
    next.step(at(30), Event::Lapsed { request, call });
    let again = Waiting {
        last_call: call,
        ..old
    };
    assert_eq!(released(&next.step(at(30), Event::Arrived(again))), [(id(1), 2)]);
}

#[test]
fn what_is_lost_between_two_holders_is_back_within_about_a_minute() {
    let mut first = busy(8, Some(100));
    for number in 0..8 {
        first.step(
            at(0),
            Event::Arrived(waiting(number, 0, Priority::Normal, 1_000_000)),
        );
        first.step(at(0), super::started(id(number), 1, 0));
        first.step(at(900), ended(number, 900));
    }
    let left = first.snapshot(at(1_000));
    // However long ago that was: how far two clocks are apart nobody knows.
    let later = 3_600_000;
    let mut next = busy(8, Some(100));
    next.resume(at(later), &left);
    assert!(next.view(at(later)).tokens.used >= 8 * 900);
    assert!(!next.is_quiet(at(later)));
    let (fresh, view) = (busy(8, Some(100)), next.view(at(later + 62_000)));
    let full = fresh.view(at(later + 62_000));
    assert_eq!((view.tokens, view.requests), (full.tokens, full.requests));
    assert!(next.is_quiet(at(later + 62_000)));
}

#[test]
fn whoever_was_served_last_is_not_first_with_the_next_holder() {
    let mut first = busy(1, None);
    let of = |number, name| {
        let mut one = waiting(number, number, Priority::Normal, 1_000);
        one.tenant = tenant(name);
        one
    };
    first.step(at(0), Event::Arrived(of(0, "a")));
    for number in 1..4 {
        first.step(at(1), Event::Arrived(of(number, "a")));
    }
    first.step(at(1), Event::Arrived(of(9, "b")));
    let mut order = released(&first.step(at(1), super::ended(id(0), 1, 1_000, 1)));
    let (kept, left) = (first.tenants(), first.snapshot(at(2)));
    let kept: TenantsSnapshot = serde_json::from_str(&serde_json::to_string(&kept).unwrap()).unwrap();
    let mut next = busy(1, None);
    next.take_up_tenants(&kept);
    next.resume(at(3), &left);
    next.take_up(at(3), &[of(2, "a"), of(3, "a"), of(9, "b")], &[]);
    order.extend(released(&next.step(at(4), super::ended(id(1), 1, 1_000, 4))));
    assert_eq!(order, [(id(1), 1), (id(9), 1)], "b has waited, a was served");
}

#[test]
fn a_written_report_says_about_where_a_request_stands() {
    let mut scheduler = busy(1, None);
    for number in 0..40 {
        let one = waiting(number, number * 100, Priority::Batch, 1_000);
        scheduler.step(at(4_000), Event::Arrived(one));
    }
    let now = at(4_000);
    let report = scheduler.report(now);
    let text = serde_json::to_string(&report).unwrap();
    let report: crate::scheduler::LaneReport = serde_json::from_str(&text).unwrap();
    for number in [1, 2, 17, 39] {
        let exact = scheduler.forecast(now, id(number)).unwrap();
        let due = at(number * 100) + Priority::Batch.soft_deadline();
        let told = report.forecast(Priority::Batch, due);
        assert!(
            told.position.abs_diff(exact.position) <= 1,
            "{number}: {told:?} {exact:?}"
        );
    }
    let other = report.forecast(Priority::Normal, now);
    assert_eq!((other.position, other.start), (1, now), "nobody waits there");
}
