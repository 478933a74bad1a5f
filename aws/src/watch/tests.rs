//! Readers here, everything else elsewhere.

use super::*;
use smoother_core::request::Fresh;
use smoother_core::{Door, Estimate, LaneId, ModelId, Operation, TenantId, Timestamp};
use smoother_embedded::Hub;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use tokio::sync::mpsc;

const ID: RequestId = RequestId::from_bytes([7; 16]);

/// A table with one row, changed by "other processes".
#[derive(Default)]
struct Elsewhere {
    row: Mutex<Option<Request>>,
    looks: AtomicU32,
}

impl Elsewhere {
    fn set(&self, change: impl FnOnce(&mut Request)) {
        let mut row = self.row.lock().unwrap();
        let mut next = row.clone().unwrap_or_else(fresh);
        change(&mut next);
        next.rev = next.rev.next();
        *row = Some(next);
    }

    fn looks(&self) -> u32 {
        self.looks.load(Ordering::Relaxed)
    }
}

fn fresh() -> Request {
    let fresh = Request::fresh(Fresh {
        id: ID,
        tenant: TenantId::default(),
        lane: LaneId::new("l").unwrap(),
        model: ModelId::new("m").unwrap(),
        operation: Operation::Converse,
        door: Door::Sync,
        arrived_at: Timestamp::EPOCH,
        body_hash: [0; 32],
        body_bytes: 0,
        estimate: Estimate::default(),
    });
    Request {
        runner: Runner::Caller,
        ..fresh
    }
}

fn released(row: &mut Request) {
    row.state = State::Released;
    row.call = row.call.next();
    row.start_by = Some(Timestamp::from_millis(20_000));
}

struct World {
    elsewhere: Arc<Elsewhere>,
    hub: Arc<Hub>,
    live: Watching,
    released: mpsc::UnboundedReceiver<Released>,
}

fn world() -> World {
    let (elsewhere, hub) = (Arc::new(Elsewhere::default()), Arc::new(Hub::new()));
    let (worker, released) = mpsc::unbounded_channel();
    let seen = Arc::clone(&elsewhere);
    let look: Look = Arc::new(move |_| {
        seen.looks.fetch_add(1, Ordering::Relaxed);
        let row = seen.row.lock().unwrap().clone();
        Box::pin(async move { Ok(row) })
    });
    World {
        live: Watching::looking(hub.clone(), look, Some(worker)),
        elsewhere,
        hub,
        released,
    }
}

async fn quiet_for(ms: u64) {
    tokio::time::sleep(Duration::from_millis(ms)).await;
}

#[tokio::test(start_paused = true)]
async fn an_end_elsewhere_is_told_to_readers_here() {
    let world = world();
    let mut reader = world.live.subscribe(ID);
    world.elsewhere.set(|_| {});
    quiet_for(100).await;
    world.elsewhere.set(|row| row.state = State::Cancelled);
    loop {
        match reader.next().await {
            Some(Update::Ended(end)) => break assert_eq!(end.request.state, State::Cancelled),
            Some(Update::State(State::Queued)) => {}
            other => panic!("{other:?}"),
        }
    }
    let looks = world.elsewhere.looks();
    quiet_for(10_000).await;
    assert_eq!(world.elsewhere.looks(), looks, "nobody looks after the end");
    drop(reader);
    assert!(world.hub.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_release_is_handed_to_the_own_worker_once_for_each_call() {
    let mut world = world();
    let _reader = world.live.subscribe(ID);
    world.elsewhere.set(released);
    let first = world.released.recv().await.unwrap();
    assert_eq!((first.request, first.call), (ID, CallNo::new(1)));
    assert_eq!(first.start_by, Timestamp::from_millis(20_000));
    world.elsewhere.set(|_| {});
    quiet_for(2_000).await;
    assert!(world.released.try_recv().is_err(), "the same release twice");
    world.elsewhere.set(|row| row.state = State::Queued);
    quiet_for(1_000).await;
    world.elsewhere.set(released);
    assert_eq!(world.released.recv().await.unwrap().call, CallNo::new(2));
}

#[tokio::test(start_paused = true)]
async fn what_a_worker_runs_is_left_to_the_workers() {
    let mut world = world();
    let mut reader = world.live.subscribe(ID);
    world.elsewhere.set(|row| {
        row.runner = Runner::Worker;
        released(row);
    });
    assert!(matches!(
        reader.next().await,
        Some(Update::State(State::Released))
    ));
    world.elsewhere.set(|row| row.state = State::Running);
    assert!(matches!(reader.next().await, Some(Update::Call(call)) if call == CallNo::new(1)));
    assert!(world.released.try_recv().is_err());
}

#[tokio::test(start_paused = true)]
async fn what_the_own_worker_tells_is_not_told_again_from_the_row() {
    let mut world = world();
    let mut reader = world.live.subscribe(ID);
    world.elsewhere.set(released);
    let call = world.released.recv().await.unwrap().call;
    let running = world.live.aborted(ID);
    world.live.publish(ID, Update::Call(call));
    world.elsewhere.set(|row| row.state = State::Running);
    let looks = world.elsewhere.looks();
    quiet_for(5_000).await;
    assert!(
        world.elsewhere.looks() - looks <= 3,
        "{} looks",
        world.elsewhere.looks() - looks
    );
    // A second word of the same call would throw its frames away.
    world
        .live
        .publish(ID, Update::Frame(bytes::Bytes::from_static(b"a")));
    assert!(matches!(reader.next().await, Some(Update::Call(_))));
    quiet_for(5_000).await;
    assert!(matches!(reader.next().await, Some(Update::Frame(_))));
    // The call was throttled: its request is looked for again at once.
    drop(running);
    world.elsewhere.set(released);
    quiet_for(50).await;
    assert_eq!(world.released.try_recv().unwrap().call, CallNo::new(2));
}

#[tokio::test(start_paused = true)]
async fn a_cancel_elsewhere_stops_the_call_here() {
    let world = world();
    world.elsewhere.set(|row| row.state = State::Running);
    let aborted = world.live.aborted(ID);
    quiet_for(5_000).await;
    assert!(world.elsewhere.looks() <= 3, "{} looks", world.elsewhere.looks());
    world.elsewhere.set(|row| row.state = State::Cancelled);
    aborted.await;
}

#[tokio::test(start_paused = true)]
async fn nobody_is_watched_for_whom_nobody_waits() {
    let world = world();
    world.elsewhere.set(|_| {});
    drop(world.live.subscribe(ID));
    quiet_for(1_000).await;
    let looks = world.elsewhere.looks();
    quiet_for(60_000).await;
    assert_eq!(world.elsewhere.looks(), looks);
    // Whoever comes back is watched for again.
    let mut reader = world.live.subscribe(ID);
    world.elsewhere.set(|row| row.state = State::Expired);
    loop {
        if let Some(Update::Ended(_)) = reader.next().await {
            break;
        }
    }
}
