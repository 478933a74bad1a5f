//! The queues on SQS and the live log in front of the table, held to the one suite: in calm weather, and where every
//! third call is spoiled.

use super::emulator;
use super::stand::Place;
use super::weather::Weather;
use aws_sdk_sqs::Client;
use serde::de::DeserializeOwned;
use smoother_aws::Watching;
use smoother_aws::queues::{DispatchQueue, LaneInboxes, LaneQueues, Outgoing, SqsQueue, polling, sending};
use smoother_aws::wake::Wake;
use smoother_core::ports::{BoxFuture, Inbox, Live, Released};
use smoother_core::scheduler::Event;
use smoother_core::{LaneId, Millis};
use smoother_embedded::{Hub, OsEntropy};
use smoother_tests::conformance::queues::{self, Promises, Receives, Stand};
use smoother_tests::conformance::{live, pass};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

/// Whoever reads these queues is awake.
struct Awake;

impl Wake for Awake {
    fn told<'a>(&'a self, _lane: &'a LaneId) -> BoxFuture<'a, ()> {
        Box::pin(std::future::ready(()))
    }
}

/// What a lane's holder takes up, event by event.
struct Holder {
    inboxes: Arc<LaneInboxes>,
    lane: LaneId,
    read: VecDeque<Event>,
}

impl Receives<Event> for Holder {
    fn next(&mut self) -> BoxFuture<'_, Option<Event>> {
        Box::pin(async move {
            while self.read.is_empty() {
                // A poll that fails is made again; what it would have brought is still there.
                let polled = self.inboxes.receive(&self.lane, Millis::from_secs(20)).await;
                let polled = polled.unwrap_or_default();
                let receipts = polled.iter().map(|one| one.receipt.clone()).collect();
                self.inboxes.done(&self.lane, receipts).await;
                self.read.extend(polled.into_iter().map(|one| one.event));
            }
            self.read.pop_front()
        })
    }
}

/// What reaches the workers, as Lambda's poller would hand it to them.
struct Poller<T> {
    client: Client,
    url: String,
    read: VecDeque<T>,
}

impl<T: DeserializeOwned + Send> Receives<T> for Poller<T> {
    fn next(&mut self) -> BoxFuture<'_, Option<T>> {
        Box::pin(async move {
            while self.read.is_empty() {
                let poll = self.client.receive_message().queue_url(&self.url);
                let polled = poll
                    .max_number_of_messages(10)
                    .wait_time_seconds(20)
                    .send()
                    .await
                    .unwrap();
                for message in polled.messages.unwrap_or_default() {
                    self.read
                        .push_back(serde_json::from_str(message.body().unwrap()).unwrap());
                    let done = self.client.delete_message().queue_url(&self.url);
                    done.set_receipt_handle(message.receipt_handle)
                        .send()
                        .await
                        .unwrap();
                }
            }
            self.read.pop_front()
        })
    }
}

async fn fresh_queue(what: &str) -> String {
    let client = sending(&Weather::default().environment());
    let made = client.create_queue().queue_name(emulator::fresh(what)).send();
    made.await.unwrap().queue_url.unwrap()
}

async fn stand(weather: &Weather) -> Stand {
    let environment = weather.environment();
    let outgoing = |url: &str, name| {
        let queue = SqsQueue::new(sending(&environment), url, name);
        Outgoing::new(queue, Arc::new(OsEntropy))
    };
    let mut urls = BTreeMap::new();
    for name in ["a", "b"] {
        urls.insert(LaneId::new(name).unwrap(), fresh_queue(name).await);
    }
    let dispatched = fresh_queue("dispatch").await;
    let into = urls
        .iter()
        .map(|(lane, url)| (lane.clone(), outgoing(url, "a lane's queue")));
    let inboxes = Arc::new(LaneInboxes::new(polling(&environment), urls.clone()));
    let holder = |lane: &LaneId| Holder {
        inboxes: Arc::clone(&inboxes),
        lane: lane.clone(),
        read: VecDeque::new(),
    };
    let events = urls
        .keys()
        .map(|lane| (lane.clone(), Box::new(holder(lane)) as Box<dyn Receives<Event>>));
    Stand {
        lanes: Arc::new(LaneQueues::new(into.collect(), Arc::new(Awake))),
        events: events.collect(),
        dispatch: Arc::new(DispatchQueue::new(outgoing(&dispatched, "the dispatch queue"))),
        released: Box::new(Poller::<Released> {
            client: polling(&Weather::default().environment()),
            url: dispatched,
            read: VecDeque::new(),
        }),
        promises: Promises {
            in_order_once: false,
            refuses_when_closed: false,
        },
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_queues() {
    pass(queues::CASES, || async { stand(&Weather::default()).await }).await;
}

/// Sends and polls are throttled, break, and are made though their answers are lost.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_queues_in_a_storm() {
    let weather = Weather::storm(6);
    pass(queues::CASES, || async { stand(&weather).await }).await;
    assert!(
        weather.spoiled() > 20,
        "a storm spoils {} calls",
        weather.spoiled()
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_live_log_in_front_of_a_table() {
    let store = Arc::new(Place::fresh().await.store(&Weather::default()));
    pass(live::CASES, || async {
        Arc::new(Watching::new(Arc::new(Hub::new()), store.clone(), None)) as Arc<dyn Live>
    })
    .await;
}
