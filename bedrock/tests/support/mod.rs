//! A scripted HTTP/1.1 server on loopback that records what it is sent, byte for byte.

#![allow(dead_code, clippy::unwrap_used, clippy::expect_used)]

use aws_smithy_eventstream::frame::write_message_to;
use aws_smithy_types::event_stream::{Header, HeaderValue, Message};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use futures_util::StreamExt;
use smoother_bedrock::{Bedrock, Options};
use smoother_core::config::{LaneConfig, Pacing};
use smoother_core::ids::{CallNo, LaneId, ModelId, RequestId};
use smoother_core::model::{ModelCall, ModelError, ModelEvent, ModelStream, Operation};
use smoother_core::units::{Millis, TokensPerMinute};
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{oneshot, watch};

/// One request as it came.
#[derive(Debug, Clone)]
pub struct Seen {
    pub connection: usize,
    pub line: String,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Seen {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(n, _)| n == name)
            .map(|(_, v)| v.as_str())
    }
}

/// What to send after the head, piece by piece.
pub enum Part {
    Data(Bytes),
    /// Breaks the connection.
    Cut,
    /// Waits until the client has closed the connection, and says so.
    UntilClosed(oneshot::Sender<()>),
}

pub struct Reply {
    pub status: u16,
    pub headers: Vec<(&'static str, String)>,
    pub parts: Vec<Part>,
}

impl Reply {
    pub fn json(status: u16, body: impl Into<Bytes>) -> Self {
        let headers = vec![("content-type", "application/json".to_owned())];
        Self {
            status,
            headers,
            parts: vec![Part::Data(body.into())],
        }
    }

    pub fn stream(parts: Vec<Part>) -> Self {
        let headers = vec![("content-type", "application/vnd.amazon.eventstream".to_owned())];
        Self {
            status: 200,
            headers,
            parts,
        }
    }

