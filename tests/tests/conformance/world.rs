//! The world itself: what a crash takes, what faults do, and that a seed replays a run.

use rand::Rng;
use smoother_core::lifecycle::Refused;
use smoother_core::ports::{
    ChangeError, Clock, Dispatch, Entropy, Inserted, LaneQueue, NewRequest, PayloadRef, QueueError, Released,
    Store, StoreError,
};
use smoother_core::scheduler::Event;
use smoother_core::{CallNo, Change, Millis, Request, RequestId, State, Tokens};
use smoother_tests::conformance::{at, id, lane, request};
use smoother_tests::memory::{Fate, Options, Point, Touched, World};
use std::time::Duration;

fn new(row: &Request) -> NewRequest {
    NewRequest {
        request: row.clone(),
        body: PayloadRef::Inline("{}".into()),
    }
}

fn release() -> Change {
    Change::Release {
        lane: lane("sonnet"),
        call: CallNo::new(1),
        reserve: Tokens::new(110),
        start_by: at(20_000),
        at: at(100),
    }
}

/// The planned fate for the first operation of this kind; everything else goes well.
fn once(touched: Touched, fate: Fate) -> impl FnMut(&Point, &mut rand::rngs::StdRng) -> Fate {
    let mut left = Some(fate);
    move |point, _| {
        if point.touched == touched {
            left.take().unwrap_or_default()
        } else {
            Fate::Proceed
        }
    }
}

fn ids(world: &World) -> Vec<RequestId> {
    world.rows().iter().map(|row| row.id).collect()
}

#[tokio::test(start_paused = true)]
async fn time_stands_still_between_events() {
    let world = World::new(Options::default());
    let clock = world.clock();
    let before = clock.now();
    world.boot().store().insert(new(&request(1))).await.unwrap();
    assert_eq!(
        clock.now().since(before),
        Millis::new(2),
        "a commit takes that long"
    );
    tokio::time::sleep(Duration::from_secs(3_600)).await;
    assert_eq!(clock.now().since(before), Millis::new(3_600_002));
}

#[tokio::test(start_paused = true)]
async fn a_write_is_not_durable_before_its_commit() {
    let world = World::new(Options::default());
    let process = world.boot();
    let writing = process.store().insert(new(&request(1)));
    assert!(world.rows().is_empty());
    assert_eq!(process.store().get(id(1)).await.unwrap(), None);
    writing.await.unwrap();
    assert_eq!(ids(&world), [id(1)]);
}

#[tokio::test(start_paused = true)]
async fn a_crash_leaves_a_beginning_where_order_is_kept_and_any_part_elsewhere() {
    let (mut beginnings, mut gaps) = (0, 0);
    for ordered in [true, false] {
        for seed in 0..40 {
            let world = World::new(Options {
                seed,
                ordered,
                ..Options::default()
            });
            let process = world.boot();
            for n in 0..8 {
                drop(process.store().insert(new(&request(n))));
            }
            process.crash();
            let left = ids(&world);
            let is_beginning = left == (0..left.len() as u64).map(id).collect::<Vec<_>>();
            assert!(is_beginning || !ordered, "{left:?}");
            beginnings += usize::from(ordered && (1..8).contains(&left.len()));
            gaps += usize::from(!is_beginning);
        }
    }
    assert!(
        beginnings > 10 && gaps > 10,
        "{beginnings} beginnings, {gaps} with gaps"
    );
}

