//! What comes from upstream: heads, bodies and event streams, through the adapter.
//!
//! An input is an HTTP answer as a text: the operation, then `200` and headers, an empty line, the body. The body
//! is sent in chunks whose borders follow from it. A third line `cut` breaks the connection before the end.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt;
use rand::Rng;
use rand::rngs::StdRng;
use smoother_bedrock::{Bedrock, Options};
use smoother_core::config::Config;
use smoother_core::model::ModelStream;
use smoother_core::ports::{BoxFuture, Model};
use smoother_core::verdict::wire_name;
use smoother_core::{CallNo, LaneId, ModelCall, ModelError, ModelEvent, ModelId, Operation, RequestId};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::fuzz::mutate::http::Parts;
use crate::fuzz::mutate::{frames, json, raw};
use crate::fuzz::{Fault, Kind, Target, Verdict, words};

const MODEL: &str = "us.anthropic.claude-sonnet-4-5-20250929-v1:0";
/// The longest sentence of Bedrock's that is passed on, in characters.
const LONGEST_MESSAGE: usize = 2_000;
/// Nothing holds this server up.
const PATIENCE: Duration = Duration::from_secs(15);

/// The target: the adapter in front of a server that answers what it is told to.
#[derive(Debug)]
pub struct Frames {
    bedrock: Arc<Bedrock>,
    next: Arc<Mutex<Vec<u8>>>,
    lane: LaneId,
    model: ModelId,
    serving: tokio::task::JoinHandle<()>,
}

impl Drop for Frames {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl Frames {
    /// Starts the server on the loopback and connects the adapter to it.
    ///
    /// # Errors
    /// The port or the adapter cannot be opened.
    pub async fn open() -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let next = Arc::new(Mutex::new(Vec::new()));
        let serving = tokio::spawn(serve(listener, Arc::clone(&next)));
        let (config, lane) = lane(address)?;
        let bedrock = Bedrock::connect(config.lanes.values(), Options::default()).await?;
        Ok(Self {
            bedrock: Arc::new(bedrock),
            next,
            lane,
            model: ModelId::new(MODEL)?,
            serving,
        })
    }
}

fn lane(address: SocketAddr) -> anyhow::Result<(Config, LaneId)> {
    let text = format!(
        "[lanes.a]\nmodel = \"{MODEL}\"\nregion = \"us-east-1\"\nendpoint = \"http://{address}\"\n\
         tokens_per_minute = 1000000\n"
    );
    Ok((Config::load(Some(("upstream", &text)), None)?, LaneId::new("a")?))
}

/// An input, read.
struct Reply {
    operation: Operation,
    status: u16,
    cut: bool,
    headers: Vec<Vec<u8>>,
    body: Vec<u8>,
}

impl Reply {
    fn of(input: &[u8]) -> Option<Self> {
        let Parts {
            line,
            mut headers,
            body,
        } = Parts::of(input);
        let operation = Operation::parse(std::str::from_utf8(&line).ok()?.trim())?;
        let status = std::str::from_utf8(headers.first()?).ok()?.trim().parse().ok()?;
        drop(headers.remove(0));
        let cut = headers.first().is_some_and(|line| line == b"cut");
        if cut {
            drop(headers.remove(0));
        }
        // These have no body, whatever is sent after their head.
        let body = if matches!(status, 204 | 304) {
            Vec::new()
        } else {
            body
        };
        // A 1xx is no answer yet: whoever sends only that has hung up, which other inputs do too.
        (200..=999).contains(&status).then_some(Self {
            operation,
            status,
            cut,
            headers,
            body,
        })
    }