    pub fn with(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }
}

/// A server that answers the n-th request with the n-th reply, and the rest with 404.
pub struct Server {
    pub address: std::net::SocketAddr,
    pub seen: Arc<Mutex<Vec<Seen>>>,
    /// How many requests have come.
    pub arrivals: Arc<watch::Sender<usize>>,
    accepting: tokio::task::JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl Server {
    pub async fn start(replies: Vec<Reply>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let replies: Vec<_> = replies.into_iter().rev().collect();
        let (replies, record) = (Arc::new(Mutex::new(replies)), Arc::clone(&seen));
        let arrivals = Arc::new(watch::Sender::new(0));
        let arrived = Arc::clone(&arrivals);
        let accepting = tokio::spawn(async move {
            for connection in 0.. {
                let (stream, _) = listener.accept().await.unwrap();
                tokio::spawn(serve(
                    stream,
                    connection,
                    Arc::clone(&replies),
                    Arc::clone(&record),
                    Arc::clone(&arrived),
                ));
            }
        });
        Self {
            address,
            seen,
            arrivals,
            accepting,
        }
    }

    pub async fn bedrock(&self) -> Bedrock {
        let lane = lane(&format!("http://{}", self.address));
        Bedrock::connect([&lane], Options::default()).await.unwrap()
    }

    pub fn requests(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }
}

async fn serve(
    stream: TcpStream,
    connection: usize,
    replies: Arc<Mutex<Vec<Reply>>>,
    seen: Arc<Mutex<Vec<Seen>>>,
    arrivals: Arc<watch::Sender<usize>>,
) {
    let mut stream = BufReader::new(stream);
    while let Some(request) = request(&mut stream, connection).await {
        seen.lock().unwrap().push(request);
        arrivals.send_modify(|count| *count += 1);
        let reply = replies
            .lock()
            .unwrap()
            .pop()
            .unwrap_or_else(|| Reply::json(404, "{}"));
        if !answer(&mut stream, reply).await {
            return;
        }
    }
}

async fn request(stream: &mut BufReader<TcpStream>, connection: usize) -> Option<Seen> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    let head = String::from_utf8(head).unwrap();
    let mut lines = head.trim_end().split("\r\n");
    let line = lines.next()?.to_owned();
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
        .collect();
    let length = headers
        .iter()
        .find(|(name, _)| name == "content-length")
        .map_or(0, |(_, v)| v.parse().unwrap());
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.ok()?;
    Some(Seen {
        connection,
        line,
        headers,
        body,
    })
}

/// Whether the connection may be used again.
async fn answer(stream: &mut BufReader<TcpStream>, reply: Reply) -> bool {
    let mut head = format!(
        "HTTP/1.1 {} Scripted\r\ntransfer-encoding: chunked\r\n",
        reply.status
    );
    for (name, value) in &reply.headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str("\r\n");
    // Status 0: no head is sent.
    if reply.status != 0 {
        stream.write_all(head.as_bytes()).await.unwrap();
        stream.flush().await.unwrap();
    }
    for part in reply.parts {
        match part {
            Part::Data(data) => {
                stream
                    .write_all(format!("{:x}\r\n", data.len()).as_bytes())
                    .await
                    .unwrap();
                stream.write_all(&data).await.unwrap();
                stream.write_all(b"\r\n").await.unwrap();
            }
            Part::Cut => return false,
            Part::UntilClosed(told) => {
                while stream.read_u8().await.is_ok() {}
                let _ = told.send(());
                return false;
            }
        }
        stream.flush().await.unwrap();
    }
    stream.write_all(b"0\r\n\r\n").await.is_ok()
}

pub const MODEL: &str = "us.anthropic.claude-sonnet-4-5-20250929-v1:0";

pub fn lane(endpoint: &str) -> LaneConfig {
    LaneConfig {
        id: LaneId::new("sonnet").unwrap(),
        models: vec![ModelId::new(MODEL).unwrap()],
        region: "us-east-1".to_owned(),
        endpoint: Some(endpoint.to_owned()),
        role_arn: None,
        tokens_per_minute: TokensPerMinute::new(300_000),
        requests_per_minute: None,
        tokens_per_day: None,
        max_concurrency: 64,
        output_burndown: 5,
        max_output_tokens: 64_000,
        pacing: Pacing::Auto,
        chunk_timeout: Millis::from_secs(60),
        call_timeout: Millis::from_secs(600),
        max_tries: 5,
        fallback: smoother_core::config::FallbackConfig::default(),
        breaker: smoother_core::breaker::BreakerConfig::default(),
    }
}

pub fn call(operation: Operation, body: &str) -> ModelCall {
    ModelCall {
        request: RequestId::from_bytes([7; 16]),
        number: CallNo::new(1),
        lane: LaneId::new("sonnet").unwrap(),
        operation,
        model: ModelId::new(MODEL).unwrap(),
        body: Bytes::copy_from_slice(body.as_bytes()),
        headers: Vec::new(),
    }
}

/// Everything an answer held: its bytes in order, the `output` marks of frames, usage, and the error at its end.
#[derive(Debug, Default)]
pub struct Collected {
    pub pieces: Vec<Bytes>,
    pub output: Vec<bool>,
    pub cut_short: bool,
    pub usage: Option<(u64, u64)>,
    pub error: Option<ModelError>,
}

pub async fn collect(mut stream: ModelStream) -> Collected {
    let mut collected = Collected::default();
    while let Some(event) = stream.events.next().await {
        assert!(collected.error.is_none(), "an event after the error");
        assert!(collected.usage.is_none(), "an event after the usage");
        match event {
            Ok(ModelEvent::Body(bytes)) => collected.pieces.push(bytes),
            Ok(ModelEvent::Frame { bytes, output }) => {
                collected.pieces.push(bytes);
                collected.output.push(output);
            }
            Ok(ModelEvent::CutShort) => collected.cut_short = true,
            Ok(ModelEvent::Usage(usage)) => {
                collected.usage = Some((usage.input.get(), usage.output.get()));
            }
            Err(error) => collected.error = Some(error),
        }
    }
    collected
}

/// An event-stream message with these headers.
pub fn message(headers: &[(&'static str, &str)], payload: &str) -> Bytes {
    let mut message = Message::new(Bytes::copy_from_slice(payload.as_bytes()));
    for (name, value) in headers {
        message = message.add_header(Header::new(
            *name,
            HeaderValue::String((*value).to_owned().into()),
        ));
    }
    let mut bytes = Vec::new();
    write_message_to(&message, &mut bytes).unwrap();
    bytes.into()
}

pub fn event(name: &str, payload: &str) -> Bytes {
    let headers = [
        (":event-type", name),
        (":content-type", "application/json"),
        (":message-type", "event"),
    ];
    message(&headers, payload)
}

/// A chunk of InvokeModelWithResponseStream around a family's own JSON.
pub fn chunk(inner: &str) -> Bytes {
    event(
        "chunk",
        &format!(r#"{{"bytes":"{}","p":"abcd"}}"#, STANDARD.encode(inner)),
    )
}

pub fn exception(name: &str, payload: &str) -> Bytes {
    let headers = [
        (":exception-type", name),
        (":content-type", "application/json"),
        (":message-type", "exception"),
    ];
    message(&headers, payload)
}

/// A whole Converse stream; its metadata counts 12 input and 34 output tokens.
pub fn conversation() -> Vec<Bytes> {
    vec![
        event(
            "messageStart",
            r#"{"p":"abc","role":"assistant","fieldOfTomorrow":[1, 2]}"#,
        ),
        event(
            "contentBlockDelta",
            r#"{"contentBlockIndex":0,"delta":{"text":"Hi \u00e9"},"p":"abcdef"}"#,
        ),
        event("contentBlockStop", r#"{"contentBlockIndex":0}"#),
        event("messageStop", r#"{"stopReason":"end_turn"}"#),
        event(
            "metadata",
            r#"{"metrics":{"latencyMs":5},"usage":{"inputTokens":12,"outputTokens":34,"totalTokens":46}}"#,
        ),
    ]
}