#[tokio::test(start_paused = true)]
async fn the_dead_are_answered_nothing_and_change_nothing() {
    let world = World::new(Options::default());
    let process = world.boot();
    let (lanes, mut events) = process.lanes([lane("a")]);
    let begun = process.store().insert(new(&request(1)));
    process.crash();
    let survivors = ids(&world);
    let hour = Duration::from_secs(3_600);
    assert!(tokio::time::timeout(hour, begun).await.is_err());
    assert!(
        tokio::time::timeout(hour, process.store().insert(new(&request(2))))
            .await
            .is_err()
    );
    assert!(
        tokio::time::timeout(hour, process.store().get(id(1)))
            .await
            .is_err()
    );
    let sent = lanes.send(&lane("a"), Event::Tick);
    assert!(tokio::time::timeout(hour, sent).await.is_err());
    assert!(events.remove(&lane("a")).unwrap().try_recv().is_err());
    assert_eq!(ids(&world), survivors);
    // The others live on.
    world.boot().store().insert(new(&request(3))).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_failure_is_made_before_or_after_the_deed() {
    for (fate, there) in [(Fate::FailBefore, false), (Fate::FailAfter, true)] {
        let world = World::new(Options::default());
        world.plan(once(Touched::Insert, fate));
        let store = world.boot().store();
        let failed = store.insert(new(&request(1))).await;
        assert!(matches!(failed, Err(StoreError::Failed(_))), "{failed:?}");
        assert_eq!(store.get(id(1)).await.unwrap().is_some(), there);
        // As its caller does: once more.
        let again = store.insert(new(&request(1))).await.unwrap();
        assert_eq!(matches!(again, Inserted::Same(_)), there);
    }
}

#[tokio::test(start_paused = true)]
async fn a_write_made_twice_answers_with_the_second() {
    let world = World::new(Options::default());
    let store = world.boot().store();
    store.insert(new(&request(1))).await.unwrap();
    world.plan(once(Touched::Change("release"), Fate::Duplicate));
    let refused = store.change(id(1), release()).await;
    assert!(
        matches!(refused, Err(ChangeError::Refused(Refused::State { .. }))),
        "{refused:?}"
    );
    assert_eq!(store.get(id(1)).await.unwrap().unwrap().state, State::Released);
}

#[tokio::test(start_paused = true)]
async fn a_late_commit_holds_up_those_behind_it_only_where_order_is_kept() {
    for ordered in [true, false] {
        let world = World::new(Options {
            ordered,
            ..Options::default()
        });
        world.plan(once(Touched::Insert, Fate::Delay(Duration::from_secs(5))));
        let store = world.boot().store();
        let late = store.insert(new(&request(1)));
        store.insert(new(&request(2))).await.unwrap();
        assert_eq!(ids(&world).contains(&id(1)), ordered);
        late.await.unwrap();
        assert_eq!(ids(&world), [id(1), id(2)]);
    }
}

fn released(n: u64) -> Released {
    Released {
        request: id(n),
        call: CallNo::new(1),
        lane: lane("a"),
        start_by: at(20_000),
    }
}

#[tokio::test(start_paused = true)]
async fn messages_are_lost_doubled_delayed_and_refused() {
    let second = Duration::from_secs(1);
    let table = [
        (Fate::Proceed, true, vec![1, 2]),
        (Fate::Lose, true, vec![2]),
        (Fate::Duplicate, true, vec![1, 1, 2]),
        (Fate::Delay(second), true, vec![2, 1]),
        (Fate::FailBefore, false, vec![2]),
        (Fate::FailAfter, false, vec![1, 2]),
    ];
    for (fate, told_sent, arrives) in table {
        let world = World::new(Options::default());
        world.plan(once(Touched::Dispatch, fate));
        let (dispatch, mut workers) = world.boot().dispatch();
        let sent = dispatch.send(vec![released(1)]).await;
        assert_eq!(sent.is_ok(), told_sent, "{fate:?}");
        assert!(told_sent || matches!(sent, Err(QueueError::Failed { .. })));
        dispatch.send(vec![released(2)]).await.unwrap();
        tokio::time::sleep(second * 2).await;
        let mut seen = Vec::new();
        while let Ok(one) = workers.try_recv() {
            seen.push(one);
        }
        assert_eq!(
            seen,
            arrives.into_iter().map(released).collect::<Vec<_>>(),
            "{fate:?}"
        );
    }
}

/// A run under a plan of its own chance: what it left, and when.
async fn run(seed: u64) -> (Vec<Request>, Vec<String>) {
    let world = World::new(Options {
        seed,
        ordered: false,
        ..Options::default()
    });
    world.plan(|point, chance| match chance.random_range(0..6) {
        0 if point.touched.writes() => Fate::FailBefore,
        1 if point.touched.writes() => Fate::FailAfter,
        2 => Fate::Delay(Duration::from_millis(chance.random_range(1..50))),
        3 => Fate::Duplicate,
        _ => Fate::Proceed,
    });
    let (mut process, mut said) = (world.boot(), Vec::new());
    for n in 0..60 {
        let row = request(n);
        let outcome = process.store().insert(new(&row)).await;
        said.push(format!("{:?} {outcome:?}", world.now()));
        drop(process.store().change(id(n), release()));
        if world.entropy().below(10) == 0 {
            process.crash();
            process = world.boot();
        }
    }
    process.close();
    (world.rows(), said)
}

#[tokio::test(start_paused = true)]
async fn a_seed_replays_a_run_and_another_one_does_not() {
    let first = run(7).await;
    assert_eq!(first, run(7).await);
    assert_ne!(first, run(8).await);
    assert!(!first.0.is_empty());
}
