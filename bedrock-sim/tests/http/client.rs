//! A plain HTTP client and the prompts of these tests.

use std::net::SocketAddr;

use aws_smithy_eventstream::frame::read_message_from;
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use bedrock_sim::{RunningSim, Settings, Sim, SimConfig};
use bytes::{Buf, Bytes};
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};

pub const SONNET: &str = "us.anthropic.claude-sonnet-4-5-20250929-v1:0";

pub async fn start(settings: Value) -> RunningSim {
    let settings = Settings::default().patched(&settings).unwrap();
    Sim::start(SimConfig {
        port: 0,
        call_log: 1_000,
        settings,
        script: None,
    })
    .await
    .unwrap()
}

/// An answer read to its end, or to where it broke.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
    /// The connection ended before the answer did.
    pub broken: bool,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// The error's kind, without its namespace.
    pub fn error(&self) -> &str {
        self.header("x-amzn-errortype").split(':').next().unwrap()
    }

    /// The frames of an event stream: (type or exception, JSON), chunks unpacked, padding removed.
    pub fn events(&self) -> Vec<(String, Value)> {
        let mut bytes = self.body.clone();
        let mut events = Vec::new();
        while bytes.has_remaining() {
            let message = read_message_from(&mut bytes).unwrap();
            let kind = message.headers()[0]
                .value()
                .as_string()
                .unwrap()
                .as_str()
                .to_owned();
            let mut json: Value = serde_json::from_slice(message.payload()).unwrap();
            json.as_object_mut().unwrap().remove("p");
            if kind == "chunk" {
                json =
                    serde_json::from_slice(&BASE64.decode(json["bytes"].as_str().unwrap()).unwrap()).unwrap();
            }
            events.push((kind, json));
        }
        events
    }
}

/// Sends a request and returns as soon as the head of the answer is there; an error if the
/// connection was cut before.
pub async fn open(addr: SocketAddr, request: Request<Full<Bytes>>) -> hyper::Result<Response<Incoming>> {
    let stream = tokio::net::TcpStream::connect(addr).await.unwrap();
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    sender.send_request(request).await
}

pub fn request(method: Method, path: &str, body: &[u8]) -> Request<Full<Bytes>> {
    Request::builder()
        .method(method)
        .uri(path)
        .header("host", "localhost")
        .header("content-type", "application/json")
        .body(Full::new(Bytes::copy_from_slice(body)))
        .unwrap()
}

pub async fn send(sim: &RunningSim, request: Request<Full<Bytes>>) -> Answer {
    let (head, mut body) = open(sim.addr(), request).await.unwrap().into_parts();
    let (mut bytes, mut broken) = (Vec::new(), false);
    while let Some(frame) = body.frame().await {
        match frame {
            Ok(frame) => bytes.extend_from_slice(&frame.into_data().unwrap_or_default()),
            Err(_) => {
                broken = true;
                break;
            }
        }
    }
    Answer {
        status: head.status,
        headers: head.headers,
        body: bytes.into(),
        broken,
    }
}

pub async fn post(sim: &RunningSim, path: &str, body: &Value) -> Answer {
    send(sim, request(Method::POST, path, body.to_string().as_bytes())).await
}

pub async fn get(sim: &RunningSim, path: &str) -> Answer {
    send(sim, request(Method::GET, path, b"")).await
}

pub fn path(operation: &str) -> String {
    format!("/model/{}/{operation}", SONNET.replace(':', "%3A"))
}

pub fn prompt(text: &str) -> Value {
    json!({"messages": [{"role": "user", "content": [{"text": text}]}]})
}

/// A Converse body that reserves `max_tokens` of output.
pub fn prompt_of(text: &str, max_tokens: u64) -> Value {
    let mut body = prompt(text);
    body["inferenceConfig"] = json!({ "maxTokens": max_tokens });
    body
}

pub async fn converse(sim: &RunningSim, text: &str) -> Answer {
    post(sim, &path("converse"), &prompt(text)).await
}

pub async fn converse_stream(sim: &RunningSim, text: &str) -> Answer {
    post(sim, &path("converse-stream"), &prompt(text)).await
}