    /// The bytes on the wire.
    fn wire(&self) -> Vec<u8> {
        let mut wire = format!(
            "HTTP/1.1 {} Said\r\ntransfer-encoding: chunked\r\nconnection: close\r\n",
            self.status
        )
        .into_bytes();
        for header in &self.headers {
            // What ends a line would begin another header, and length and coding are ours.
            let name = header.split(|byte| *byte == b':').next().unwrap_or_default();
            let named = http::HeaderName::from_bytes(name).is_ok_and(|name| {
                !["transfer-encoding", "content-length", "connection", "upgrade"].contains(&name.as_str())
            });
            let value = header.get(name.len() + 1..).unwrap_or_default();
            if named && http::HeaderValue::from_bytes(value.trim_ascii()).is_ok() {
                wire.extend_from_slice(header);
                wire.extend_from_slice(b"\r\n");
            }
        }
        wire.extend_from_slice(b"\r\n");
        let piece = 1 + self.body.len() / 3;
        for part in self.body.chunks(piece) {
            wire.extend_from_slice(format!("{:x}\r\n", part.len()).as_bytes());
            wire.extend_from_slice(part);
            wire.extend_from_slice(b"\r\n");
        }
        if !self.cut {
            wire.extend_from_slice(b"0\r\n\r\n");
        }
        wire
    }
}

async fn serve(listener: TcpListener, next: Arc<Mutex<Vec<u8>>>) {
    while let Ok((stream, _)) = listener.accept().await {
        let wire = next.lock().unwrap_or_else(PoisonError::into_inner).clone();
        // Whoever has heard enough may hang up.
        drop(tokio::spawn(async move { drop(answer(stream, &wire).await) }));
    }
}

async fn answer(mut stream: TcpStream, wire: &[u8]) -> std::io::Result<()> {
    let mut head = Vec::new();
    let mut more = [0; 4096];
    // The body is two bytes and follows the head; a client that waits for an answer has sent it.
    while !head.ends_with(b"{}") {
        let count = stream.read(&mut more).await?;
        if count == 0 {
            return Ok(());
        }
        head.extend_from_slice(&more[..count]);
    }
    stream.write_all(wire).await?;
    stream.shutdown().await
}

impl Target for Frames {
    fn name(&self) -> &'static str {
        "upstream"
    }

    fn mutate(&self, chance: &mut StdRng, input: &mut Vec<u8>, other: &[u8]) {
        let mut parts = Parts::of(input);
        let theirs = Parts::of(other);
        match chance.random_range(0..12) {
            0 => {
                let operation = Operation::ALL[chance.random_range(0..4)];
                parts.line = operation.as_str().as_bytes().to_vec();
            }
            1 => {
                const STATUS: [&str; 12] = [
                    "200", "201", "204", "206", "304", "400", "403", "404", "424", "429", "500", "999",
                ];
                let status = STATUS[chance.random_range(0..STATUS.len())];
                parts
                    .headers
                    .splice(..1.min(parts.headers.len()), [status.as_bytes().to_vec()]);
            }
            2 => parts.headers.insert(1.min(parts.headers.len()), b"cut".to_vec()),
            3 => parts.headers.extend(theirs.headers.into_iter().skip(1)),
            4 if parts.headers.len() > 1 => {
                let at = chance.random_range(1..parts.headers.len());
                raw::mutate(chance, &mut parts.headers[at], &theirs.body);
            }
            5 => raw::mutate(chance, &mut parts.body, &theirs.body),
            _ => {
                if !json::mutate(chance, &mut parts.body) {
                    frames::mutate(chance, &mut parts.body, &theirs.body);
                }
            }
        }
        *input = parts.text();
    }

    fn feed(&self, input: Bytes) -> BoxFuture<'static, Result<Verdict, Fault>> {
        let (bedrock, next) = (Arc::clone(&self.bedrock), Arc::clone(&self.next));
        let (lane, model) = (self.lane.clone(), self.model.clone());
        Box::pin(async move {
            let Some(reply) = Reply::of(&input) else {
                return Ok(Verdict::Skipped);
            };
            *next.lock().unwrap_or_else(PoisonError::into_inner) = reply.wire();
            let call = ModelCall {
                request: RequestId::from_bytes([7; 16]),
                number: CallNo::new(1),
                lane,
                operation: reply.operation,
                model,
                body: Bytes::from_static(b"{}"),
                headers: Vec::new(),
            };
            let heard = tokio::time::timeout(PATIENCE, async {
                match bedrock.call(call).await {
                    Ok(stream) => collect(stream).await,
                    Err(error) => Ok(Heard {
                        error: Some(error),
                        ..Heard::default()
                    }),
                }
            });
            let heard = heard
                .await
                .map_err(|_| Fault::new(Kind::Hang, "the answer is not read to its end"))??;
            heard.judge(&reply)
        })
    }
}

