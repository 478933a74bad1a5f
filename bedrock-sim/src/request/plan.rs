//! What a call will get: decided once, from the body and the settings alone.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::body::Body;
use super::check;
use super::prose::Prose;
use super::tools::{ToolUse, use_tool};
use super::{Operation, Wire};
use crate::error::SimError;
use crate::hash::mix;
use crate::mark::Mark;
use crate::object::{Object, is_list_of_objects};
use crate::quota::cost::Usage;
use crate::settings::Settings;

/// Why generation ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    EndTurn,
    MaxTokens,
    ToolUse,
}

/// One call, planned.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Plan {
    pub(crate) wire: Wire,
    /// Tokens in and, if nothing interferes, out.
    pub(crate) usage: Usage,
    /// The most that could be generated: what is reserved.
    pub(crate) max_tokens: u64,
    pub(crate) stop: Stop,
    /// Hash of the prompt: the answer's text begins where it says.
    pub(crate) hash: u64,
    pub(crate) tool: Option<ToolUse>,
    pub(crate) mark: Mark,
}

impl Plan {
    /// Reads a call.
    ///
    /// # Errors
    /// The ValidationException that Bedrock would answer.
    pub(crate) fn read(
        operation: Operation,
        model: &str,
        name: &str,
        bytes: &[u8],
        settings: &Settings,
    ) -> Result<Self, SimError> {
        if !settings.knows(name) {
            return Err(SimError::validation("The provided model identifier is invalid."));
        }
        let body = parse(bytes)?;
        let wire = if operation.is_converse() {
            Wire::Converse
        } else {
            wire(name, &body)
        };
        check::shape(wire, &body)?;
        let limit = settings.max_output_of(name);
        let max_tokens = match asked_tokens(wire, &body) {
            None => limit,
            Some(asked) => {
                check::max_tokens(wire, model, asked, limit)?;
                asked
            }
        };
        let (wanted, tools) = (wanted_tool(&body), tools_json(&body));
        let prose = prose(wire, body);
        let plan = Self::new(wire, prose, max_tokens, wanted.as_ref(), tools);
        if settings
            .max_input_tokens
            .is_some_and(|most| plan.usage.reservation(0) > most)
        {
            return Err(SimError::validation("Input is too long for requested model."));
        }
        Ok(plan)
    }

    fn new(wire: Wire, prose: Prose, max_tokens: u64, wanted: Option<&Wanted>, tools: Option<&str>) -> Self {
        let input = prose.tokens();
        let (hash, mark) = (prose.hash, prose.mark.unwrap_or_default());
        let natural = mark.out.unwrap_or_else(|| natural_length(hash));
        let output = natural.min(max_tokens);
        let uses_tool = mark.tool.unwrap_or(wanted.is_some());
        let named = wanted.and_then(|wanted| wanted.name.as_deref());
        let tool = if uses_tool {
            use_tool(tools, named, output.saturating_mul(4))
        } else {
            None
        };
        let stop = match &tool {
            _ if natural > max_tokens => Stop::MaxTokens,
            Some(_) => Stop::ToolUse,
            None => Stop::EndTurn,
        };
        let usage = Usage {
            input: mark.input.unwrap_or(input),
            cache_read: mark.cache_read.unwrap_or(0),
            cache_write: mark.cache_write.unwrap_or(0),
            output,
        };
        Self {
            wire,
            usage,
            max_tokens,
            stop,
            hash,
            tool,
            mark,
        }
    }
}

/// Output tokens of a prompt that asks for no number: 16 to 527.
fn natural_length(hash: u64) -> u64 {
    16 + mix(hash) % 512
}

fn parse(bytes: &[u8]) -> Result<Body<'_>, SimError> {
    let body: Object<Body<'_>> = serde_json::from_slice(bytes).map_err(|error| malformed(&error))?;
    if let Some(tools) = tools_json(&body) {
        is_list_of_objects(tools).map_err(|error| malformed(&error))?;
    }
    Ok(body.0)
}

