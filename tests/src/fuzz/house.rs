//! The whole pipeline without a socket: every stage, the real store in a folder of its own, and an upstream that
//! answers at once and remembers what it was sent.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Context;
use aws_smithy_eventstream::frame::write_message_to;
use aws_smithy_types::event_stream::{Header, HeaderValue, Message};
use axum::Router;
use bytes::Bytes;
use futures_util::stream;
use smoother_core::config::{Config, Durability};
use smoother_core::model::{FreeAnswer, FreeCall};
use smoother_core::ports::{BoxFuture, FreeCalls, Model};
use smoother_core::{
    LaneId, ModelCall, ModelError, ModelEvent, ModelHead, ModelStream, Operation, RequestId, Timestamp,
    Tokens, Usage,
};
use smoother_embedded::{
    DispatchChannel, Hub, LaneChannels, OpenOptions, OsEntropy, SqliteStore, SystemClock,
};
use smoother_ingest::{Ingest, IngestPorts};
use smoother_prioritizer::{Desk, Lane, LanePorts};
use smoother_results::{
    Probes, Readiness, Results, ResultsConfig, ResultsPorts, no_such_door, no_such_method,
};
use smoother_worker::{OpeningPace, Worker, WorkerPorts};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

/// The models of the house's lanes, one of each family that is read differently.
const CONFIG: &str = r#"
[server]
durability = "relaxed"
[lanes.wide]
models = ["us.anthropic.claude-sonnet-4-5-20250929-v1:0", "amazon.nova-lite-v1:0", "amazon.titan-text-express-v1",
  "meta.llama3-8b-instruct-v1:0", "acme.unknown-v1:0"]
region = "us-east-1"
tokens_per_minute = 1000000000000
max_concurrency = 1000
max_output_tokens = 64000
[lanes.other]
model = "us.anthropic.claude-haiku-4-5-20251001-v1:0"
region = "us-west-2"
tokens_per_minute = 100000
"#;

/// The pipeline. Its tasks end when it is dropped.
pub struct House {
    /// Every door.
    pub router: Router,
    /// What is stored.
    pub store: Arc<SqliteStore>,
    /// What was sent upstream.
    pub upstream: Arc<Upstream>,
    stop: CancellationToken,
    _dir: TempDir,
}

impl std::fmt::Debug for House {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("House").finish_non_exhaustive()
    }
}

impl Drop for House {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl House {
    /// Wires it and starts every task.
    ///
    /// # Errors
    /// The store cannot be opened.
    pub async fn build() -> anyhow::Result<Self> {
        let config = Config::load(Some(("the house", CONFIG)), None)?;
        let dir = tempfile::tempdir()?;
        let clock = Arc::new(SystemClock::new(Timestamp::EPOCH));
        let options = OpenOptions {
            durability: Durability::Relaxed,
            ..OpenOptions::new(dir.path())
        };
        let store = SqliteStore::open(&options, clock.clone())?.store;
        let upstream = Arc::new(Upstream::default());
        let hub = Arc::new(Hub::new());
        let (channels, mut events) = LaneChannels::new(config.lanes.keys().cloned());
        let (desk, mut questions) = Desk::open(config.lanes.keys().cloned());
        let (dispatch, released) = DispatchChannel::new();
        let (channels, desk) = (Arc::new(channels), Arc::new(desk));
        let ingest = Ingest::new(
            IngestPorts {
                store: store.clone(),
                payloads: store.clone(),
                lanes: channels.clone(),
                live: hub.clone(),
                views: desk.clone(),
                free: upstream.clone(),
                clock: clock.clone(),
                entropy: Arc::new(OsEntropy),
            },
            config.clone(),
        );
        let worker_ports = WorkerPorts {
            store: store.clone(),
            payloads: store.clone(),
            lanes: channels.clone(),
            live: hub.clone(),
            model: upstream.clone(),
            clock: clock.clone(),
            entropy: Arc::new(OsEntropy),
        };
        let worker = Worker::new(
            worker_ports,
            config.lanes.values().cloned(),
            OpeningPace::default(),
        );
        let results = Results::new(
            ResultsPorts {
                store: store.clone(),
                payloads: store.clone(),
                outbox: store.clone(),
                live: hub,
                views: desk,
                clock: clock.clone(),
            },
            ResultsConfig {
                lanes: config.lanes.values().cloned().collect(),
                ..ResultsConfig::default()
            },
        );
        let stop = CancellationToken::new();
        let ports = Arc::new(LanePorts {
            store: store.clone(),
            payloads: store.clone(),
            dispatch: Arc::new(dispatch),
            lanes: channels,
            clock,
        });
        for lane in config.lanes.values() {
            let (task, _) = Lane::load(&config, lane, ports.clone()).await?;
            let events = events.remove(&lane.id).context("a lane has its events")?;
            let questions = questions.remove(&lane.id).context("a lane has its questions")?;
            drop(tokio::spawn(task.run(events, questions, stop.clone())));
        }
        drop(tokio::spawn(worker.run(released, stop.clone())));
        drop(tokio::spawn(results.clone().run_outbox(stop.clone())));
        let probes = Probes {
            readiness: Arc::new(|| Readiness::Ready),
            metrics: Arc::new(String::new),
        };
        let router = ingest
            .router()
            .merge(results.router(probes))
            .method_not_allowed_fallback(no_such_method)
            .fallback(no_such_door);
        Ok(Self {
            router,
            store,
            upstream,
            stop,
            _dir: dir,
        })
    }
}

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
        let mut sent = self.sent.lock().unwrap_or_else(PoisonError::into_inner);
        sent.insert(call.request, call.body);
        drop(sent);
        Box::pin(async move {
            let mut events: Vec<Result<ModelEvent, ModelError>> = if call.operation.streams() {
                let frames = frames_of(call.operation);
                frames
                    .into_iter()
                    .map(|bytes| Ok(ModelEvent::Frame { bytes, output: true }))
                    .collect()
            } else {
                vec![Ok(ModelEvent::Body(whole(call.operation)))]
            };
            events.push(Ok(ModelEvent::Usage(Usage {
                input: Tokens::new(12),
                output: Tokens::new(34),
                ..Usage::default()
            })));
            Ok(ModelStream {
                head: head(call.operation),
                events: Box::pin(stream::iter(events)),
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

fn head(operation: Operation) -> ModelHead {
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

/// The lane most models lead to.
///
/// # Errors
/// Never: the name is one.
pub fn wide() -> anyhow::Result<LaneId> {
    Ok(LaneId::new("wide")?)
}
