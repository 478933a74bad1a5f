//! Messages on their way out, gathered into batches without waiting for any.

use super::batch;
use crate::fault::Fault;
use crate::retry::Patience;
use smoother_core::ports::{BoxFuture, Entropy, Mailbox, Message, Pending, QueueError};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::{Semaphore, oneshot};
use tokio::time::Instant;

/// Batches of one queue under way at once.
const AT_ONCE: usize = 4;

/// A message of a batch that was not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failed {
    /// Its place in the batch.
    pub index: usize,
    /// Whether sending it again may help.
    pub again: bool,
    /// What the service said.
    pub cause: String,
}

/// A batch of which nothing was taken, or nobody knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// Whether sending it again may help.
    pub again: bool,
    /// What the service said.
    pub cause: String,
}

impl From<Fault> for Refused {
    fn from(fault: Fault) -> Self {
        Self {
            again: matches!(fault, Fault::Busy(_) | Fault::Unsure(_)),
            cause: fault.to_string(),
        }
    }
}

/// Sends one batch.
pub trait Transport: Send + Sync + 'static {
    /// What it is called in errors and logs.
    fn name(&self) -> &'static str;

    /// The most bytes of a batch, and of one message: the services have one bound for both.
    fn most_bytes(&self) -> usize;

    /// Sends the messages, ten at most. `Ok` names those that were not taken.
    ///
    /// # Errors
    /// The call failed as a whole.
    fn send<'a>(&'a self, batch: &'a [Message]) -> BoxFuture<'a, Result<Vec<Failed>, Refused>>;
}

/// A queue or topic as a [`Mailbox`].
pub struct Outgoing {
    shared: Arc<Shared>,
}

struct Shared {
    transport: Box<dyn Transport>,
    patience: Patience,
    entropy: Arc<dyn Entropy>,
    waiting: Mutex<VecDeque<Parcel>>,
    under_way: Semaphore,
}

struct Parcel {
    message: Message,
    sent: oneshot::Sender<Result<(), QueueError>>,
}

impl Outgoing {
    /// Messages go out by this transport; `entropy` spreads the pauses of repeated ones.
    pub fn new(transport: impl Transport, entropy: Arc<dyn Entropy>) -> Self {
        Self {
            shared: Arc::new(Shared {
                transport: Box::new(transport),
                patience: Patience::default(),
                entropy,
                waiting: Mutex::default(),
                under_way: Semaphore::new(AT_ONCE),
            }),
        }
    }
}