fn malformed(problem: &impl std::fmt::Display) -> SimError {
    SimError::validation(format!(
        "Malformed input request: {problem}, please reformat your input and try again."
    ))
}

fn wire(name: &str, body: &Body<'_>) -> Wire {
    Wire::of_model(name).unwrap_or_else(|| {
        if body.input_text.is_some() {
            Wire::Titan
        } else if body.prompt.is_some() {
            Wire::Llama
        } else if body.anthropic_version.is_none() && body.inference_config.is_some() {
            Wire::Nova
        } else {
            Wire::Anthropic
        }
    })
}

fn asked_tokens(wire: Wire, body: &Body<'_>) -> Option<u64> {
    match wire {
        Wire::Converse | Wire::Nova => body
            .inference_config
            .as_ref()
            .and_then(|config| config.max_tokens),
        Wire::Anthropic => body.max_tokens,
        Wire::Titan => body
            .text_generation_config
            .as_ref()
            .and_then(|config| config.max_token_count),
        Wire::Llama => body.max_gen_len,
    }
}

/// A caller that insists on a tool, and on which.
struct Wanted {
    name: Option<String>,
}

fn wanted_tool(body: &Body<'_>) -> Option<Wanted> {
    if let Some(choice) = body
        .tool_config
        .as_ref()
        .and_then(|config| config.choice.as_ref())
    {
        if let Some(tool) = &choice.tool {
            return Some(Wanted {
                name: Some(tool.name.clone().into_owned()),
            });
        }
        return choice.any.as_ref().map(|_| Wanted { name: None });
    }
    let choice = body.tool_choice.as_ref()?;
    match choice.kind.as_ref() {
        "any" => Some(Wanted { name: None }),
        "tool" => Some(Wanted {
            name: Some(choice.name.clone().into_owned()),
        }),
        _ => None,
    }
}

fn tools_json<'a>(body: &Body<'a>) -> Option<&'a str> {
    let converse = body.tool_config.as_ref().and_then(|config| config.tools);
    converse.or(body.tools).map(RawValue::get)
}

/// All text of the call as one.
fn prose(wire: Wire, body: Body<'_>) -> Prose {
    let tools = tools_json(&body);
    let mut whole = match wire {
        Wire::Titan => body.input_text.unwrap_or_default().0,
        Wire::Llama => body.prompt.unwrap_or_default().0,
        Wire::Converse | Wire::Anthropic | Wire::Nova => {
            let mut whole = body.system.map(|system| system.prose).unwrap_or_default();
            for message in body.messages.into_iter().flatten() {
                whole.append(message.0.content.prose);
            }
            whole
        }
    };
    if let Some(tools) = tools {
        whole.add_raw(tools);
    }
    whole
}

/// CountTokens: the input of a Converse or InvokeModel body.
///
/// # Errors
/// The ValidationException that Bedrock would answer.
pub(crate) fn count_tokens(
    model: &str,
    name: &str,
    bytes: &[u8],
    settings: &Settings,
) -> Result<u64, SimError> {
    #[derive(Deserialize)]
    struct Request<'a> {
        #[serde(borrow)]
        input: Input<'a>,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    enum Input<'a> {
        Converse(#[serde(borrow)] &'a RawValue),
        InvokeModel(Object<Invoke>),
    }
    #[derive(Deserialize)]
    struct Invoke {
        body: String,
    }
    let request: Object<Request<'_>> = serde_json::from_slice(bytes).map_err(|error| malformed(&error))?;
    let plan = match request.0.input {
        Input::Converse(body) => {
            Plan::read(Operation::Converse, model, name, body.get().as_bytes(), settings)?
        }
        Input::InvokeModel(invoke) => {
            let body = BASE64.decode(&invoke.body).map_err(|error| malformed(&error))?;
            Plan::read(Operation::Invoke, model, name, &body, settings)?
        }
    };
    Ok(plan.usage.reservation(0))
}
