//! What the tests stand on: a store in a temporary directory, one lane's task, the workers' end of dispatch.

use super::faults::{CountingClock, Faults};
use crate::{Desk, Lane, LanePorts};
use bytes::Bytes;
use smoother_core::config::Config;
use smoother_core::ports::{
    Clock, Inserted, LaneQueue, NewRequest, PayloadRef, Pending, Released, Store, StoreError,
};
use smoother_core::request::Fresh;
use smoother_core::scheduler::{Event, Waiting};
use smoother_core::{Door, Estimate, Millis, ModelId, Operation, Request, RequestId, TenantId, Tokens};
use smoother_embedded::{DispatchChannel, LaneChannels, OpenOptions, SqliteStore};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

pub(super) struct Stage {
    pub(super) config: Config,
    pub(super) store: Arc<SqliteStore>,
    pub(super) faults: Arc<Faults>,
    pub(super) clock: Arc<CountingClock>,
    pub(super) queue: Arc<LaneChannels>,
    pub(super) desk: Desk,
    pub(super) released: UnboundedReceiver<Released>,
    stop: CancellationToken,
    task: JoinHandle<()>,
    numbers: AtomicU64,
}

impl Stage {
    /// A lane of 64 calls at once and 100,000 tokens a minute, with these settings besides, at work.
    pub(super) async fn start(dir: &Path, settings: &str) -> Self {
        let text = format!(
            "[lanes.a]\nmodel = \"m\"\nregion = \"us-east-1\"\ntokens_per_minute = 100000\noutput_burndown = 5\n{settings}"
        );
        let config = Config::load(Some(("test", &text)), None).unwrap();
        let lane = config.lanes.values().next().unwrap().clone();
        let clock = Arc::new(CountingClock::default());
        let store = SqliteStore::open(&OpenOptions::new(dir), clock.clone())
            .unwrap()
            .store;
        let (queue, mut events) = LaneChannels::new(config.lanes.keys().cloned());
        let queue = Arc::new(queue);
        let (desk, mut questions) = Desk::open([lane.id.clone()]);
        let (dispatch, released) = DispatchChannel::new();
        let faults = Arc::new(Faults::new(store.clone()));
        let ports = Arc::new(LanePorts {
            store: faults.clone(),
            payloads: store.clone(),
            dispatch: Arc::new(dispatch),
            lanes: queue.clone(),
            clock: clock.clone(),
        });
        let stop = CancellationToken::new();
        let task = Lane::load(&config, &lane, ports).await.unwrap().0.run(
            events.remove(&lane.id).unwrap(),
            questions.remove(&lane.id).unwrap(),
            stop.clone(),
        );
        let task = tokio::spawn(task);
        Self {
            config,
            store,
            faults,
            clock,
            queue,
            desk,
            released,
            stop,
            task,
            numbers: AtomicU64::new(0),
        }
    }

    /// A stored, QUEUED request that its lane has not heard of.
    pub(super) async fn store_request(&self, change: impl FnOnce(&mut Request)) -> Request {
        let (request, inserted) = self.begin_to_store(change);
        assert!(matches!(inserted.await.unwrap(), Inserted::Fresh));
        request
    }

    /// A request whose write is begun, and what comes of that.
    pub(super) fn begin_to_store(
        &self,
        change: impl FnOnce(&mut Request),
    ) -> (Request, Pending<Result<Inserted, StoreError>>) {
        let now = self.clock.now();
        let mut random = [0; 10];
        random[..8].copy_from_slice(&self.numbers.fetch_add(1, Ordering::Relaxed).to_be_bytes());
        let mut request = Request::fresh(Fresh {
            id: RequestId::fresh(now, random),
            tenant: TenantId::default(),
            lane: self.config.lanes.keys().next().unwrap().clone(),
            model: ModelId::new("m").unwrap(),
            operation: Operation::Converse,
            door: Door::Job,
            arrived_at: now,
            body_hash: [1; 32],
            body_bytes: 2,
            estimate: Estimate {
                input: Tokens::new(100),
                max_output: Tokens::new(400),
                expected_output: Tokens::new(50),
            },
        });
        change(&mut request);
        let body = PayloadRef::Inline(Bytes::from_static(b"{}"));
        let inserted = self.store.insert(NewRequest {
            request: request.clone(),
            body,
        });
        (request, inserted)
    }

    /// A stored request, and its lane told of it.
    pub(super) async fn arrive(&self, change: impl FnOnce(&mut Request)) -> Request {
        let request = self.store_request(change).await;
        self.tell(Event::Arrived(Waiting::priced(&request, 5))).await;
        request
    }

    pub(super) async fn tell(&self, event: Event) {
        let lane = self.config.lanes.keys().next().unwrap();
        self.queue.send(lane, event).await.unwrap();
    }

    /// The next release, within some seconds.
    pub(super) async fn next_release(&mut self) -> Released {
        tokio::time::timeout(Duration::from_secs(5), self.released.recv())
            .await
            .expect("no release")
            .unwrap()
    }

    /// Waits until the lane has asked the store for a change with this word.
    pub(super) async fn until_asked(&self, word: &str) {
        let asking = async {
            while self.faults.asked(word) == 0 {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(5), asking)
            .await
            .expect("the lane never asked for it");
    }

    /// Waits until the row of a request is as wanted.
    pub(super) async fn until(&self, id: RequestId, wanted: impl Fn(&Request) -> bool) -> Request {
        let looking = async {
            loop {
                let row = self.store.get(id).await.unwrap().unwrap();
                if wanted(&row) {
                    return row;
                }
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(5), looking)
            .await
            .expect("the row never came to be as wanted")
    }

    /// Stops the task as a shutdown does, and closes the store.
    pub(super) async fn stop(self) {
        self.stop.cancel();
        self.task.await.unwrap();
        self.store.close().await.unwrap();
    }

    /// How long after its arrival a request was released.
    pub(super) fn waited(row: &Request) -> Millis {
        row.released_at.unwrap().since(row.arrived_at)
    }
}
