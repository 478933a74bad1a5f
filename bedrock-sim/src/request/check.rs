//! What Bedrock refuses before it counts a call, in its own words.

use super::Wire;
use super::body::{Body, Message};
use crate::error::SimError;
use crate::object::Object;

const STARTS_WITH_USER: &str = "A conversation must start with a user message. Try again with a conversation that \
     starts with a user message.";

/// Checks that the parts which this wire needs are there.
pub(super) fn shape(wire: Wire, body: &Body<'_>) -> Result<(), SimError> {
    match wire {
        Wire::Converse | Wire::Nova => conversation(body.messages.as_deref().unwrap_or_default()),
        Wire::Anthropic => anthropic(body.messages.as_deref().unwrap_or_default()),
        Wire::Titan => required("inputText", body.input_text.as_ref().map(|text| text.0.tokens())),
        Wire::Llama => required("prompt", body.prompt.as_ref().map(|text| text.0.tokens())),
    }
}

fn conversation(messages: &[Object<Message<'_>>]) -> Result<(), SimError> {
    for (index, message) in messages.iter().enumerate() {
        if !is_role(&message.role) {
            let found = &message.role;
            return Err(SimError::validation(format!(
                "1 validation error detected: Value '{found}' at 'messages.{}.member.role' failed to satisfy \
                 constraint: Member must satisfy enum value set: [user, assistant]",
                index + 1
            )));
        }
        if message.content.blocks == 0 {
            return Err(SimError::validation(format!(
                "The content field in the Message object at messages.{index} is empty. Add a ContentBlock object to \
                 the content field and try again."
            )));
        }
        if let Some(block) = message.content.blank {
            return Err(SimError::validation(format!(
                "The text field in the ContentBlock object at messages.{index}.content.{block} is blank. Add text to \
                 the text field, and try again."
            )));
        }
    }
    starts_with_user(messages)
}

fn anthropic(messages: &[Object<Message<'_>>]) -> Result<(), SimError> {
    if messages.is_empty() {
        return Err(SimError::validation("messages: at least one message is required"));
    }
    for (index, message) in messages.iter().enumerate() {
        if !is_role(&message.role) {
            return Err(SimError::validation(format!(
                "messages: Unexpected role \"{}\". Allowed roles are \"user\" or \"assistant\"",
                message.role
            )));
        }
        if message.content.blocks == 0 {
            return Err(SimError::validation(format!(
                "messages.{index}: all messages must have non-empty content"
            )));
        }
        if message.content.blank.is_some() {
            return Err(SimError::validation(format!(
                "messages.{index}: text content blocks must be non-empty"
            )));
        }
    }
    starts_with_user(messages)
}

fn is_role(role: &str) -> bool {
    role == "user" || role == "assistant"
}

fn starts_with_user(messages: &[Object<Message<'_>>]) -> Result<(), SimError> {
    match messages.first() {
        Some(first) if first.role == "user" => Ok(()),
        _ => Err(SimError::validation(STARTS_WITH_USER)),
    }
}

fn required(key: &str, tokens: Option<u64>) -> Result<(), SimError> {
    match tokens {
        None => Err(SimError::validation(format!(
            "Malformed input request: #: required key [{key}] not found, please reformat your input and try again."
        ))),
        Some(0) => Err(SimError::validation(format!(
            "Malformed input request: #/{key}: expected minLength: 1, actual: 0, please reformat your input and try \
             again."
        ))),
        Some(_) => Ok(()),
    }
}

/// Checks a caller's max_tokens against the model's own maximum.
pub(super) fn max_tokens(wire: Wire, model: &str, asked: u64, limit: u64) -> Result<(), SimError> {
    if asked == 0 {
        return Err(SimError::validation(
            "max_tokens: must be greater than or equal to 1",
        ));
    }
    if asked <= limit {
        return Ok(());
    }
    Err(SimError::validation(match wire {
        Wire::Anthropic => format!(
            "max_tokens: {asked} > {limit}, which is the maximum allowed number of output tokens for {model}"
        ),
        _ => format!(
            "The maximum tokens you requested exceeds the model limit of {limit}. Try again with a maximum tokens \
             value that is lower than {limit}."
        ),
    }))
}
