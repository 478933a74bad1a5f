//! An upstream that answers every call at once, in the form of its operation.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use aws_smithy_eventstream::frame::write_message_to;
use aws_smithy_types::event_stream::{Header, HeaderValue, Message};
use bytes::Bytes;
use futures_util::stream;
use memchr::memmem;
use smoother_core::model::{FreeAnswer, FreeCall};
use smoother_core::ports::{BoxFuture, FreeCalls, Model};
use smoother_core::verdict::wire_name;
use smoother_core::{
    CallNo, ModelCall, ModelError, ModelErrorKind, ModelEvent, ModelHead, ModelStream, Operation, RequestId,
    Tokens, Usage,
};

/// A prompt that holds this fails by its request's first call, and by no later one.
pub const FAILS_ONCE: &str = "[[fails once]]";

/// Answers every call at once, and keeps what it was sent until somebody asks.
#[derive(Debug, Default)]
pub struct Upstream {
    sent: Mutex<HashMap<RequestId, Bytes>>,
}

impl Upstream {
    /// The body of a request's call, once.
    pub fn take(&self, id: RequestId) -> Option<Bytes> {
        self.sent
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&id)
    }
}

impl Model for Upstream {
    fn call(&self, call: ModelCall) -> BoxFuture<'_, Result<ModelStream, ModelError>> {
        let fails =
            call.number == CallNo::new(1) && memmem::find(&call.body, FAILS_ONCE.as_bytes()).is_some();
        let mut sent = self.sent.lock().unwrap_or_else(PoisonError::into_inner);
        sent.insert(call.request, call.body);
        drop(sent);
        Box::pin(async move {
            if fails {
                return Err(failure());
            }
            Ok(ModelStream {
                head: head(call.operation),
                events: Box::pin(stream::iter(events_of(call.operation).into_iter().map(Ok))),
            })
        })
    }
}

impl FreeCalls for Upstream {
    fn forward(&self, _call: FreeCall) -> BoxFuture<'_, Result<FreeAnswer, ModelError>> {
        Box::pin(async {
            Ok(FreeAnswer {
                head: head(Operation::Converse),
                body: Bytes::from_static(b"{\"inputTokens\":12}"),
            })
        })
    }
}

fn failure() -> ModelError {
    let kind = ModelErrorKind::Internal;
    let (status, exception) = wire_name(kind);
    ModelError {
        kind,
        status,
        exception: exception.to_owned(),
        message: "It was to fail once.".to_owned(),
        headers: Vec::new(),
        retry_after_ms: None,
    }
}

/// A good answer, event by event.
pub fn events_of(operation: Operation) -> Vec<ModelEvent> {
    let mut events: Vec<ModelEvent> = if operation.streams() {
        let frames = frames_of(operation).into_iter();
        frames
            .map(|bytes| ModelEvent::Frame { bytes, output: true })
            .collect()
    } else {
        vec![ModelEvent::Body(whole(operation))]
    };
    events.push(ModelEvent::Usage(Usage {
        input: Tokens::new(12),
        output: Tokens::new(34),
        ..Usage::default()
    }));
    events
}

/// The head of a good answer.
pub fn head(operation: Operation) -> ModelHead {
    let content_type = if operation.streams() {
        "application/vnd.amazon.eventstream"
    } else {
        "application/json"
    };
    ModelHead {
        content_type: content_type.to_owned(),
        headers: Vec::new(),
    }
}

/// What the upstream answers, in whole: the body, or its frames in a row.
pub fn answer_to(operation: Operation) -> Bytes {
    if operation.streams() {
        frames_of(operation).concat().into()
    } else {
        whole(operation)
    }
}

fn whole(operation: Operation) -> Bytes {
    if operation.is_converse() {
        Bytes::from_static(
            br#"{"output":{"message":{"role":"assistant","content":[{"text":"Hi."}]}},"stopReason":"end_turn","usage":{"inputTokens":12,"outputTokens":34,"totalTokens":46}}"#,
        )
    } else {
        Bytes::from_static(br#"{"content":[{"type":"text","text":"Hi."}]}"#)
    }
}

/// A whole stream of the operation, frame by frame.
pub fn frames_of(operation: Operation) -> Vec<Bytes> {
    if operation.is_converse() {
        let usage =
            r#"{"metrics":{"latencyMs":5},"usage":{"inputTokens":12,"outputTokens":34,"totalTokens":46}}"#;
        [
            ("messageStart", r#"{"role":"assistant"}"#),
            (
                "contentBlockDelta",
                r#"{"contentBlockIndex":0,"delta":{"text":"Hi \u00e9"}}"#,
            ),
            ("contentBlockStop", r#"{"contentBlockIndex":0}"#),
            ("messageStop", r#"{"stopReason":"end_turn"}"#),
            ("metadata", usage),
        ]
        .into_iter()
        .map(|(event, payload)| {
            frame(
                &[(":event-type", event), (":message-type", "event")],
                payload.as_bytes(),
            )
        })
        .collect()
    } else {
        [
            r#"{"bytes":"eyJ0eXBlIjoibWVzc2FnZV9zdGFydCJ9"}"#,
            r#"{"bytes":"eyJ0eXBlIjoiY29udGVudF9ibG9ja19kZWx0YSJ9"}"#,
            // {"amazon-bedrock-invocationMetrics":{"inputTokenCount":12,"outputTokenCount":34}}
            r#"{"bytes":"eyJhbWF6b24tYmVkcm9jay1pbnZvY2F0aW9uTWV0cmljcyI6eyJpbnB1dFRva2VuQ291bnQiOjEyLCJvdXRwdXRUb2tlbkNvdW50IjozNH19"}"#,
        ]
        .into_iter()
        .map(|payload| frame(&[(":event-type", "chunk"), (":message-type", "event")], payload.as_bytes()))
        .collect()
    }
}

/// One event-stream message; empty where it cannot be written.
pub fn frame(headers: &[(&str, &str)], payload: &[u8]) -> Bytes {
    let mut message = Message::new(Bytes::copy_from_slice(payload));
    for (name, value) in headers {
        let value = HeaderValue::String((*value).to_owned().into());
        message = message.add_header(Header::new((*name).to_owned(), value));
    }
    let mut bytes = Vec::new();
    if write_message_to(&message, &mut bytes).is_err() {
        bytes.clear();
    }
    bytes.into()
}
