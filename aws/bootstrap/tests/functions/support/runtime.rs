//! Lambda's runtime API: <https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html>

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use serde_json::Value;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::sync::{Mutex, mpsc};
use tokio::time::timeout;

/// Longer than any step of a test takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);
/// What an invocation may take.
const INVOCATION: Duration = Duration::from_secs(60);

/// Hands events to a function and takes its answers.
pub struct Lambda {
    events: Channel<Value>,
    answers: Channel<(String, Bytes)>,
    asked: AtomicBool,
}

/// Both ends of a queue.
type Channel<T> = (mpsc::UnboundedSender<T>, Mutex<mpsc::UnboundedReceiver<T>>);

impl Lambda {
    pub fn new() -> Self {
        let (give, take) = mpsc::unbounded_channel();
        let (answer, answered) = mpsc::unbounded_channel();
        Self {
            events: (give, Mutex::new(take)),
            answers: (answer, Mutex::new(answered)),
            asked: AtomicBool::new(false),
        }
    }

    /// Invokes the function; its answer, whatever it is.
    pub async fn invoke_raw(&self, event: Value) -> Bytes {
        self.events.0.send(event).unwrap();
        let answered = async { self.answers.1.lock().await.recv().await.unwrap() };
        let (how, body) = timeout(PATIENCE, answered).await.expect("the function answers");
        assert_eq!(how, "response", "{}", String::from_utf8_lossy(&body));
        body
    }

    /// Invokes the function; its answer, which is JSON.
    pub async fn invoke(&self, event: Value) -> Value {
        serde_json::from_slice(&self.invoke_raw(event).await).unwrap()
    }

    /// Invokes the function, which reports an error.
    pub async fn fails(&self, event: Value) -> String {
        self.events.0.send(event).unwrap();
        let answered = async { self.answers.1.lock().await.recv().await.unwrap() };
        let (how, body) = timeout(PATIENCE, answered).await.expect("the function answers");
        assert_eq!(how, "error");
        String::from_utf8(body.to_vec()).unwrap()
    }

    /// Whether the function has ever asked for an event.
    pub fn was_asked(&self) -> bool {
        self.asked.load(Ordering::Relaxed)
    }

    /// What the function said of why it does not start, if it did.
    pub async fn init_error(&self) -> Option<Value> {
        let (how, body) = self.answers.1.lock().await.try_recv().ok()?;
        assert_eq!(how, "init/error");
        Some(serde_json::from_slice(&body).unwrap())
    }

    pub(super) async fn answer(&self, path: &str, body: &Bytes) -> Response {
        let status = Response::builder();
        if path != "invocation/next" {
            // invocation/{id}/response, invocation/{id}/error, init/error
            let how = match path {
                "init/error" => path,
                _ => path.rsplit('/').next().unwrap_or_default(),
            };
            let how = how.to_owned();
            self.answers.0.send((how, body.clone())).unwrap();
            return status.status(202).body(Body::empty()).unwrap();
        }
        self.asked.store(true, Ordering::Relaxed);
        let Some(event) = self.events.1.lock().await.recv().await else {
            return std::future::pending().await;
        };
        let deadline = SystemTime::now().duration_since(UNIX_EPOCH).unwrap() + INVOCATION;
        status
            .header(
                "lambda-runtime-aws-request-id",
                "8476a536-e9f4-11e8-9739-2dfe598c3fcd",
            )
            .header("lambda-runtime-deadline-ms", deadline.as_millis().to_string())
            .header(
                "lambda-runtime-invoked-function-arn",
                "arn:aws:lambda:us-east-1:1:function:f",
            )
            .header(
                "lambda-runtime-trace-id",
                "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700",
            )
            .body(Body::from(event.to_string()))
            .unwrap()
    }
}
