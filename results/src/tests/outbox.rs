//! Telling: at least once, in order, whatever fails.

use super::world::{World, completed, job};
use crate::{Notify, NotifyError};
use smoother_core::RequestId;
use smoother_core::ports::{BoxFuture, Live, OutboxEntry, Update};
use std::future::ready;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

fn run(world: &World) -> (JoinHandle<()>, CancellationToken) {
    let stop = CancellationToken::new();
    let task = tokio::spawn(Arc::clone(&world.results).run_outbox(stop.clone()));
    (task, stop)
}

async fn marked(world: &World, seq: u64) {
    let mut marks = world.outbox.marks.subscribe();
    marks.wait_for(|marks| marks.last() == Some(&seq)).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn readers_hear_of_an_end_and_it_leaves_the_outbox() {
    let world = World::new();
    let row = completed(job(1));
    let mut reader = world.live.subscribe(row.id);
    let (task, stop) = run(&world);
    world.outbox.push(1, row.clone());
    let Some(Update::Ended(end)) = reader.next().await else {
        panic!("the reader was told something else");
    };
    assert_eq!(end.request, row);
    assert!(end.result.is_none());
    marked(&world, 1).await;
    assert!(world.outbox.waiting.lock().unwrap().is_empty());
    stop.cancel();
    task.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_failing_outbox_is_asked_again() {
    let world = World::new();
    world.outbox.failures.store(5, Ordering::Relaxed);
    for n in 1..=3 {
        world.outbox.push(n.into(), completed(job(n)));
    }
    let (task, stop) = run(&world);
    marked(&world, 3).await;
    stop.cancel();
    task.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn what_was_told_just_before_the_stop_is_marked() {
    let world = World::new();
    let row = completed(job(1));
    let mut reader = world.live.subscribe(row.id);
    let (task, stop) = run(&world);
    world.outbox.push(1, row);
    reader.next().await.unwrap();
    stop.cancel();
    task.await.unwrap();
    assert_eq!(*world.outbox.marks.borrow(), [1]);
}

/// Refuses every entry a few times before it takes it.
#[derive(Default)]
struct Stubborn {
    refusals: Mutex<u32>,
    taken: Mutex<Vec<RequestId>>,
}

impl Notify for Stubborn {
    fn name(&self) -> &'static str {
        "stubborn"
    }

    fn ended<'a>(&'a self, entry: &'a OutboxEntry) -> BoxFuture<'a, Result<(), NotifyError>> {
        let mut refusals = self.refusals.lock().unwrap();
        *refusals += 1;
        Box::pin(ready(if (*refusals).is_multiple_of(3) {
            self.taken.lock().unwrap().push(entry.request.id);
            Ok(())
        } else {
            Err(NotifyError {
                listener: "stubborn",
                cause: "not now".to_owned(),
            })
        }))
    }
}

#[tokio::test(start_paused = true)]
async fn a_failing_hook_gets_everything_in_order_and_holds_no_reader_back() {
    let hook = Arc::new(Stubborn::default());
    let world = World::with(vec![hook.clone()]);
    let ids: Vec<RequestId> = (1..=4).map(|n| job(n).id).collect();
    let mut last = world.live.subscribe(ids[3]);
    let (task, stop) = run(&world);
    for n in 1..=4 {
        world.outbox.push(n.into(), completed(job(n)));
    }
    assert!(matches!(last.next().await, Some(Update::Ended(_))));
    assert!(hook.taken.lock().unwrap().is_empty(), "the reader came first");
    marked(&world, 4).await;
    assert_eq!(*hook.taken.lock().unwrap(), ids);
    stop.cancel();
    task.await.unwrap();
}
