//! Whole answers.

use super::Form;
use bytes::Bytes;
use serde_json::{Value, json};

pub(super) fn body(form: Form, text: &str) -> Bytes {
    Bytes::from(value(form, text).to_string())
}

fn value(form: Form, text: &str) -> Value {
    match form {
        Form::Converse => json!({
            "output": {"message": {"role": "assistant", "content": [{"text": text}]}},
            "stopReason": "end_turn",
            "usage": {"inputTokens": 0, "outputTokens": 0, "totalTokens": 0},
            "metrics": {"latencyMs": 0},
        }),
        Form::Anthropic => json!({
            "id": "msg_degraded",
            "type": "message",
            "role": "assistant",
            "model": "degraded",
            "content": [{"type": "text", "text": text}],
            "stop_reason": "end_turn",
            "stop_sequence": null,
            "usage": {"input_tokens": 0, "output_tokens": 0},
        }),
        Form::Nova => json!({
            "output": {"message": {"role": "assistant", "content": [{"text": text}]}},
            "stopReason": "end_turn",
            "usage": {"inputTokens": 0, "outputTokens": 0, "totalTokens": 0},
        }),
        Form::Titan => json!({
            "inputTextTokenCount": 0,
            "results": [{"tokenCount": 0, "outputText": text, "completionReason": "FINISH"}],
        }),
        Form::Llama => json!({
            "generation": text,
            "prompt_token_count": 0,
            "generation_token_count": 0,
            "stop_reason": "stop",
        }),
    }
}
