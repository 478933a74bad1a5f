//! Event-stream messages: exceptions made here, and the message that closes an answer.
//! Format: smithy.io/2.0/aws/amazon-eventstream.html

use super::error::Exception;
use aws_smithy_eventstream::frame::{read_message_from, write_message_to};
use aws_smithy_types::event_stream::{Header, HeaderValue, Message};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::Deserialize;
use smoother_core::Operation;

/// An exception inside a stream; after it the stream ends.
pub(super) fn of_exception(exception: &Exception, operation: Operation) -> Bytes {
    let text = |name: &'static str, value: &'static str| Header::new(name, HeaderValue::String(value.into()));
    let message = Message::new(exception.body())
        .add_header(text(":exception-type", member(&exception.name, operation)))
        .add_header(text(":content-type", "application/json"))
        .add_header(text(":message-type", "exception"));
    let mut frame = Vec::new();
    if let Err(error) = write_message_to(&message, &mut frame) {
        // Only a message over 24 MB fails; ours are sentences.
        tracing::error!(%error, "an exception could not be written into a stream");
        frame.clear();
    }
    Bytes::from(frame)
}

/// The member of the operation's stream that carries an exception. What has none of its own is internal.
fn member(exception: &str, operation: Operation) -> &'static str {
    match exception {
        "ThrottlingException" | "ModelNotReadyException" => "throttlingException",
        "ServiceUnavailableException" => "serviceUnavailableException",
        "ValidationException" => "validationException",
        "ModelTimeoutException" if operation == Operation::InvokeWithResponseStream => {
            "modelTimeoutException"
        }
        "ModelTimeoutException" | "ModelErrorException" | "ModelStreamErrorException" => {
            "modelStreamErrorException"
        }
        _ => "internalServerException",
    }
}

/// Whether a frame closes an answer: after it nothing but the end of the stream can come.
///
/// Converse closes with `metadata`, InvokeModel with the chunk that holds Bedrock's own metrics. A text that quotes
/// the mark is held back until the next frame, no more.
pub(super) fn closes(frame: &Bytes, operation: Operation) -> bool {
    let Ok(message) = read_message_from(frame.as_ref()) else {
        return false;
    };
    let kind = message
        .headers()
        .iter()
        .find(|header| header.name().as_str() == ":event-type");
    let kind = kind
        .and_then(|header| header.value().as_string().ok())
        .map_or("", |kind| kind.as_str());
    match operation {
        Operation::ConverseStream => kind == "metadata",
        _ => kind == "chunk" && holds_metrics(message.payload()),
    }
}

fn holds_metrics(payload: &[u8]) -> bool {
    #[derive(Deserialize)]
    struct Chunk<'a> {
        bytes: &'a str,
    }
    const MARK: &[u8] = b"amazon-bedrock-invocationMetrics";
    let Ok(chunk) = serde_json::from_slice::<Chunk<'_>>(payload) else {
        return false;
    };
    STANDARD
        .decode(chunk.bytes)
        .is_ok_and(|text| text.windows(MARK.len()).any(|part| part == MARK))
}
