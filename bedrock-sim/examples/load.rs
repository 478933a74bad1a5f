//! A keep-alive load generator: `load ADDRESS [CONNECTIONS] [SECONDS] [OPERATION] [OUTPUT_TOKENS]`.
//!
//! Prints the calls answered in a second. It writes the same request again and again and reads
//! answers only as far as their framing, to leave the cores to the server.
#![allow(clippy::print_stdout, reason = "the figure is what this program is for")]

use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

fn main() -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(run())
}

async fn run() -> anyhow::Result<()> {
    let mut args = std::env::args().skip(1);
    let address = args
        .next()
        .context("usage: load ADDRESS [CONNECTIONS] [SECONDS] [OPERATION] [OUTPUT_TOKENS]")?;
    let connections: usize = args.next().map_or(Ok(16), |text| text.parse())?;
    let seconds: u64 = args.next().map_or(Ok(5), |text| text.parse())?;
    let operation = args.next().unwrap_or_else(|| "converse".to_owned());
    let output: u64 = args.next().map_or(Ok(60), |text| text.parse())?;
    let request = request(&operation, output);
    let end = Instant::now() + Duration::from_secs(seconds);
    let started = Instant::now();
    let clients: Vec<_> = (0..connections)
        .map(|_| tokio::spawn(client(address.clone(), request.clone(), end)))
        .collect();
    let mut calls = 0;
    for client in clients {
        calls += client.await??;
    }
    let rate = calls as f64 / started.elapsed().as_secs_f64();
    println!(
        "{calls} calls of {operation}, {output} output tokens, {connections} connections: {rate:.0} calls/s"
    );
    Ok(())
}

fn request(operation: &str, output: u64) -> Vec<u8> {
    let text = format!(
        "{} [[sim out={output} prio=batch]]",
        "What is the answer? ".repeat(30)
    );
    let body = serde_json::json!({
        "messages": [{"role": "user", "content": [{"text": text}]}],
        "inferenceConfig": {"maxTokens": 4096, "temperature": 0.5},
    })
    .to_string();
    format!(
        "POST /model/us.anthropic.claude-sonnet-4-5-20250929-v1%3A0/{operation} HTTP/1.1\r\nhost: localhost\r\n\
         content-type: application/json\r\namz-sdk-invocation-id: 0b7b8a1e-6a0b-4d6b-9d0b-1d2c3e4f5a6b\r\n\
         amz-sdk-request: attempt=1; max=3\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

/// Calls until `end` and counts the answers.
async fn client(address: String, request: Vec<u8>, end: Instant) -> anyhow::Result<u64> {
    let mut stream = TcpStream::connect(&address).await?;
    stream.set_nodelay(true)?;
    let (mut buffer, mut calls) = (Vec::with_capacity(64 * 1024), 0);
    while Instant::now() < end {
        stream.write_all(&request).await?;
        buffer.clear();
        while !is_complete(&buffer)? {
            if stream.read_buf(&mut buffer).await? == 0 {
                bail!("the server closed the connection");
            }
        }
        calls += 1;
    }
    Ok(calls)
}

/// Whether a whole response was read: by its content-length, or by the last chunk.
fn is_complete(buffer: &[u8]) -> anyhow::Result<bool> {
    let Some(head) = memchr::memmem::find(buffer, b"\r\n\r\n") else {
        return Ok(false);
    };
    if !buffer.starts_with(b"HTTP/1.1 200") {
        bail!("refused: {}", String::from_utf8_lossy(buffer));
    }
    let head_text = std::str::from_utf8(&buffer[..head])?;
    match head_text
        .split("\r\n")
        .find_map(|line| line.strip_prefix("content-length: "))
    {
        Some(length) => Ok(buffer.len() >= head + 4 + length.parse::<usize>()?),
        None => Ok(buffer.ends_with(b"\r\n0\r\n\r\n")),
    }
}
