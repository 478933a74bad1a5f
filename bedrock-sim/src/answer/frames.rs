//! Event-stream frames, as bedrock-runtime writes them: headers `:event-type`, `:content-type`,
//! `:message-type` in this order, and a JSON payload with the field `p`, padding of random length
//! that hides the length of tokens from listeners on the line.

use aws_smithy_eventstream::frame::write_message_to;
use aws_smithy_types::event_stream::{Header, HeaderValue, Message};
use aws_smithy_types::str_bytes::StrBytes;
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::{Bytes, BytesMut};

use crate::error::SimError;
use crate::hash::mix;

const PADDING: &str = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";

/// Writes frames into one buffer.
#[derive(Debug)]
pub(crate) struct Frames {
    buffer: BytesMut,
    seed: u64,
    written: u64,
}

impl Frames {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            buffer: BytesMut::new(),
            seed,
            written: 0,
        }
    }

    /// Bytes not yet taken.
    pub(crate) fn len(&self) -> usize {
        self.buffer.len()
    }

    /// Everything written since the last time.
    pub(crate) fn take(&mut self) -> Bytes {
        self.buffer.split().freeze()
    }

    /// An event of ConverseStream. `fields` is the inside of its JSON object; the padding joins it.
    pub(crate) fn event(&mut self, kind: &'static str, fields: &[u8]) {
        let mut payload = Vec::with_capacity(fields.len() + PADDING.len() + 10);
        payload.push(b'{');
        payload.extend_from_slice(fields);
        self.pad(&mut payload);
        self.frame(":event-type", kind, "event", payload);
    }

    /// A `chunk` of InvokeModelWithResponseStream around the family's own JSON.
    pub(crate) fn chunk(&mut self, json: &[u8]) {
        let mut payload = b"{\"bytes\":\"".to_vec();
        payload.extend_from_slice(BASE64.encode(json).as_bytes());
        payload.push(b'"');
        self.pad(&mut payload);
        self.frame(":event-type", "chunk", "event", payload);
    }

    /// An event whose type no client knows.
    pub(crate) fn unknown_event(&mut self) {
        let mut payload = b"{\"note\":\"an event of a later API\"".to_vec();
        self.pad(&mut payload);
        self.frame(":event-type", "noveltyEvent", "event", payload);
    }

    /// A well-framed event of `kind` whose payload breaks off.
    pub(crate) fn half_payload(&mut self, kind: &'static str, payload: &[u8]) {
        self.frame(":event-type", kind, "event", payload.to_vec());
    }

    /// The beginning of a frame: half of its prelude of twelve bytes.
    pub(crate) fn half_prelude(&mut self) {
        self.buffer.extend_from_slice(&[0, 0, 0, 0x7b, 0, 0]);
    }

    /// Makes the checksum at the end of what was written last wrong.
    pub(crate) fn spoil_crc(&mut self) {
        if let Some(last) = self.buffer.last_mut() {
            *last ^= 1;
        }
    }

    /// An exception; nothing follows it.
    pub(crate) fn exception(&mut self, error: &SimError) {
        self.frame(
            ":exception-type",
            error.kind.stream_name(),
            "exception",
            error.body(),
        );
    }

    fn pad(&mut self, payload: &mut Vec<u8>) {
        self.written += 1;
        let length = 4 + mix(self.seed ^ self.written) % 59;
        let length = usize::try_from(length).unwrap_or(4);
        payload.extend_from_slice(b",\"p\":\"");
        payload.extend_from_slice(&PADDING.as_bytes()[..length]);
        payload.extend_from_slice(b"\"}");
    }

    fn frame(
        &mut self,
        type_header: &'static str,
        kind: &'static str,
        message: &'static str,
        payload: Vec<u8>,
    ) {
        let header =
            |name, value| Header::new(StrBytes::from(name), HeaderValue::String(StrBytes::from(value)));
        let headers = vec![
            header(type_header, kind),
            header(":content-type", "application/json"),
            header(":message-type", message),
        ];
        let message = Message::new_from_parts(headers, payload);
        let written = write_message_to(&message, &mut self.buffer);
        debug_assert!(written.is_ok(), "short ASCII headers always fit");
    }
}
