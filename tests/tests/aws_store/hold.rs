//! Lanes in the table: what no other adapter has to stand, writes that arrive late and answers that do not.

use super::stand::Place;
use super::weather::Weather;
use smoother_core::config::Config;
use smoother_core::hold::{Epoch, Lease};
use smoother_core::ports::{Hold, HoldError, NewRequest, PayloadRef, Store};
use smoother_core::scheduler::{LaneSnapshot, Scheduler, SchedulerConfig};
use smoother_core::{CallNo, Change, LaneId, Millis, Priority, Request, TenantId, Timestamp, Tokens};
use smoother_tests::conformance::{at, id, lane, request};
use tokio::task::JoinSet;

const CONFIG: &str = "[lanes.sonnet]\nmodels = [\"us.anthropic.claude-sonnet-4-5-20250929-v1:0\"]\n\
                      region = \"us-east-1\"\ntokens_per_minute = 300000\n";

fn scheduler() -> Scheduler {
    let config = Config::load(Some(("smoother.toml", CONFIG)), []).unwrap();
    Scheduler::new(
        SchedulerConfig::of(&config, &config.lanes[&lane("sonnet")]),
        at(0),
    )
}

fn snapshot(ms: u64) -> LaneSnapshot {
    scheduler().snapshot(at(ms))
}

