use smoother_core::ports::{BoxFuture, LaneQueue, LaneViews, Pending, QueueError};
use smoother_core::scheduler::{Event, Forecast, LaneView, Scheduler, TurnedAway, Waiting};
use smoother_core::{LaneId, RequestId, Timestamp};
use std::sync::Mutex as StdMutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use tokio::sync::{Mutex, mpsc};

const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);

/// Lanes that only note what they are told.
pub(crate) struct Lanes {
    to: mpsc::UnboundedSender<(LaneId, Event)>,
    from: Mutex<mpsc::UnboundedReceiver<(LaneId, Event)>>,
    told: AtomicUsize,
    closed: AtomicBool,
    failing: AtomicBool,
    /// The scheduler that tells how a lane stands, where a test has put one there.
    scheduler: StdMutex<Option<Scheduler>>,
}

impl Lanes {
    pub(super) fn new() -> Self {
        let (to, from) = mpsc::unbounded_channel();
        Self {
            to,
            from: Mutex::new(from),
            told: AtomicUsize::new(0),
            closed: AtomicBool::new(false),
            failing: AtomicBool::new(false),
            scheduler: StdMutex::default(),
        }
    }

    pub(super) async fn next(&self) -> Event {
        self.from.lock().await.recv().await.unwrap().1
    }

    /// How many events there have been.
    pub(crate) fn told(&self) -> usize {
        self.told.load(Ordering::SeqCst)
    }

    /// Lets a lane's own scheduler take its events and tell how it stands.
    pub(crate) fn run(&self, scheduler: Scheduler) {
        *self.scheduler.lock().unwrap() = Some(scheduler);
    }

    pub(crate) fn close(&self) {
        self.closed.store(true, Ordering::SeqCst);
    }
}

impl Lanes {
    /// As a queue's service that fails.
    pub(crate) fn fail(&self) {
        self.failing.store(true, Ordering::SeqCst);
    }
}

impl LaneQueue for Lanes {
    fn send(&self, lane: &LaneId, event: Event) -> Pending<Result<(), QueueError>> {
        if self.failing.load(Ordering::SeqCst) {
            let (queue, cause) = ("a lane's queue", "RequestThrottled".to_owned());
            return Box::pin(async move { Err(QueueError::Failed { queue, cause }) });
        }
        if self.closed.load(Ordering::SeqCst) {
            return Box::pin(async { Err(QueueError::Closed("the lane queue")) });
        }
        self.told.fetch_add(1, Ordering::SeqCst);
        if let Some(scheduler) = &mut *self.scheduler.lock().unwrap() {
            scheduler.step(NOW, event.clone());
        }
        self.to.send((lane.clone(), event)).unwrap();
        Box::pin(async { Ok(()) })
    }
}

impl LaneViews for Lanes {
    fn lanes(&self) -> Vec<LaneId> {
        Vec::new()
    }

    fn view(&self, _lane: &LaneId) -> BoxFuture<'_, Option<LaneView>> {
        let view = self.scheduler.lock().unwrap().as_ref().map(|s| s.view(NOW));
        Box::pin(async { view })
    }

    fn admit(
        &self,
        _lane: &LaneId,
        newcomer: Waiting,
    ) -> BoxFuture<'_, Option<Result<Forecast, TurnedAway>>> {
        let mut scheduler = self.scheduler.lock().unwrap();
        let said = scheduler
            .as_mut()
            .map(|lane| lane.admit(NOW, &newcomer, &mut Vec::new()));
        Box::pin(async { said })
    }

    fn forecast(&self, _lane: &LaneId, _id: RequestId) -> BoxFuture<'_, Option<Forecast>> {
        let start = Timestamp::from_millis(1_800_000_060_000);
        Box::pin(async move {
            Some(Forecast {
                position: 3,
                start,
                earliest: start,
            })
        })
    }
}
