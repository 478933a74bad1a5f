use smoother_core::ports::{BoxFuture, LaneQueue, LaneViews, Pending, QueueError};
use smoother_core::scheduler::{Event, Forecast, LaneView};
use smoother_core::{LaneId, RequestId, Timestamp};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use tokio::sync::{Mutex, mpsc};

/// Lanes that only note what they are told.
pub(crate) struct Lanes {
    to: mpsc::UnboundedSender<(LaneId, Event)>,
    from: Mutex<mpsc::UnboundedReceiver<(LaneId, Event)>>,
    told: AtomicUsize,
    closed: AtomicBool,
}

impl Lanes {
    pub(super) fn new() -> Self {
        let (to, from) = mpsc::unbounded_channel();
        Self {
            to,
            from: Mutex::new(from),
            told: AtomicUsize::new(0),
            closed: AtomicBool::new(false),
        }
    }

    pub(super) async fn next(&self) -> Event {
        self.from.lock().await.recv().await.unwrap().1
    }

    /// How many events there have been.
    pub(crate) fn told(&self) -> usize {
        self.told.load(Ordering::SeqCst)
    }

    pub(crate) fn close(&self) {
        self.closed.store(true, Ordering::SeqCst);
    }
}

impl LaneQueue for Lanes {
    fn send(&self, lane: &LaneId, event: Event) -> Pending<Result<(), QueueError>> {
        if self.closed.load(Ordering::SeqCst) {
            return Box::pin(async { Err(QueueError::Closed("the lane queue")) });
        }
        self.told.fetch_add(1, Ordering::SeqCst);
        self.to.send((lane.clone(), event)).unwrap();
        Box::pin(async { Ok(()) })
    }
}

impl LaneViews for Lanes {
    fn lanes(&self) -> Vec<LaneId> {
        Vec::new()
    }

    fn view(&self, _lane: &LaneId) -> BoxFuture<'_, Option<LaneView>> {
        Box::pin(async { None })
    }

    fn forecast(&self, _lane: &LaneId, _id: RequestId) -> BoxFuture<'_, Option<Forecast>> {
        let start = Timestamp::from_millis(1_800_000_060_000);
        Box::pin(async move { Some(Forecast { position: 3, start }) })
    }
}
