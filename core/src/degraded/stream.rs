//! Streamed answers: the messages a model would send, all at once.
//! Framing: smithy.io/2.0/aws/amazon-eventstream.html

use super::Form;
use aws_smithy_eventstream::frame::write_message_to;
use aws_smithy_types::event_stream::{Header, HeaderValue, Message};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde_json::{Value, json};

pub(super) fn frames(form: Form, text: &str) -> Bytes {
    let mut all = Vec::new();
    match form {
        Form::Converse => {
            for (kind, payload) in converse(text) {
                write(&mut all, kind, &payload);
            }
        }
        Form::Anthropic => chunks(&mut all, anthropic(text)),
        Form::Nova => chunks(
            &mut all,
            converse(text)
                .into_iter()
                .map(|(kind, payload)| json!({ kind: payload }))
                .collect(),
        ),
        Form::Titan => chunks(
            &mut all,
            vec![json!({
                "outputText": text,
                "index": 0,
                "totalOutputTextTokenCount": 0,
                "completionReason": "FINISH",
                "inputTextTokenCount": 0,
            })],
        ),
        Form::Llama => chunks(
            &mut all,
            vec![json!({
                "generation": text,
                "prompt_token_count": 0,
                "generation_token_count": 0,
                "stop_reason": "stop",
            })],
        ),
    }
    Bytes::from(all)
}

fn converse(text: &str) -> Vec<(&'static str, Value)> {
    vec![
        ("messageStart", json!({"role": "assistant"})),
        (
            "contentBlockDelta",
            json!({"contentBlockIndex": 0, "delta": {"text": text}}),
        ),
        ("contentBlockStop", json!({"contentBlockIndex": 0})),
        ("messageStop", json!({"stopReason": "end_turn"})),
        (
            "metadata",
            json!({
                "usage": {"inputTokens": 0, "outputTokens": 0, "totalTokens": 0},
                "metrics": {"latencyMs": 0},
            }),
        ),
    ]
}

fn anthropic(text: &str) -> Vec<Value> {
    let usage = json!({"input_tokens": 0, "output_tokens": 0});
    vec![
        json!({"type": "message_start", "message": {
            "id": "msg_degraded", "type": "message", "role": "assistant", "model": "degraded",
            "content": [], "stop_reason": null, "stop_sequence": null, "usage": usage,
        }}),
        json!({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}),
        json!({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": text}}),
        json!({"type": "content_block_stop", "index": 0}),
        json!({"type": "message_delta", "delta": {"stop_reason": "end_turn", "stop_sequence": null},
               "usage": {"output_tokens": 0}}),
        json!({"type": "message_stop"}),
    ]
}

/// InvokeModel's chunks; Bedrock's own metrics come with the last one.
fn chunks(all: &mut Vec<u8>, mut values: Vec<Value>) {
    if let Some(last) = values.last_mut().and_then(Value::as_object_mut) {
        let metrics = json!({
            "inputTokenCount": 0, "outputTokenCount": 0, "invocationLatency": 0, "firstByteLatency": 0,
        });
        last.insert("amazon-bedrock-invocationMetrics".to_owned(), metrics);
    }
    for value in values {
        let bytes = STANDARD.encode(value.to_string());
        write(all, "chunk", &json!({ "bytes": bytes }));
    }
}

fn write(all: &mut Vec<u8>, kind: &'static str, payload: &Value) {
    let header =
        |name: &'static str, value: &'static str| Header::new(name, HeaderValue::String(value.into()));
    let message = Message::new(payload.to_string())
        .add_header(header(":event-type", kind))
        .add_header(header(":content-type", "application/json"))
        .add_header(header(":message-type", "event"));
    let before = all.len();
    // Only a message over 24 MB fails, and the text is bounded by the configuration.
    if write_message_to(&message, all).is_err() {
        all.truncate(before);
    }
}
