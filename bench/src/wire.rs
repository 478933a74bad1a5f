//! HTTP/1.1 on kept-alive connections with nothing on top: the cost measured is the server's.

use std::collections::BTreeMap;

use anyhow::{Context, bail};
use bytes::{Buf, Bytes, BytesMut};
use http::{HeaderMap, Method, Request, header};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::Instant;

/// Shaped as an SDK's, and nobody's: targets that want a signature get one, none verifies it.
const AUTHORIZATION: &str = "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20260101/us-east-1/bedrock/aws4_request, \
     SignedHeaders=host, Signature=0000000000000000000000000000000000000000000000000000000000000000";

/// One open connection.
#[derive(Debug)]
pub struct Connection {
    sender: SendRequest<Full<Bytes>>,
    host: String,
}

/// An answer, read to its end.
#[derive(Debug)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body; empty for a stream.
    pub body: Bytes,
    /// When each event of a stream came.
    pub events: Vec<Instant>,
}

impl Answer {
    /// A header that is a number.
    pub fn number(&self, name: &str) -> Option<u64> {
        self.headers.get(name)?.to_str().ok()?.parse().ok()
    }
}

impl Connection {
    /// Connects to the host and port of `url` (`http://host:port`).
    pub async fn open(url: &str) -> anyhow::Result<Self> {
        let host = url.strip_prefix("http://").context("a URL begins with http://")?;
        let host = host.split('/').next().unwrap_or(host).to_owned();
        let stream = TcpStream::connect(&host)
            .await
            .with_context(|| format!("cannot connect to {host}"))?;
        stream.set_nodelay(true)?;
        let (sender, connection) = handshake(TokioIo::new(stream)).await?;
        // Ends with the sender; a failure shows in the request that it strikes.
        tokio::spawn(async move { drop(connection.await) });
        Ok(Self { sender, host })
    }

    /// Whether another request may be sent.
    pub fn usable(&self) -> bool {
        !self.sender.is_closed()
    }

    /// Sends one request and reads the answer to its end.
    pub async fn send(
        &mut self,
        method: Method,
        path: &str,
        headers: &BTreeMap<String, String>,
        body: Bytes,
    ) -> anyhow::Result<Answer> {
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::HOST, &self.host)
            .header(header::CONTENT_TYPE, "application/json");
        if !headers.contains_key(header::AUTHORIZATION.as_str()) {
            request = request.header(header::AUTHORIZATION, AUTHORIZATION);
        }
        for (name, value) in headers {
            request = request.header(name, value);
        }
        if path.starts_with("/model/") {
            // As AWS SDKs mark the attempts of a call.
            request = request
                .header("amz-sdk-invocation-id", invocation(rand::random()))
                .header("amz-sdk-request", "attempt=1; max=3");
        }
        self.sender.ready().await?;
        let response = self.sender.send_request(request.body(Full::new(body))?).await?;
        let (head, mut incoming) = response.into_parts();
        let streamed = head
            .headers
            .get(header::CONTENT_TYPE)
            .is_some_and(|kind| kind.as_bytes().starts_with(b"application/vnd.amazon.eventstream"));
        let mut whole = BytesMut::new();
        let mut events = Vec::new();
        while let Some(frame) = incoming.frame().await {
            if let Ok(data) = frame?.into_data() {
                whole.extend_from_slice(&data);
                if streamed {
                    take_events(&mut whole, &mut events)?;
                }
            }
        }
        if streamed && !whole.is_empty() {
            bail!("the stream ended inside an event");
        }
        Ok(Answer {
            status: head.status.as_u16(),
            headers: head.headers,
            body: whole.freeze(),
            events,
        })
    }
}

/// An invocation's id, a random UUID as text.
fn invocation(random: u128) -> String {
    let hex = format!("{random:032x}");
    let parts = [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]];
    parts.join("-")
}

/// Takes every whole event-stream message off the front; its first four bytes are its length.
fn take_events(buffer: &mut BytesMut, events: &mut Vec<Instant>) -> anyhow::Result<()> {
    while buffer.len() >= 4 {
        let length = u32::from_be_bytes([buffer[0], buffer[1], buffer[2], buffer[3]]) as usize;
        if !(16..=16 << 20).contains(&length) {
            bail!("an event of {length} bytes");
        }
        if buffer.len() < length {
            break;
        }
        buffer.advance(length);
        events.push(Instant::now());
    }
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn event(length: usize) -> Vec<u8> {
        let mut bytes = u32::try_from(length).unwrap().to_be_bytes().to_vec();
        bytes.resize(length, 0);
        bytes
    }

    #[test]
    fn events_are_taken_whole_however_they_are_cut() {
        let stream = [event(16), event(300), event(40)].concat();
        for size in [1, 7, 64, 1_000] {
            let (mut buffer, mut events) = (BytesMut::new(), Vec::new());
            for piece in stream.chunks(size) {
                buffer.extend_from_slice(piece);
                take_events(&mut buffer, &mut events).unwrap();
            }
            assert_eq!((events.len(), buffer.len()), (3, 0), "in pieces of {size}");
        }
    }

    #[test]
    fn what_is_no_event_is_refused() {
        let mut buffer = BytesMut::from(&b"<html>"[..]);
        assert!(take_events(&mut buffer, &mut Vec::new()).is_err());
    }
}