/// Everything that came of one call.
#[derive(Debug, Default)]
struct Heard {
    accepted: bool,
    pieces: Vec<Bytes>,
    error: Option<ModelError>,
}

async fn collect(mut stream: ModelStream) -> Result<Heard, Fault> {
    let mut heard = Heard {
        accepted: true,
        ..Heard::default()
    };
    let mut over = false;
    while let Some(event) = stream.events.next().await {
        if over {
            return Err(Fault::new(Kind::Wrong, "an event after the last one"));
        }
        match event {
            Ok(ModelEvent::Body(bytes) | ModelEvent::Frame { bytes, .. }) => heard.pieces.push(bytes),
            Ok(ModelEvent::Usage(usage)) => {
                over = true;
                // What it costs is computed from it whatever it says.
                let _ = usage.charge(5);
            }
            Err(error) => {
                over = true;
                heard.error = Some(error);
            }
        }
    }
    Ok(heard)
}

impl Heard {
    fn judge(&self, reply: &Reply) -> Result<Verdict, Fault> {
        let wrong = |what: &str| Fault::new(Kind::Wrong, what);
        let got = self.pieces.concat();
        if !reply.body.starts_with(&got) {
            return Err(wrong("what was read is not what was sent"));
        }
        let Some(error) = &self.error else {
            let bodiless = matches!(reply.status, 204 | 304);
            let good = (200..300).contains(&reply.status) && (!reply.cut || bodiless);
            if !good {
                return Err(wrong(
                    "an answer that failed, or broke, was taken for a whole one",
                ));
            }
            if got != reply.body {
                return Err(wrong("a part of the answer was taken for all of it"));
            }
            return if reply.operation.streams() {
                whole(reply)
            } else {
                Ok(Verdict::Accepted)
            };
        };
        if !self.accepted && (200..300).contains(&reply.status) && error.status < 400 {
            return Err(wrong("a call that was accepted is refused without a reason"));
        }
        classified(error)
    }
}

/// A stream that was taken for whole is one.
fn whole(reply: &Reply) -> Result<Verdict, Fault> {
    let (messages, rest) = frames::split(&reply.body);
    if messages.is_empty() || !rest.is_empty() {
        return Err(Fault::new(
            Kind::Wrong,
            "a stream that does not end with a message was taken for whole",
        ));
    }
    Ok(Verdict::Accepted)
}

fn classified(error: &ModelError) -> Result<Verdict, Fault> {
    let shape = |what: String| Err(Fault::new(Kind::Shape, what));
    if !(400..600).contains(&error.status) && error.status != wire_name(error.kind).0 {
        return shape(format!("{} under status {}", error.exception, error.status));
    }
    let named = error
        .exception
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.'));
    if error.exception.is_empty() || error.exception.len() > 128 || !named {
        return shape(format!("an exception of the name {:?}", error.exception));
    }
    if error.message.trim().is_empty() || error.message.chars().count() > LONGEST_MESSAGE {
        return shape(format!("a message of {} bytes", error.message.len()));
    }
    // Bedrock's own sentence is passed on; ours is in the words of the API.
    if error.headers.is_empty() && error.message.starts_with("the event stream") {
        words::judge(&error.message, b"")?;
    }
    Ok(Verdict::Refused)
}
