//! From path and body to a [`Plan`]: what a call asks for and how it will be answered.

mod body;
mod check;
mod plan;
mod prose;
mod tools;

pub(crate) use self::plan::{Plan, Stop, count_tokens};
pub(crate) use self::tools::ToolUse;

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

/// The operations under `/model/{modelId}/`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operation {
    Converse,
    ConverseStream,
    Invoke,
    InvokeStream,
    CountTokens,
}

impl Operation {
    /// The last segment of the path.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Converse => "converse",
            Self::ConverseStream => "converse-stream",
            Self::Invoke => "invoke",
            Self::InvokeStream => "invoke-with-response-stream",
            Self::CountTokens => "count-tokens",
        }
    }

    pub(crate) fn streams(self) -> bool {
        matches!(self, Self::ConverseStream | Self::InvokeStream)
    }

    pub(crate) fn is_converse(self) -> bool {
        matches!(self, Self::Converse | Self::ConverseStream)
    }

    /// Splits `/model/{modelId}/{operation}`. The id may be percent-encoded or not, and an ARN brings
    /// slashes of its own: the operation is what follows the last one.
    pub(crate) fn of_path(path: &str) -> Option<(Self, Cow<'_, str>)> {
        let (id, name) = path.strip_prefix("/model/")?.rsplit_once('/')?;
        let all = [
            Self::Converse,
            Self::ConverseStream,
            Self::Invoke,
            Self::InvokeStream,
            Self::CountTokens,
        ];
        let operation = all.into_iter().find(|operation| operation.name() == name)?;
        let id = percent_decode_str(id).decode_utf8().ok()?;
        (!id.is_empty()).then_some((operation, id))
    }
}

/// The name under which a model's quota is kept: an inference profile's or foundation model's ARN
/// shares it with the bare id.
pub(crate) fn quota_name(model: &str) -> &str {
    if model.starts_with("arn:") {
        model.rsplit('/').next().unwrap_or(model)
    } else {
        model
    }
}

/// Whose JSON an answer is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wire {
    Converse,
    Anthropic,
    Nova,
    Titan,
    Llama,
}

impl Wire {
    /// The family's own wire by the model's id, for InvokeModel. Nothing for ids that do not tell
    /// (application inference profiles): there the body's keys do.
    fn of_model(model: &str) -> Option<Self> {
        let families = [
            ("claude", Self::Anthropic),
            ("anthropic", Self::Anthropic),
            ("nova", Self::Nova),
            ("titan", Self::Titan),
            ("llama", Self::Llama),
        ];
        families
            .into_iter()
            .find(|(word, _)| model.contains(word))
            .map(|(_, wire)| wire)
    }
}

#[cfg(test)]
mod tests;
