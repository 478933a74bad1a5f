//! `Model`: one call upstream per invocation, its answer in order, its errors told apart.

use super::suite::cases;
use futures_util::StreamExt;
use smoother_core::ports::{BoxFuture, Model};
use smoother_core::{
    ModelCall, ModelError, ModelErrorKind, ModelEvent, ModelStream, Operation, ThrottleCause, Usage,
};
use std::sync::Arc;

/// What upstream is to do with a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Behaviour {
    /// Answer, having used this many input and output tokens.
    Answer(u64, u64),
    /// Refuse before anything is generated.
    Refuse(ModelErrorKind),
    /// Break an accepted answer in its middle by this error.
    Break(ModelErrorKind),
    /// Begin to answer, and stop; the answer stays open.
    Stall,
}

/// An upstream that does as told, and remembers.
pub trait Stand: Send + Sync {
    /// The port.
    fn model(&self) -> Arc<dyn Model>;

    /// A call by which upstream will behave so; no two are alike.
    fn call(&mut self, operation: Operation, behaviour: Behaviour) -> ModelCall;

    /// How many calls upstream has been sent.
    fn made(&self) -> usize;

    /// Resolves once upstream has seen its caller let go of `count` calls.
    fn dropped(&self, count: usize) -> BoxFuture<'_, ()>;

    /// Whether a call that does not stream can be dropped while upstream generates.
    fn notices_dropped_bodies(&self) -> bool;
}

type Upstream = Box<dyn Stand>;

cases! { Upstream;
    every_operation_is_answered_and_counted,
    every_refusal_is_told_apart_and_made_once,
    a_broken_answer_ends_with_its_error,
    dropping_a_stream_stops_the_call,
    dropping_a_call_that_was_not_accepted_stops_it,
    calls_do_not_wait_for_each_other,
}

async fn events(stream: ModelStream) -> Vec<Result<ModelEvent, ModelError>> {
    stream.events.collect().await
}

async fn every_operation_is_answered_and_counted(mut upstream: Upstream) {
    for operation in Operation::ALL {
        let call = upstream.call(operation, Behaviour::Answer(120, 37));
        let stream = upstream.model().call(call).await.unwrap();
        assert!(stream.head.upstream_request_id().is_some(), "{operation}");
        let mut events: Vec<_> = events(stream).await.into_iter().map(Result::unwrap).collect();
        let Some(ModelEvent::Usage(Usage { input, output, .. })) = events.pop() else {
            panic!("{operation}: the usage comes last");
        };
        assert_eq!((input.get(), output.get()), (120, 37), "{operation}");
        let mut generated = false;
        for event in &events {
            match event {
                ModelEvent::Frame { bytes, output } if operation.streams() => {
                    assert!(!bytes.is_empty());
                    generated |= output;
                }
                ModelEvent::Body(bytes) if !operation.streams() => {
                    assert!(!generated && !bytes.is_empty(), "{operation}: one body");
                    generated = true;
                }
                other => panic!("{operation} answered {other:?}"),
            }
        }
        assert!(generated, "{operation} generated nothing");
    }
    assert_eq!(upstream.made(), 4);
}

const REFUSALS: [ModelErrorKind; 11] = [
    ModelErrorKind::Throttled(ThrottleCause::Tokens),
    ModelErrorKind::Throttled(ThrottleCause::Requests),
    ModelErrorKind::Throttled(ThrottleCause::Day),
    ModelErrorKind::NotReady,
    ModelErrorKind::Validation,
    ModelErrorKind::AccessDenied,
    ModelErrorKind::NotFound,
    ModelErrorKind::Internal,
    ModelErrorKind::Unavailable,
    ModelErrorKind::ModelTimeout,
    ModelErrorKind::ModelFailed,
];

async fn every_refusal_is_told_apart_and_made_once(mut upstream: Upstream) {
    for operation in [Operation::Converse, Operation::InvokeWithResponseStream] {
        for kind in REFUSALS {
            let before = upstream.made();
            let call = upstream.call(operation, Behaviour::Refuse(kind));
            let error = upstream.model().call(call).await.unwrap_err();
            assert_eq!(error.kind, kind, "{operation}: {error}");
            assert!(error.status >= 400 && !error.exception.is_empty());
            assert_eq!(upstream.made(), before + 1, "{operation} {kind:?}");
        }
    }
}

async fn a_broken_answer_ends_with_its_error(mut upstream: Upstream) {
    let breaks = [
        ModelErrorKind::Throttled(ThrottleCause::Tokens),
        ModelErrorKind::Internal,
        ModelErrorKind::Unavailable,
        ModelErrorKind::ModelTimeout,
        ModelErrorKind::ModelFailed,
        ModelErrorKind::Cut,
    ];
    for operation in [Operation::ConverseStream, Operation::InvokeWithResponseStream] {
        for kind in breaks {
            let call = upstream.call(operation, Behaviour::Break(kind));
            let stream = upstream.model().call(call).await.unwrap();
            let mut events = events(stream).await;
            let last = events.pop().expect("an answer was begun");
            assert_eq!(last.unwrap_err().kind, kind, "{operation}");
            assert!(
                events
                    .iter()
                    .any(|event| matches!(event, Ok(ModelEvent::Frame { .. })))
            );
            assert!(events.iter().all(Result::is_ok), "one error, and it is the last");
        }
    }
}

async fn dropping_a_stream_stops_the_call(mut upstream: Upstream) {
    for n in 1..=3 {
        let call = upstream.call(Operation::ConverseStream, Behaviour::Stall);
        let mut stream = upstream.model().call(call).await.unwrap();
        assert!(stream.events.next().await.unwrap().is_ok());
        drop(stream);
        upstream.dropped(n).await;
    }
    assert_eq!(upstream.made(), 3);
}

async fn dropping_a_call_that_was_not_accepted_stops_it(mut upstream: Upstream) {
    if !upstream.notices_dropped_bodies() {
        return;
    }
    let call = upstream.call(Operation::Converse, Behaviour::Stall);
    let model = upstream.model();
    let calling = tokio::spawn(async move { model.call(call).await.map(drop) });
    while upstream.made() == 0 {
        tokio::task::yield_now().await;
    }
    calling.abort();
    upstream.dropped(1).await;
}

async fn calls_do_not_wait_for_each_other(mut upstream: Upstream) {
    let call = upstream.call(Operation::ConverseStream, Behaviour::Stall);
    let mut stalled = upstream.model().call(call).await.unwrap();
    assert!(stalled.events.next().await.unwrap().is_ok());
    let mut calls = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let call = upstream.call(Operation::ConverseStream, Behaviour::Answer(10, 5));
        let model = upstream.model();
        calls.spawn(async move { events(model.call(call).await.unwrap()).await });
    }
    for events in calls.join_all().await {
        assert!(events.iter().all(Result::is_ok));
    }
    drop(stalled);
    upstream.dropped(1).await;
}
