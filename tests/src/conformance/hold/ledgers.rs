//! A lane's ledger: fenced by whoever read it last, and read as it was written.

use super::{Stand, sonnet};
use crate::conformance::suite::cases;
use crate::conformance::words::{at, lane, request};
use smoother_core::config::Config;
use smoother_core::hold::Epoch;
use smoother_core::ports::HoldError;
use smoother_core::scheduler::{Event, LaneSnapshot, Scheduler, SchedulerConfig, Waiting};

cases! { Stand;
    a_lane_that_never_was_has_no_ledger,
    a_ledger_reads_back_as_it_was_written,
    who_has_read_it_last_alone_writes_it,
    a_fence_is_never_lowered,
    reading_it_writes_nothing_into_it,
    lanes_have_ledgers_of_their_own,
    reports_and_tenants_of_a_later_holder_stand,
}

/// A lane with so many calls released, and the room for them.
fn scheduler(calls: u64) -> Scheduler {
    let text = "[lanes.sonnet]\nmodel = \"m\"\nregion = \"us-east-1\"\ntokens_per_minute = 1000000\n";
    let config = Config::load(Some(("test", text)), None).unwrap();
    let settings = SchedulerConfig::of(&config, &config.lanes[&sonnet()]);
    let mut scheduler = Scheduler::new(settings, at(0));
    for n in 0..calls {
        scheduler.step(at(n), Event::Arrived(Waiting::priced(&request(n), 5)));
    }
    scheduler
}

fn ledger(calls: u64) -> LaneSnapshot {
    scheduler(calls).snapshot(at(1_000))
}

async fn a_lane_that_never_was_has_no_ledger(stand: Stand) {
    let epoch = stand.take("a", 0).await.epoch;
    let held = stand.hold.load(&sonnet(), epoch).await.unwrap();
    assert!(held.ledger.is_none() && held.tenants.is_none());
}

async fn a_ledger_reads_back_as_it_was_written(stand: Stand) {
    for (number, calls) in [(1, 0), (2, 3), (3, 60)] {
        let epoch = stand.held(&format!("{number}"), number).await;
        stand
            .hold
            .write_ledger(&sonnet(), epoch, ledger(1))
            .await
            .unwrap();
        stand
            .hold
            .write_ledger(&sonnet(), epoch, ledger(calls))
            .await
            .unwrap();
        let held = stand.hold.load(&sonnet(), epoch).await.unwrap();
        assert_eq!(held.ledger, Some(ledger(calls)));
    }
}

async fn who_has_read_it_last_alone_writes_it(stand: Stand) {
    let first = stand.held("a", 0).await;
    stand
        .hold
        .write_ledger(&sonnet(), first, ledger(1))
        .await
        .unwrap();
    let second = stand.take("b", 20_000).await.epoch;
    // Taken, but not fenced yet: what the first one writes by now, the second one will read.
    stand
        .hold
        .write_ledger(&sonnet(), first, ledger(2))
        .await
        .unwrap();
    let held = stand.hold.load(&sonnet(), second).await.unwrap();
    assert_eq!(held.ledger, Some(ledger(2)));
    let stale = HoldError::Stale {
        lane: sonnet(),
        epoch: first,
    };
    let late = stand.hold.write_ledger(&sonnet(), first, ledger(3)).await;
    assert_eq!(late, Err(stale));
    let held = stand.hold.load(&sonnet(), second).await.unwrap();
    assert_eq!(held.ledger, Some(ledger(2)), "a refused write leaves no trace");
    stand
        .hold
        .write_ledger(&sonnet(), second, ledger(4))
        .await
        .unwrap();
}

async fn a_fence_is_never_lowered(stand: Stand) {
    let first = stand.held("a", 0).await;
    let second = stand.held("b", 20_000).await;
    let late = stand.hold.load(&sonnet(), first).await;
    assert!(matches!(late, Err(HoldError::Stale { epoch, .. }) if epoch == first));
    stand
        .hold
        .write_ledger(&sonnet(), second, ledger(1))
        .await
        .unwrap();
    // Whoever has not read it yet has not fenced it, and writes nothing.
    let unread = stand.hold.write_ledger(&sonnet(), second.next(), ledger(2)).await;
    assert!(matches!(unread, Err(HoldError::Stale { .. })), "{unread:?}");
}

async fn reading_it_writes_nothing_into_it(stand: Stand) {
    let epoch = stand.held("a", 0).await;
    let next = stand.held("b", 20_000).await;
    assert_ne!(epoch, next);
    let held = stand.hold.load(&sonnet(), next).await.unwrap();
    assert!(held.ledger.is_none(), "fenced twice and never written");
}

async fn lanes_have_ledgers_of_their_own(stand: Stand) {
    let epoch = stand.held("a", 0).await;
    stand
        .hold
        .write_ledger(&sonnet(), epoch, ledger(1))
        .await
        .unwrap();
    let other = stand.hold.load(&lane("nova"), Epoch::new(1)).await.unwrap();
    assert!(other.ledger.is_none());
}

async fn reports_and_tenants_of_a_later_holder_stand(stand: Stand) {
    let first = stand.held("a", 0).await;
    let second = stand.held("b", 20_000).await;
    let (hold, lane) = (&stand.hold, sonnet());
    let (early, late) = (scheduler(1), scheduler(5));
    hold.write_tenants(&lane, second, late.tenants()).await.unwrap();
    hold.write_report(&lane, second, late.report(at(1_000)))
        .await
        .unwrap();
    let tenants = hold.write_tenants(&lane, first, early.tenants()).await;
    assert!(matches!(tenants, Err(HoldError::Stale { .. })), "{tenants:?}");
    let report = hold.write_report(&lane, first, early.report(at(1_000))).await;
    assert!(matches!(report, Err(HoldError::Stale { .. })), "{report:?}");
    let held = hold.load(&lane, second).await.unwrap();
    assert_eq!(held.tenants, Some(late.tenants()));
}
