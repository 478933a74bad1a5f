//! Queues as SQS has them: they outlive every process, what is taken comes again until it is done with, and messages
//! may be late, twice and out of order.

use super::fault::{Fate, Touched};
use super::process::{Condition, Process};
use super::queues::request_of;
use super::{World, lock};
use smoother_core::ports::{BoxFuture, Dispatch, Inbox, LaneQueue, Pending, QueueError, Received, Released};
use smoother_core::scheduler::Event;
use smoother_core::{LaneId, Millis, RequestId};
use std::collections::BTreeMap;
use std::future::{pending, ready};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::Instant;

/// As many as SQS gives out at once.
const MOST: usize = 10;

#[derive(Debug)]
struct Letter<T> {
    message: T,
    visible: Instant,
    times: u32,
}

/// One queue. Clones are the same queue.
#[derive(Debug)]
pub struct Mail<T>(Arc<Shared<T>>);

#[derive(Debug)]
struct Shared<T> {
    world: World,
    touched: Touched,
    name: &'static str,
    /// What is taken is hidden so long, and comes again then.
    hidden_for: Duration,
    letters: Mutex<BTreeMap<u64, Letter<T>>>,
    sent: Mutex<u64>,
    bell: Notify,
}

impl<T> Clone for Mail<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

/// A message that was taken and is not done with.
#[derive(Debug, Clone)]
pub struct Taken<T> {
    /// The message.
    pub message: T,
    /// Give this back to have it no more.
    pub receipt: String,
    /// It was taken before.
    pub again: bool,
}

