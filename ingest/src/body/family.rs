//! Whose body format an InvokeModel body has: by the model's id, else by the fields it holds.

use crate::json::Object;
use serde::Deserialize;
use serde::de::IgnoredAny;
use smoother_core::degraded::Form;

/// The formats that are understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Family {
    Anthropic,
    Nova,
    Titan,
    TitanEmbedding,
    Llama,
}

/// Parts of ids and of the ARNs that hold them.
const IDS: [(&str, Family); 6] = [
    ("anthropic.claude", Family::Anthropic),
    ("amazon.nova-2-multimodal-embeddings", Family::TitanEmbedding),
    ("amazon.nova", Family::Nova),
    ("amazon.titan-embed", Family::TitanEmbedding),
    ("amazon.titan-t", Family::Titan),
    ("meta.llama", Family::Llama),
];

/// Fields that only one format has; ids of application profiles and imported models say nothing.
#[derive(Deserialize)]
struct Marks {
    anthropic_version: Option<IgnoredAny>,
    #[serde(rename = "schemaVersion")]
    schema_version: Option<IgnoredAny>,
    #[serde(rename = "inferenceConfig")]
    inference_config: Option<IgnoredAny>,
    #[serde(rename = "inputText")]
    input_text: Option<IgnoredAny>,
    max_gen_len: Option<IgnoredAny>,
}

impl Family {
    pub(super) fn of_model(model: &str) -> Option<Self> {
        IDS.iter()
            .find(|(part, _)| model.contains(part))
            .map(|(_, family)| *family)
    }

    /// The form of its answers; embeddings are no text.
    pub(super) fn form(self) -> Option<Form> {
        match self {
            Self::Anthropic => Some(Form::Anthropic),
            Self::Nova => Some(Form::Nova),
            Self::Titan => Some(Form::Titan),
            Self::Llama => Some(Form::Llama),
            Self::TitanEmbedding => None,
        }
    }

    /// `None` too where the body is no JSON object: whoever reads it next says so.
    pub(super) fn of_body(text: &str) -> Option<Self> {
        let Object(marks): Object<Marks> = serde_json::from_str(text).ok()?;
        if marks.anthropic_version.is_some() {
            Some(Self::Anthropic)
        } else if marks.schema_version.is_some() || marks.inference_config.is_some() {
            Some(Self::Nova)
        } else if marks.input_text.is_some() {
            Some(Self::Titan)
        } else if marks.max_gen_len.is_some() {
            Some(Self::Llama)
        } else {
            None
        }
    }
}