fn sonnet() -> LaneId {
    lane("sonnet")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_that_take_a_lane_one_has_it_also_where_answers_are_lost() {
    let (place, weather) = (Place::fresh().await, Weather::storm(3));
    let mut over = None;
    for round in 0..10u64 {
        let mut takers = JoinSet::new();
        for rival in 0..5 {
            let (hold, over) = (place.hold(&weather), over.clone());
            takers.spawn(async move {
                let lease = Lease::taken(&format!("{round}-{rival}"), at(round), over.as_ref());
                hold.take(&sonnet(), lease.clone(), over)
                    .await
                    .unwrap()
                    .then_some(lease)
            });
        }
        let won: Vec<Lease> = takers.join_all().await.into_iter().flatten().collect();
        assert_eq!(won.len(), 1, "round {round}");
        let hold = place.hold(&weather);
        assert_eq!(hold.lease(&sonnet()).await.unwrap().as_ref(), won.first());
        assert_eq!(won[0].epoch, Epoch::new(round + 1));
        let renewed = won[0].renewed(at(5_000), true);
        hold.renew(&sonnet(), renewed.clone()).await.unwrap();
        // A renewal that comes late takes nothing back, and is no sign of another holder.
        hold.renew(&sonnet(), won[0].clone()).await.unwrap();
        assert_eq!(hold.lease(&sonnet()).await.unwrap(), Some(renewed.clone()));
        if let Some(old) = over.replace(renewed) {
            let stale = hold.renew(&sonnet(), old).await;
            assert!(matches!(stale, Err(HoldError::Stale { .. })), "{stale:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fenced_ledger_is_never_written_by_who_came_before() {
    for weather in [Weather::default(), Weather::storm(4)] {
        let place = Place::fresh().await;
        let (old, new) = (place.hold(&weather), place.hold(&weather));
        let (first, second) = (Epoch::new(1), Epoch::new(2));
        assert_eq!(old.load(&sonnet(), first).await.unwrap().ledger, None);
        for ms in 1..=5 {
            old.write_ledger(&sonnet(), first, snapshot(ms)).await.unwrap();
        }
        let found = new.load(&sonnet(), second).await.unwrap();
        assert_eq!(found.ledger, Some(snapshot(5)));
        let stale = old.write_ledger(&sonnet(), first, snapshot(6)).await;
        assert!(matches!(stale, Err(HoldError::Stale { .. })), "{stale:?}");
        let stale = old.load(&sonnet(), first).await;
        assert!(matches!(stale, Err(HoldError::Stale { .. })), "{stale:?}");
        new.write_ledger(&sonnet(), second, snapshot(7)).await.unwrap();
        assert_eq!(
            new.load(&sonnet(), second).await.unwrap().ledger,
            Some(snapshot(7))
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_arrives_late_does_not_take_a_later_ones_place() {
    let (place, calm) = (Place::fresh().await, Weather::default());
    let (hold, epoch) = (place.hold(&calm), Epoch::new(1));
    hold.load(&sonnet(), epoch).await.unwrap();
    // Begun in this order; under way together they arrive in any.
    let writes: Vec<_> = (1..=40)
        .map(|ms| hold.write_ledger(&sonnet(), epoch, snapshot(ms)))
        .collect();
    for write in writes {
        write.await.unwrap();
    }
    assert_eq!(
        hold.load(&sonnet(), epoch).await.unwrap().ledger,
        Some(snapshot(40))
    );
    let scheduler = scheduler();
    let reports: Vec<_> = (1..=40)
        .map(|ms| hold.write_report(&sonnet(), epoch, scheduler.report(at(ms))))
        .collect();
    for report in reports {
        report.await.unwrap();
    }
    let report = hold.report(&sonnet()).await.unwrap();
    assert_eq!(report, Some(scheduler.report(at(40))));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_holder_tells_is_read_and_an_earlier_holder_is_not_heard() {
    let (place, calm) = (Place::fresh().await, Weather::default());
    let (hold, scheduler) = (place.hold(&calm), scheduler());
    assert_eq!(hold.report(&sonnet()).await.unwrap(), None);
    let (first, second) = (Epoch::new(1), Epoch::new(2));
    hold.write_report(&sonnet(), second, scheduler.report(at(2)))
        .await
        .unwrap();
    hold.write_tenants(&sonnet(), second, scheduler.tenants())
        .await
        .unwrap();
    let stale = hold.write_report(&sonnet(), first, scheduler.report(at(3))).await;
    assert!(matches!(stale, Err(HoldError::Stale { .. })), "{stale:?}");
    let stale = hold.write_tenants(&sonnet(), first, scheduler.tenants()).await;
    assert!(matches!(stale, Err(HoldError::Stale { .. })), "{stale:?}");
    assert_eq!(
        hold.report(&sonnet()).await.unwrap(),
        Some(scheduler.report(at(2)))
    );
    let held = hold.load(&sonnet(), second).await.unwrap();
    assert_eq!(held.tenants, Some(scheduler.tenants()));
}

async fn stored(place: &Place, row: Request) {
    let store = place.store(&Weather::default());
    let body = PayloadRef::Inline("{}".into());
    store.insert(NewRequest { request: row, body }).await.unwrap();
}

fn tenant(name: &str) -> TenantId {
    TenantId::new(name).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_waits_is_read_page_by_page_by_due_time_and_priced() {
    let (place, calm) = (Place::fresh().await, Weather::default());
    for n in 0..10 {
        let mut row = request(n);
        row.deadline = Some(at(100_000 - n * 1_000));
        stored(&place, row).await;
    }
    let (mut other, mut batch) = (request(50), request(51));
    other.tenant = tenant("umbrella");
    batch.priority = Priority::Batch;
    stored(&place, other).await;
    stored(&place, batch).await;
    let hold = place.hold(&calm);
    let (mut seen, mut after) = (Vec::new(), None);
    loop {
        let heads = hold
            .heads(&sonnet(), Priority::Normal, &tenant("acme"), after, 4)
            .await
            .unwrap();
        assert!(heads.waiting.len() <= 4);
        seen.extend(heads.waiting);
        after = heads.next;
        if after.is_none() {
            break;
        }
    }
    let order: Vec<_> = seen.iter().map(|waiting| waiting.id).collect();
    assert_eq!(order, (0..10).rev().map(id).collect::<Vec<_>>());
    // 10 of input and 50 of output at 5 each are more than the 10 + 100 that Bedrock takes first.
    assert_eq!(seen[0].reserve, Tokens::new(260));
    // Four in the registry, once each: two tenants and two bands, of which acme has both.
    let backlog = hold.backlog(&sonnet()).await.unwrap();
    let of: Vec<_> = backlog
        .iter()
        .map(|entry| (entry.priority, entry.tenant.as_str()))
        .collect();
    assert_eq!(
        of,
        [
            (Priority::Batch, "acme"),
            (Priority::Normal, "acme"),
            (Priority::Normal, "umbrella")
        ]
    );
    // One that was put again since is not forgotten.
    let mut old = backlog[1].clone();
    old.at = Timestamp::from_millis(old.at.as_millis() - 1);
    hold.forget_backlog(&sonnet(), old).await.unwrap();
    hold.forget_backlog(&sonnet(), backlog[0].clone()).await.unwrap();
    assert_eq!(hold.backlog(&sonnet()).await.unwrap(), backlog[1..]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_snoozed_stands_among_those_whose_time_comes() {
    let (place, calm) = (Place::fresh().await, Weather::default());
    let (store, hold) = (place.store(&calm), place.hold(&calm));
    for n in 0..3 {
        stored(&place, request(n)).await;
        let call = CallNo::new(1);
        let release = Change::Release {
            lane: sonnet(),
            call,
            reserve: Tokens::new(1),
            start_by: at(20_000),
            at: at(100),
        };
        store.change(id(n), release).await.unwrap();
        store
            .change(id(n), Change::Claim { call, at: at(200) })
            .await
            .unwrap();
        let again = Change::Requeue {
            call,
            not_before: at(1_000) + Millis::new(n),
            throttle: None,
            error: None,
            spends_try: true,
        };
        store.change(id(n), again).await.unwrap();
    }
    let acme = tenant("acme");
    let heads = hold
        .heads(&sonnet(), Priority::Normal, &acme, None, 10)
        .await
        .unwrap();
    assert!(heads.waiting.is_empty());
    let ids = |until: u64, after: Option<String>, limit| {
        let (hold, sonnet) = (hold.clone(), sonnet());
        async move {
            let due = hold.due(&sonnet, at(until), after, limit).await.unwrap();
            let ids: Vec<_> = due.waiting.iter().map(|waiting| waiting.id).collect();
            (ids, due.next)
        }
    };
    assert_eq!(ids(999, None, 10).await, (vec![], None));
    assert_eq!(ids(1_001, None, 10).await, (vec![id(0), id(1)], None));
    let (first, next) = ids(5_000, None, 2).await;
    assert_eq!(first, [id(0), id(1)]);
    assert_eq!(ids(5_000, next, 2).await.0, [id(2)]);
    // Sent on its way it stands nowhere; taken back it waits among the others.
    let release = Change::Release {
        lane: sonnet(),
        call: CallNo::new(2),
        reserve: Tokens::new(1),
        start_by: at(20_000),
        at: at(2_000),
    };
    store.change(id(0), release).await.unwrap();
    assert_eq!(ids(5_000, None, 10).await.0, [id(1), id(2)]);
    let call = CallNo::new(2);
    store
        .change(id(0), Change::Lapse { call, at: at(20_001) })
        .await
        .unwrap();
    let heads = hold
        .heads(&sonnet(), Priority::Normal, &acme, None, 10)
        .await
        .unwrap();
    assert_eq!(heads.waiting[0].id, id(0));
}