impl<T: Clone + Send + 'static> Mail<T> {
    fn new(world: &World, touched: Touched, name: &'static str, hidden_for: Duration) -> Self {
        Self(Arc::new(Shared {
            world: world.clone(),
            touched,
            name,
            hidden_for,
            letters: Mutex::default(),
            sent: Mutex::new(0),
            bell: Notify::new(),
        }))
    }

    fn put(&self, message: T, later: Duration) {
        let number = {
            let mut sent = lock(&self.0.sent);
            *sent += 1;
            *sent
        };
        let letter = Letter {
            message,
            visible: Instant::now() + later,
            times: 0,
        };
        lock(&self.0.letters).insert(number, letter);
        self.0.bell.notify_waiters();
    }

    /// Sends a message, as far as the plan of faults lets it.
    pub fn send(&self, from: &Process, request: Option<RequestId>, message: T) -> Result<(), QueueError> {
        let failed = || QueueError::Failed {
            queue: self.0.name,
            cause: "a fault was planned for it".to_owned(),
        };
        match self.0.world.fate(from.point(self.0.touched, request)) {
            Fate::Proceed => self.put(message, Duration::ZERO),
            Fate::Delay(by) => self.put(message, by),
            Fate::Duplicate => {
                self.put(message.clone(), Duration::ZERO);
                self.put(message, Duration::ZERO);
            }
            Fate::FailAfter => {
                self.put(message, Duration::ZERO);
                return Err(failed());
            }
            // What SQS has taken it does not lose.
            Fate::FailBefore | Fate::Lose => return Err(failed()),
        }
        Ok(())
    }

    fn take(&self) -> Vec<Taken<T>> {
        let now = Instant::now();
        let mut letters = lock(&self.0.letters);
        let visible = letters.iter_mut().filter(|(_, letter)| letter.visible <= now);
        visible
            .take(MOST)
            .map(|(number, letter)| {
                letter.visible = now + self.0.hidden_for;
                letter.times += 1;
                Taken {
                    message: letter.message.clone(),
                    receipt: format!("{number}.{}", letter.times),
                    again: letter.times > 1,
                }
            })
            .collect()
    }

    /// Takes the next few, as soon as there is one; none after `wait`.
    pub async fn receive(&self, wait: Duration) -> Vec<Taken<T>> {
        let until = Instant::now() + wait;
        loop {
            // Listening comes first, so that a message between the look and the wait is not missed.
            let mut rung = std::pin::pin!(self.0.bell.notified());
            rung.as_mut().enable();
            let taken = self.take();
            let next = lock(&self.0.letters).values().map(|letter| letter.visible).min();
            if !taken.is_empty() || Instant::now() >= until {
                return taken;
            }
            tokio::select! {
                biased;
                () = rung => {}
                () = tokio::time::sleep_until(next.map_or(until, |next| next.min(until))) => {}
            }
        }
    }

    /// These are done with, unless they have come again since.
    pub fn done(&self, receipts: &[String]) {
        let mut letters = lock(&self.0.letters);
        for receipt in receipts {
            let Some((number, times)) = receipt.split_once('.') else {
                continue;
            };
            let Ok(number) = number.parse::<u64>() else {
                continue;
            };
            if letters
                .get(&number)
                .is_some_and(|letter| letter.times.to_string() == times)
            {
                letters.remove(&number);
            }
        }
    }

    /// How many messages are there, hidden ones included.
    pub fn len(&self) -> usize {
        lock(&self.0.letters).len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// The lanes' queues and the dispatch queue of a world.
#[derive(Debug, Clone)]
pub struct Post {
    lanes: BTreeMap<LaneId, Mail<Event>>,
    /// To the workers.
    pub dispatch: Mail<Released>,
}

impl Post {
    /// Queues for these lanes; what is taken and not done with comes again after `hidden_for`.
    pub fn new(world: &World, lanes: impl IntoIterator<Item = LaneId>, hidden_for: Duration) -> Self {
        let queue = |lane| {
            (
                lane,
                Mail::new(world, Touched::LaneQueue, "a lane's queue", hidden_for),
            )
        };
        Self {
            lanes: lanes.into_iter().map(queue).collect(),
            dispatch: Mail::new(world, Touched::Dispatch, "the dispatch queue", hidden_for),
        }
    }

    /// One lane's queue.
    pub fn lane(&self, lane: &LaneId) -> Option<&Mail<Event>> {
        self.lanes.get(lane)
    }

    /// The queues as a process uses them.
    pub fn of(&self, process: &Process) -> PostOffice {
        PostOffice {
            post: self.clone(),
            process: process.clone(),
        }
    }
}

/// The queues as one process uses them: `LaneQueue`, `Inbox` and `Dispatch`.
#[derive(Debug, Clone)]
pub struct PostOffice {
    post: Post,
    process: Process,
}

impl PostOffice {
    /// What came, if this process still lives.
    async fn alive<T>(&self, value: T) -> T {
        match self.process.condition() {
            Condition::Dead => pending().await,
            Condition::Up | Condition::Closed => value,
        }
    }
}

impl LaneQueue for PostOffice {
    fn send(&self, lane: &LaneId, event: Event) -> Pending<Result<(), QueueError>> {
        if self.process.condition() == Condition::Dead {
            return Box::pin(pending());
        }
        let Some(queue) = self.post.lanes.get(lane) else {
            return Box::pin(ready(Err(QueueError::UnknownLane(lane.clone()))));
        };
        let request = request_of(&event);
        Box::pin(ready(queue.send(&self.process, request, event)))
    }
}

impl Inbox for PostOffice {
    fn receive(&self, lane: &LaneId, wait: Millis) -> BoxFuture<'_, Result<Vec<Received>, QueueError>> {
        let queue = self
            .post
            .lanes
            .get(lane)
            .cloned()
            .ok_or(QueueError::UnknownLane(lane.clone()));
        Box::pin(async move {
            let taken = queue?.receive(wait.into()).await;
            let received = taken.into_iter().map(|taken| Received {
                event: taken.message,
                receipt: taken.receipt,
                again: taken.again,
            });
            Ok(self.alive(received.collect()).await)
        })
    }

    fn done(&self, lane: &LaneId, receipts: Vec<String>) -> Pending<()> {
        if self.process.condition() == Condition::Dead {
            return Box::pin(pending());
        }
        if let Some(queue) = self.post.lanes.get(lane) {
            queue.done(&receipts);
        }
        Box::pin(ready(()))
    }
}

impl Dispatch for PostOffice {
    fn send(&self, released: Vec<Released>) -> Pending<Result<(), QueueError>> {
        if self.process.condition() == Condition::Dead {
            return Box::pin(pending());
        }
        let mut sent = Ok(());
        for one in released {
            let request = Some(one.request);
            sent = sent.and(self.post.dispatch.send(&self.process, request, one));
        }
        Box::pin(ready(sent))
    }
}
