//! The answer that ends a chain of fallbacks: a configured text in the model's own form, so that clients read it
//! as they read any answer. It says of itself that nothing was generated: no tokens are used. That it is degraded
//! is told beside it (`x-smoother-degraded`, the job's `degraded`).
//!
//! Forms: docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html, _ConverseStream.html, and
//! docs.aws.amazon.com/bedrock/latest/userguide/model-parameters.html for the bodies of InvokeModel.

mod stream;
#[cfg(test)]
mod tests;
mod whole;

use crate::cost::Usage;
use crate::model::{ModelHead, Operation};
use crate::request::Outcome;
use bytes::Bytes;
use serde::{Deserialize, Serialize};

/// In whose form an answer is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Form {
    /// Converse and ConverseStream, for every model.
    Converse,
    /// InvokeModel, Anthropic's Messages.
    Anthropic,
    /// InvokeModel, Amazon Nova.
    Nova,
    /// InvokeModel, Amazon Titan Text.
    Titan,
    /// InvokeModel, Meta Llama.
    Llama,
}

/// `text` as the answer of `operation` in `form`, and how the request's row records it.
pub fn answer(operation: Operation, form: Form, text: &str) -> (Outcome, Bytes) {
    let (content_type, body) = if operation.streams() {
        ("application/vnd.amazon.eventstream", stream::frames(form, text))
    } else {
        ("application/json", whole::body(form, text))
    };
    let outcome = Outcome::Answer {
        head: ModelHead {
            content_type: content_type.to_owned(),
            headers: Vec::new(),
        },
        usage: Some(Usage::default()),
        bytes: body.len() as u64,
    };
    (outcome, body)
}