impl Mailbox for Outgoing {
    fn post(&self, message: Message) -> Pending<Result<(), QueueError>> {
        let name = self.shared.transport.name();
        if let Err(refused) = batch::fits(name, &message, self.shared.transport.most_bytes()) {
            return Box::pin(std::future::ready(Err(refused)));
        }
        let (sent, outcome) = oneshot::channel();
        self.shared.lock().push_back(Parcel { message, sent });
        let shared = Arc::clone(&self.shared);
        // Begun here, so that it goes out whether or not somebody awaits it.
        tokio::spawn(async move { shared.send_next().await });
        Box::pin(async move {
            // Only a panic on the way drops the other end.
            outcome.await.unwrap_or_else(|_| {
                Err(QueueError::Failed {
                    queue: name,
                    cause: "the batch was lost on its way".to_owned(),
                })
            })
        })
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, VecDeque<Parcel>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends what waits by now, if another has not taken it along already.
    async fn send_next(&self) {
        let Ok(_place) = self.under_way.acquire().await else {
            return;
        };
        let batch: Vec<Parcel> = {
            let mut waiting = self.lock();
            let sizes = waiting.iter().map(|parcel| batch::size(&parcel.message));
            let count = batch::first(sizes, self.transport.most_bytes());
            waiting.drain(..count).collect()
        };
        if !batch.is_empty() {
            self.deliver(batch).await;
        }
    }

    async fn deliver(&self, mut parcels: Vec<Parcel>) {
        let began = Instant::now();
        let mut made = 0;
        while !parcels.is_empty() {
            let messages: Vec<Message> = parcels.iter().map(|parcel| parcel.message.clone()).collect();
            let failed = match self.transport.send(&messages).await {
                Ok(failed) => failed,
                Err(Refused { again, cause }) => (0..parcels.len())
                    .map(|index| Failed {
                        index,
                        again,
                        cause: cause.clone(),
                    })
                    .collect(),
            };
            made += 1;
            let pause = self.patience.pause(&*self.entropy, made);
            let last = made >= self.patience.tries || began.elapsed() + pause > self.patience.within;
            parcels = self.settle(parcels, &failed, last);
            if !parcels.is_empty() {
                tracing::debug!(
                    queue = self.transport.name(),
                    entries = parcels.len(),
                    made,
                    "sending again"
                );
                tokio::time::sleep(pause).await;
            }
        }
    }

    /// Tells who is through and who is refused for good; answers those to be sent again.
    fn settle(&self, parcels: Vec<Parcel>, failed: &[Failed], last: bool) -> Vec<Parcel> {
        let mut again = Vec::new();
        for (index, parcel) in parcels.into_iter().enumerate() {
            match failed.iter().find(|failed| failed.index == index) {
                // Whoever sent it may have stopped waiting.
                None => drop(parcel.sent.send(Ok(()))),
                Some(failed) if failed.again && !last => again.push(parcel),
                Some(failed) => self.refused(parcel, &failed.cause),
            }
        }
        again
    }

    fn refused(&self, parcel: Parcel, cause: &str) {
        let refused = QueueError::Failed {
            queue: self.transport.name(),
            cause: cause.to_owned(),
        };
        // As above.
        drop(parcel.sent.send(Err(refused)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;
    use tokio::sync::Notify;

    struct Zero;
    impl Entropy for Zero {
        fn bytes(&self) -> [u8; 10] {
            [0; 10]
        }
        fn below(&self, _: u64) -> u64 {
            0
        }
    }

    type Answer = Result<Vec<Failed>, Refused>;

    /// Answers as told, in order, then takes everything; keeps what it was given.
    #[derive(Clone, Default)]
    struct Scripted {
        answers: Arc<Mutex<VecDeque<Answer>>>,
        batches: Arc<Mutex<Vec<Vec<String>>>>,
        gate: Option<Arc<Notify>>,
    }

    impl Transport for Scripted {
        fn name(&self) -> &'static str {
            "the test's queue"
        }
        fn most_bytes(&self) -> usize {
            1 << 20
        }
        fn send<'a>(&'a self, batch: &'a [Message]) -> BoxFuture<'a, Answer> {
            let bodies = batch.iter().map(|message| message.body.clone()).collect();
            self.batches.lock().unwrap().push(bodies);
            Box::pin(async {
                if let Some(gate) = &self.gate {
                    gate.notified().await;
                }
                self.answers
                    .lock()
                    .unwrap()
                    .pop_front()
                    .unwrap_or_else(|| Ok(Vec::new()))
            })
        }
    }

    fn message(body: &str) -> Message {
        Message {
            body: body.to_owned(),
            attributes: Vec::new(),
        }
    }

    fn failed(index: usize, again: bool) -> Failed {
        Failed {
            index,
            again,
            cause: format!("code {index}"),
        }
    }

    fn scripted(answers: Vec<Answer>) -> (Scripted, Outgoing) {
        let transport = Scripted {
            answers: Arc::new(Mutex::new(answers.into())),
            ..Scripted::default()
        };
        (transport.clone(), Outgoing::new(transport, Arc::new(Zero)))
    }

    #[tokio::test(start_paused = true)]
    async fn what_comes_while_others_are_under_way_leaves_together() {
        let transport = Scripted {
            gate: Some(Arc::new(Notify::new())),
            ..Scripted::default()
        };
        let outgoing = Outgoing::new(transport.clone(), Arc::new(Zero));
        let mut sent = Vec::new();
        for number in 0..AT_ONCE {
            sent.push(outgoing.post(message(&number.to_string())));
            tokio::task::yield_now().await;
        }
        for number in AT_ONCE..AT_ONCE + 13 {
            sent.push(outgoing.post(message(&number.to_string())));
        }
        let gate = transport.gate.clone().unwrap();
        let open = tokio::spawn(async move {
            loop {
                gate.notify_waiters();
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        });
        for one in sent {
            one.await.unwrap();
        }
        open.abort();
        let sizes: Vec<usize> = transport.batches.lock().unwrap().iter().map(Vec::len).collect();
        assert_eq!(sizes, [1, 1, 1, 1, 10, 3]);
    }

    #[tokio::test(start_paused = true)]
    async fn failed_entries_are_sent_again_and_no_others() {
        let (transport, outgoing) = scripted(vec![Ok(vec![failed(0, true)])]);
        outgoing.post(message("a")).await.unwrap();
        assert_eq!(*transport.batches.lock().unwrap(), [["a"], ["a"]]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_failed_entry_harms_no_neighbour() {
        let transport = Scripted {
            answers: Arc::new(Mutex::new(
                vec![Ok(vec![failed(1, false), failed(2, true)])].into(),
            )),
            ..Scripted::default()
        };
        let outgoing = Outgoing::new(transport.clone(), Arc::new(Zero));
        // Posted in one go, they are one batch: the first task takes all three along.
        let sent = ["a", "b", "c"].map(|body| outgoing.post(message(body)));
        let [a, b, c] = sent;
        assert_eq!(a.await, Ok(()));
        let said = b.await.unwrap_err().to_string();
        assert!(
            said.contains("the test's queue") && said.contains("code 1"),
            "{said}"
        );
        assert_eq!(c.await, Ok(()));
        let batches = transport.batches.lock().unwrap().clone();
        assert_eq!(batches, [vec!["a", "b", "c"], vec!["c"]]);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_never_taken_is_told_in_the_end() {
        let (transport, outgoing) = scripted(vec![Ok(vec![failed(0, true)]); 100]);
        let said = outgoing.post(message("a")).await.unwrap_err().to_string();
        assert!(said.contains("code 0"), "{said}");
        let tries = Patience::default().tries as usize;
        assert_eq!(transport.batches.lock().unwrap().len(), tries);
    }

    fn refused(again: bool, cause: &str) -> Answer {
        Err(Refused {
            again,
            cause: cause.to_owned(),
        })
    }

    #[tokio::test(start_paused = true)]
    async fn a_busy_service_is_asked_again_with_the_whole_batch() {
        let (transport, outgoing) = scripted(vec![refused(true, "RequestThrottled"); 3]);
        let [a, b] = ["a", "b"].map(|body| outgoing.post(message(body)));
        assert_eq!((a.await, b.await), (Ok(()), Ok(())));
        assert_eq!(*transport.batches.lock().unwrap(), vec![vec!["a", "b"]; 4]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_that_fails_fails_its_whole_batch_and_the_next_one_goes() {
        let (_, outgoing) = scripted(vec![refused(false, "AccessDenied")]);
        let [a, b] = ["a", "b"].map(|body| outgoing.post(message(body)));
        assert!(a.await.is_err() && b.await.is_err());
        assert_eq!(outgoing.post(message("c")).await, Ok(()));
    }

    #[tokio::test(start_paused = true)]
    async fn a_message_that_nobody_awaits_goes_all_the_same() {
        let (transport, outgoing) = scripted(Vec::new());
        drop(outgoing.post(message("a")));
        while transport.batches.lock().unwrap().is_empty() {
            tokio::task::yield_now().await;
        }
    }
}
