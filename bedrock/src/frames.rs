//! Event-stream messages: cut out of the byte stream as they are, checked, and looked into only where needed.
//!
//! Encoding: smithy.io/2.0/aws/amazon-eventstream.html — 4 bytes total length, 4 bytes header length, CRC of both,
//! headers, payload, CRC of everything before.

use crate::stop::is_cut_short;
use crate::{errors, usage};
use aws_smithy_eventstream::frame::read_message_from;
use aws_smithy_types::event_stream::Message;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::{Bytes, BytesMut};
use serde::Deserialize;
use serde_json::value::RawValue;
use smoother_core::model::{ModelError, Operation};
use std::borrow::Cow;

/// Both lengths and their checksum.
const PRELUDE: usize = 12;

/// A message without headers and payload.
const SHORTEST: usize = PRELUDE + 4;

/// The encoding's own bound: 24 MiB of payload, 128 KiB of headers. What claims to be longer is damaged.
const LONGEST: usize = (24 << 20) + (128 << 10) + SHORTEST;

/// Bytes received of which no whole message is made yet.
#[derive(Debug, Default)]
pub(crate) struct Splitter {
    buffer: BytesMut,
}

/// One message: as it came, and decoded.
#[derive(Debug)]
pub(crate) struct Frame {
    pub(crate) bytes: Bytes,
    message: Message,
}

impl Splitter {
    pub(crate) fn push(&mut self, data: &[u8]) {
        self.buffer.extend_from_slice(data);
    }

    /// Whether the stream could end here.
    pub(crate) fn is_empty(&self) -> bool {
        self.buffer.is_empty()
    }

    /// The next whole message, if it is here; both checksums are checked.
    ///
    /// The prelude's is checked as soon as it is here: a damaged length would otherwise be waited for.
    pub(crate) fn next(&mut self) -> Result<Option<Frame>, ModelError> {
        let Some(prelude) = self.buffer.first_chunk::<PRELUDE>() else {
            return Ok(None);
        };
        let length = checked_length(prelude)?;
        if self.buffer.len() < length {
            return Ok(None);
        }
        let bytes = self.buffer.split_to(length).freeze();
        match read_message_from(&mut bytes.clone()) {
            Ok(message) => Ok(Some(Frame { bytes, message })),
            Err(error) => Err(errors::malformed(&error)),
        }
    }
}

fn checked_length(prelude: &[u8; PRELUDE]) -> Result<usize, ModelError> {
    let [l0, l1, l2, l3, _, _, _, _, c0, c1, c2, c3] = *prelude;
    if crc32fast::hash(&prelude[..8]) != u32::from_be_bytes([c0, c1, c2, c3]) {
        return Err(errors::malformed(&"a prelude's checksum is wrong"));
    }
    let length = usize::try_from(u32::from_be_bytes([l0, l1, l2, l3])).unwrap_or(usize::MAX);
    if !(SHORTEST..=LONGEST).contains(&length) {
        return Err(errors::malformed(&format_args!(
            "a message claims {length} bytes"
        )));
    }
    Ok(length)
}

/// What a frame says to the pipeline; its bytes are the caller's matter.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Meaning {
    /// It carries generated content.
    pub(crate) output: bool,
    /// It begins an answer whose end is marked as well.
    pub(crate) begin: bool,
    /// The generation is over; only counts may follow.
    pub(crate) stop: bool,
    /// The generation ended at max_tokens.
    pub(crate) cut_short: bool,
    /// Counts it brings.
    pub(crate) counts: usage::Counts,
}

impl Frame {
    fn header(&self, name: &str) -> Option<&str> {
        let header = self
            .message
            .headers()
            .iter()
            .find(|header| header.name().as_str() == name)?;
        header.value().as_string().ok().map(|text| text.as_str())
    }

    /// Reads the frame as far as the pipeline needs it; an exception frame is the stream's error.
    ///
    /// `headers` are those of the answer, which carry Bedrock's request id.
    pub(crate) fn meaning(
        &self,
        operation: Operation,
        headers: &[(String, String)],
    ) -> Result<Meaning, ModelError> {
        let payload = self.message.payload();
        match self.header(":message-type") {
            Some("exception") => {
                let name = self.header(":exception-type").unwrap_or_default();
                Err(errors::in_stream(name, payload, headers.to_vec()))
            }
            Some("error") => {
                let name = self.header(":error-code").unwrap_or_default();
                let message = self.header(":error-message").unwrap_or_default();
                Err(errors::in_stream(name, message.as_bytes(), headers.to_vec()))
            }
            _ if operation.is_converse() => Ok(converse(self.header(":event-type"), payload)),
            _ => Ok(invoke(self.header(":event-type"), payload)),
        }
    }
}

fn converse(event: Option<&str>, payload: &[u8]) -> Meaning {
    match event {
        Some("contentBlockStart" | "contentBlockDelta") => Meaning {
            output: true,
            ..Meaning::default()
        },
        Some("messageStop") => Meaning {
            stop: true,
            cut_short: is_cut_short(payload),
            ..Meaning::default()
        },
        Some("metadata") => Meaning {
            counts: usage::in_json(payload),
            ..Meaning::default()
        },
        _ => Meaning::default(),
    }
}

#[derive(Deserialize)]
struct Chunk<'a> {
    #[serde(borrow)]
    bytes: Cow<'a, str>,
}

/// How families mark the chunks around the content.
#[derive(Default, Deserialize)]
struct Marks<'a> {
    #[serde(borrow, rename = "type")]
    anthropic: Option<&'a RawValue>,
    #[serde(borrow, rename = "messageStart")]
    nova_start: Option<&'a RawValue>,
    #[serde(borrow, rename = "messageStop")]
    nova_stop: Option<&'a RawValue>,
    /// Bedrock's own, on the last chunk of every family.
    #[serde(borrow, rename = "amazon-bedrock-invocationMetrics")]
    metrics: Option<&'a RawValue>,
}

impl Marks<'_> {
    fn is_anthropics(&self, kind: &str) -> bool {
        self.anthropic
            .is_some_and(|found| found.get().trim_matches('"') == kind)
    }

    fn begins(&self) -> bool {
        self.nova_start.is_some() || self.is_anthropics("message_start")
    }

    fn ends(&self) -> bool {
        self.nova_stop.is_some() || self.metrics.is_some() || self.is_anthropics("message_stop")
    }
}

fn invoke(event: Option<&str>, payload: &[u8]) -> Meaning {
    if event != Some("chunk") {
        return Meaning::default();
    }
    let inner = serde_json::from_slice::<Chunk<'_>>(payload)
        .ok()
        .and_then(|chunk| STANDARD.decode(chunk.bytes.as_bytes()).ok());
    // A chunk in an unknown form counts as content: sending the call again might pay for it twice.
    let Some(inner) = inner else {
        return Meaning {
            output: true,
            ..Meaning::default()
        };
    };
    let marks: Marks<'_> = serde_json::from_slice(&inner).unwrap_or_default();
    Meaning {
        output: !marks.begins() && !marks.is_anthropics("ping"),
        begin: marks.begins(),
        stop: marks.ends(),
        cut_short: is_cut_short(&inner),
        counts: usage::in_json(&inner),
    }
}
