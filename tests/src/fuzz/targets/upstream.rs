//! What comes from upstream: heads, bodies and event streams, through the adapter.
//!
//! An input is an HTTP answer as a text ([`Reply`]).

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt;
use rand::rngs::StdRng;
use smoother_core::model::ModelStream;
use smoother_core::ports::BoxFuture;
use smoother_core::verdict::wire_name;
use smoother_core::{ModelError, ModelEvent};

use crate::fuzz::mutate::{frames, reply};
use crate::fuzz::upstream::{Adapter, Reply};
use crate::fuzz::{Fault, Kind, Target, Verdict, words};

/// The longest sentence of Bedrock's that is passed on, in characters.
const LONGEST_MESSAGE: usize = 2_000;
/// Nothing holds this server up.
const PATIENCE: Duration = Duration::from_secs(15);

/// The target.
#[derive(Debug)]
pub struct Frames {
    adapter: Arc<Adapter>,
}

impl Frames {
    /// Starts the server on the loopback and connects the adapter to it.
    ///
    /// # Errors
    /// The port or the adapter cannot be opened.
    pub async fn open() -> anyhow::Result<Self> {
        Ok(Self {
            adapter: Arc::new(Adapter::open().await?),
        })
    }
}

impl Target for Frames {
    fn name(&self) -> &'static str {
        "upstream"
    }

    fn mutate(&self, chance: &mut StdRng, input: &mut Vec<u8>, other: &[u8]) {
        reply::mutate(chance, input, other);
    }

    fn feed(&self, input: Bytes) -> BoxFuture<'static, Result<Verdict, Fault>> {
        let adapter = Arc::clone(&self.adapter);
        Box::pin(async move {
            let Some(reply) = Reply::of(&input) else {
                return Ok(Verdict::Skipped);
            };
            let heard = tokio::time::timeout(PATIENCE, async {
                match adapter.call(&reply).await {
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
            Ok(ModelEvent::CutShort) => {}
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
