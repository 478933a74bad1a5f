//! What the test holds in its hands: the lane's queue, and calls that wait for the model's answer.

use bytes::Bytes;
use smoother_core::ports::{BoxFuture, LaneQueue, Model, Pending, QueueError};
use smoother_core::scheduler::Event;
use smoother_core::{LaneId, ModelCall, ModelError, ModelEvent, ModelHead, ModelStream, Tokens, Usage};
use smoother_embedded::LaneChannels;
use std::sync::{Arc, Mutex};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::oneshot;

/// The lane's queue, whoever holds the lane just now.
pub struct Queue(Mutex<Arc<LaneChannels>>);

impl Queue {
    pub fn new(to: Arc<LaneChannels>) -> Self {
        Self(Mutex::new(to))
    }

    pub fn redirect(&self, to: Arc<LaneChannels>) {
        *self.0.lock().unwrap() = to;
    }
}

impl LaneQueue for Queue {
    fn send(&self, lane: &LaneId, event: Event) -> Pending<Result<(), QueueError>> {
        self.0.lock().unwrap().send(lane, event)
    }
}

/// A call that has gone upstream.
pub struct Upstream {
    pub call: ModelCall,
    answer: oneshot::Sender<&'static str>,
}

impl Upstream {
    /// 90 input and 40 output tokens' worth of this text.
    pub fn answer(self, text: &'static str) {
        assert!(
            self.answer.send(text).is_ok(),
            "nobody waits for the model any more"
        );
    }
}

/// A model whose answers are the test's.
pub struct Gate(UnboundedSender<Upstream>);

impl Gate {
    pub fn new() -> (Self, UnboundedReceiver<Upstream>) {
        let (calls, upstream) = unbounded_channel();
        (Self(calls), upstream)
    }
}

impl Model for Gate {
    fn call(&self, call: ModelCall) -> BoxFuture<'_, Result<ModelStream, ModelError>> {
        let (answer, answered) = oneshot::channel();
        self.0.send(Upstream { call, answer }).unwrap();
        Box::pin(async move {
            let text = answered.await.expect("the test has dropped the call");
            let usage = Usage {
                input: Tokens::new(90),
                output: Tokens::new(40),
                ..Usage::default()
            };
            let events = [
                ModelEvent::Body(Bytes::from_static(text.as_bytes())),
                ModelEvent::Usage(usage),
            ];
            Ok(ModelStream {
                head: ModelHead::default(),
                events: Box::pin(futures_util::stream::iter(events.map(Ok))),
            })
        })
    }
}
