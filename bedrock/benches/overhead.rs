//! What one call costs in CPU time on this side: `cargo bench -p smoother-bedrock`.
//!
//! The client runs alone on its thread, whose CPU time Linux tells in /proc/thread-self/schedstat; the server, a
//! few canned bytes, runs on another. A bare exchange of the same bytes over a socket is subtracted by the reader.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout)]

#[path = "../tests/support/mod.rs"]
mod support;

use aws_config::{BehaviorVersion, Region};
use aws_credential_types::Credentials;
use aws_sdk_bedrockruntime::config::retry::RetryConfig;
use aws_sdk_bedrockruntime::primitives::Blob;
use aws_smithy_http_client::Builder;
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use bytes::Bytes;
use futures_util::StreamExt;
use smoother_bedrock::{Bedrock, Options};
use smoother_core::model::Operation;
use smoother_core::ports::Model;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::Instant;
use support::{call, conversation, lane};

const CALLS: u32 = 2_000;

fn main() {
    let answer = r#"{"output":{"message":{"role":"assistant","content":[{"text":"Hello"}]}},"usage":{"inputTokens":3,"outputTokens":4,"totalTokens":7}}"#;
    let json = canned("application/json", answer.as_bytes());
    let stream = canned("application/vnd.amazon.eventstream", &conversation().concat());
    let body = format!(
        r#"{{"messages":[{{"role":"user","content":[{{"text":"{}"}}]}}]}}"#,
        "word ".repeat(600)
    );
    println!("{CALLS} calls one after another, body {} bytes", body.len());
    bare(&json, &body);
    sdk(&json, &body);
    port(Operation::Converse, &json, &body);
    port(Operation::Invoke, &json, &body);
    port(Operation::ConverseStream, &stream, &body);
}

fn canned(content_type: &str, body: &[u8]) -> Bytes {
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: {content_type}\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat().into()
}

/// Answers every request with the same bytes, until the process ends.
fn server(reply: &Bytes) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let reply = reply.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let (mut stream, reply) = (stream.unwrap(), reply.clone());
            std::thread::spawn(move || while serve_one(&mut stream, &reply).is_some() {});
        }
    });
    address
}

fn serve_one(stream: &mut TcpStream, reply: &[u8]) -> Option<()> {
    let mut request = Vec::new();
    let mut buffer = [0; 16_384];
    loop {
        let read = stream.read(&mut buffer).ok().filter(|read| *read > 0)?;
        request.extend_from_slice(&buffer[..read]);
        let Some(end) = request.windows(4).position(|four| four == b"\r\n\r\n") else {
            continue;
        };
        let head = String::from_utf8_lossy(&request[..end]).to_ascii_lowercase();
        let length: usize = head
            .split("content-length: ")
            .nth(1)?
            .lines()
            .next()?
            .trim()
            .parse()
            .ok()?;
        if request.len() >= end + 4 + length {
            return stream.write_all(reply).ok();
        }
    }
}

fn cpu_ns() -> u64 {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    stat.split(' ').next().unwrap().parse().unwrap()
}

fn report(what: &str, wall: std::time::Duration, cpu_ns: u64) {
    let each = |ns: f64| ns / f64::from(CALLS) / 1_000.0;
    #[allow(clippy::cast_precision_loss)]
    let cpu = each(cpu_ns as f64);
    println!(
        "{what:32} {cpu:7.1} µs CPU, {:7.1} µs wall a call",
        each(wall.as_secs_f64() * 1e9)
    );
}

fn bare(reply: &Bytes, body: &str) {
    let mut stream = TcpStream::connect(server(reply)).unwrap();
    stream.set_nodelay(true).unwrap();
    let request = format!("POST / HTTP/1.1\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    let mut buffer = vec![0; reply.len()];
    let (started, cpu) = (Instant::now(), cpu_ns());
    for _ in 0..CALLS {
        stream.write_all(request.as_bytes()).unwrap();
        stream.read_exact(&mut buffer).unwrap();
    }
    report("bare socket", started.elapsed(), cpu_ns() - cpu);
}

/// The same by the SDK's own client, its serializers left out: the body is given as bytes.
fn sdk(reply: &Bytes, body: &str) {
    let address = server(reply);
    alone(async {
        let config = aws_sdk_bedrockruntime::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("us-east-1"))
            .credentials_provider(Credentials::new("ID", "s", None, None, "bench"))
            .endpoint_url(format!("http://{address}"))
            .retry_config(RetryConfig::disabled())
            .http_client(
                Builder::new()
                    .tls_provider(Provider::Rustls(CryptoMode::Ring))
                    .build_https(),
            )
            .build();
        let client = aws_sdk_bedrockruntime::Client::from_conf(config);
        let body = Blob::new(body.as_bytes());
        measured("invoke, by the SDK's client", async || {
            let call = client.invoke_model().model_id(support::MODEL).body(body.clone());
            call.send().await.unwrap();
        })
        .await;
    });
}

fn port(operation: Operation, reply: &Bytes, body: &str) {
    let address = server(reply);
    alone(async {
        let bedrock = Bedrock::connect([&lane(&format!("http://{address}"))], Options::default())
            .await
            .unwrap();
        let request = call(operation, body);
        measured(operation.as_str(), async || {
            drain(&bedrock, request.clone()).await;
        })
        .await;
    });
}

/// On this thread, whose processor time is told.
fn alone(work: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(work);
}

async fn measured(what: &str, call: impl AsyncFn()) {
    for _ in 0..100 {
        call().await;
    }
    let (started, cpu) = (Instant::now(), cpu_ns());
    for _ in 0..CALLS {
        call().await;
    }
    report(what, started.elapsed(), cpu_ns() - cpu);
}

async fn drain(bedrock: &Bedrock, request: smoother_core::model::ModelCall) {
    let mut answer = bedrock.call(request).await.unwrap();
    while let Some(event) = answer.events.next().await {
        event.unwrap();
    }
}
