//! Reads a body under the limits of its size and its pace.

use crate::ingest::Ingest;
use crate::refusal::Refusal;
use axum::body::Body;
use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use http::header::{CONTENT_LENGTH, EXPECT};
use http_body_util::BodyExt;
use smoother_core::request::Runner;
use std::time::Duration;
use tokio::time::timeout;

/// Longest pause between two chunks.
const PAUSE: Duration = Duration::from_secs(30);
/// Longest time for the whole body: 20 MiB at half a megabit a second.
const WHOLE: Duration = Duration::from_secs(300);
/// Room made ahead of what has come, whatever the length that was announced.
const AHEAD: usize = 1 << 20;
/// How much of a body that is too large is still taken, so that its sender gets to read the refusal.
const DISCARDED: u64 = 64 << 20;
/// And for how long.
const DISCARDING: Duration = Duration::from_secs(5);

/// What Lambda lets through a function URL, in bytes.
/// https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
const MOST_BY_URL: u64 = 6 * 1024 * 1024;

/// A request: the whole body, at most as much of it as may come in by this door.
pub(super) async fn of_request(ingest: &Ingest, headers: &HeaderMap, body: Body) -> Result<Bytes, Refusal> {
    let most = ingest.settings().config.server.max_body_bytes;
    // Where callers run their own calls, the door is a function's.
    if ingest.runner == Runner::Caller && most > MOST_BY_URL {
        let read = read(headers, body, MOST_BY_URL).await;
        return read.map_err(|refusal| match refusal {
            Refusal::TooLarge { limit } => Refusal::LargerThanUrl { limit },
            other => other,
        });
    }
    read(headers, body, most).await
}

/// The whole body, at most `limit` bytes of it.
pub(super) async fn read(headers: &HeaderMap, mut body: Body, limit: u64) -> Result<Bytes, Refusal> {
    let announced = headers
        .get(CONTENT_LENGTH)
        .and_then(|v| v.to_str().ok()?.parse::<u64>().ok());
    let too_large = Refusal::TooLarge { limit };
    if announced.is_some_and(|bytes| bytes > limit) {
        // Whoever waits for "100 Continue" has sent nothing yet.
        if !headers.contains_key(EXPECT) {
            discard(&mut body).await;
        }
        return Err(too_large);
    }
    match timeout(WHOLE, collect(&mut body, announced, limit)).await {
        Ok(Err(Refusal::TooLarge { .. })) => {
            discard(&mut body).await;
            Err(too_large)
        }
        Ok(result) => result,
        Err(_) => Err(Refusal::SlowBody("it took longer than 300 seconds")),
    }
}

async fn collect(body: &mut Body, announced: Option<u64>, limit: u64) -> Result<Bytes, Refusal> {
    // Nearly every body is one chunk, which is taken as it is.
    let mut first = Bytes::new();
    let mut more = BytesMut::new();
    while let Some(chunk) = next(body).await? {
        if (first.len() + more.len() + chunk.len()) as u64 > limit {
            return Err(Refusal::TooLarge { limit });
        }
        if first.is_empty() && more.is_empty() {
            first = chunk;
            continue;
        }
        if more.is_empty() {
            let whole = announced
                .and_then(|bytes| usize::try_from(bytes).ok())
                .unwrap_or(0);
            more.reserve(whole.min(AHEAD).max(first.len() + chunk.len()));
            more.extend_from_slice(&std::mem::take(&mut first));
        }
        more.extend_from_slice(&chunk);
    }
    Ok(if more.is_empty() { first } else { more.freeze() })
}

/// The next chunk that holds anything.
async fn next(body: &mut Body) -> Result<Option<Bytes>, Refusal> {
    loop {
        let frame = timeout(PAUSE, body.frame())
            .await
            .map_err(|_| Refusal::SlowBody("nothing came for 30 seconds"))?;
        match frame {
            None => return Ok(None),
            Some(Err(_)) => return Err(Refusal::CutOff),
            Some(Ok(frame)) => {
                if let Ok(data) = frame.into_data()
                    && !data.is_empty()
                {
                    return Ok(Some(data));
                }
            }
        }
    }
}

async fn discard(body: &mut Body) {
    let mut taken = 0u64;
    let drain = async {
        while let Ok(Some(chunk)) = next(body).await {
            taken += chunk.len() as u64;
            if taken > DISCARDED {
                break;
            }
        }
    };
    // Cut short or not, the answer is the same.
    let _ = timeout(DISCARDING, drain).await;
}
