use aws_smithy_eventstream::frame::{read_message_from, write_message_to};
use aws_smithy_types::event_stream::{Header, HeaderValue, Message};
use axum::Router;
use axum::body::Body;
use bytes::{Buf, Bytes};
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::BodyExt;
use serde_json::Value;
use smoother_core::ModelHead;
use tower::ServiceExt;

pub(crate) const MODEL: &str = "us.anthropic.claude-sonnet-4-5-20250929-v1:0";
/// Of a lane with 2,000 tokens a minute.
pub(crate) const SMALL_MODEL: &str = "meta.llama3-8b-instruct-v1:0";

/// A Converse body that is fine.
pub(crate) fn converse() -> String {
    r#"{"messages":[{"role":"user","content":[{"text":"Hello there"}]}],"inferenceConfig":{"maxTokens":100}}"#
        .to_owned()
}

/// What an accepted call's head says.
pub(crate) fn head() -> ModelHead {
    ModelHead {
        content_type: String::new(),
        headers: vec![
            ("x-amzn-requestid".to_owned(), "upstream-1".to_owned()),
            ("x-amzn-bedrock-invocation-latency".to_owned(), "321".to_owned()),
        ],
    }
}

/// A POST with JSON and these headers.
pub(crate) fn post(path: &str, headers: &[(&str, &str)], body: impl Into<Body>) -> Request<Body> {
    let mut request = Request::builder().method(Method::POST).uri(path);
    if !headers.iter().any(|(name, _)| *name == "content-type") {
        request = request.header("content-type", "application/json");
    }
    for (name, value) in headers.iter().filter(|(_, value)| !value.is_empty()) {
        request = request.header(*name, *value);
    }
    request.body(body.into()).unwrap()
}

/// A request without a body.
pub(crate) fn get(method: Method, path: &str) -> Request<Body> {
    Request::builder()
        .method(method)
        .uri(path)
        .body(Body::empty())
        .unwrap()
}

/// An answer, read to its end.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Said {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    /// Bedrock's message, after checking that the error has Bedrock's shape.
    pub(crate) fn exception(&self, status: u16, name: &str) -> String {
        assert_eq!(
            self.status.as_u16(),
            status,
            "{}",
            String::from_utf8_lossy(&self.body)
        );
        assert_eq!(self.header("x-amzn-errortype"), name);
        assert_eq!(self.header("content-type"), "application/json");
        assert!(!self.header("x-amzn-requestid").is_empty());
        self.json()["message"].as_str().unwrap().to_owned()
    }

    /// A problem's detail, after checking that it is one.
    pub(crate) fn problem(&self, status: u16) -> String {
        assert_eq!(
            self.status.as_u16(),
            status,
            "{}",
            String::from_utf8_lossy(&self.body)
        );
        assert_eq!(self.header("content-type"), "application/problem+json");
        let problem = self.json();
        assert_eq!(problem["status"], status);
        assert!(problem["type"].is_string() && problem["title"].is_string());
        problem["detail"].as_str().unwrap().to_owned()
    }

    /// The messages of an event stream, each checked by its checksums.
    pub(crate) fn messages(&self) -> Vec<Message> {
        let mut rest = self.body.clone();
        let mut messages = Vec::new();
        while rest.has_remaining() {
            messages.push(read_message_from(&mut rest).unwrap());
        }
        messages
    }
}

/// Sends and reads the whole answer.
pub(crate) async fn send(router: Router, request: Request<Body>) -> Said {
    let (parts, body) = router.oneshot(request).await.unwrap().into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    Said {
        status: parts.status,
        headers: parts.headers,
        body,
    }
}

/// A frame as Bedrock sends it.
pub(crate) fn stream_frame(event: &'static str, payload: &str) -> Bytes {
    let text = |name: &'static str, value: &'static str| Header::new(name, HeaderValue::String(value.into()));
    let message = Message::new(payload.as_bytes().to_vec())
        .add_header(text(":event-type", event))
        .add_header(text(":content-type", "application/json"))
        .add_header(text(":message-type", "event"));
    let mut frame = Vec::new();
    write_message_to(&message, &mut frame).unwrap();
    Bytes::from(frame)
}
