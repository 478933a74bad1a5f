//! What a call used, wherever Bedrock and its model families say it.
//!
//! Converse has one form. InvokeModel answers in the model's own: headers carry the counts for most models, else
//! the body has them under the family's names (docs.aws.amazon.com/bedrock/latest/userguide/model-parameters.html).
//! Only these fields are read; everything else is skipped, and a count in an unknown form is no count.

use serde::Deserialize;
use serde::de::{DeserializeOwned, Deserializer, MapAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;
use smoother_core::cost::Usage;
use smoother_core::model::ModelHead;
use smoother_core::units::Tokens;
use std::fmt;

/// Counts as far as they are known; later words replace earlier ones.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    input: Option<u64>,
    output: Option<u64>,
    cache_read: Option<u64>,
    cache_write: Option<u64>,
}

impl Counts {
    /// Takes over what `later` knows.
    pub(crate) fn absorb(&mut self, later: Self) {
        self.input = later.input.or(self.input);
        self.output = later.output.or(self.output);
        self.cache_read = later.cache_read.or(self.cache_read);
        self.cache_write = later.cache_write.or(self.cache_write);
    }

    /// The usage, if input and output are known: a part of it would settle a charge too low.
    pub(crate) fn usage(self) -> Option<Usage> {
        Some(Usage {
            input: Tokens::new(self.input?),
            output: Tokens::new(self.output?),
            cache_read: Tokens::new(self.cache_read.unwrap_or(0)),
            cache_write: Tokens::new(self.cache_write.unwrap_or(0)),
        })
    }

    fn set(&mut self, name: &str, count: u64) {
        match name {
            "inputTokens" | "inputTokenCount" | "input_tokens" | "prompt_tokens" => self.input = Some(count),
            "outputTokens" | "outputTokenCount" | "output_tokens" | "completion_tokens" => {
                self.output = Some(count);
            }
            "cacheReadInputTokens" | "cacheReadInputTokenCount" | "cache_read_input_tokens" => {
                self.cache_read = Some(count);
            }
            "cacheWriteInputTokens" | "cacheWriteInputTokenCount" | "cache_creation_input_tokens" => {
                self.cache_write = Some(count);
            }
            _ => {}
        }
    }
}

/// Written by hand because Bedrock sends some counts under two names at once.
impl<'de> Deserialize<'de> for Counts {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Fields;
        impl<'de> Visitor<'de> for Fields {
            type Value = Counts;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of token counts")
            }
            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Counts, M::Error> {
                let mut counts = Counts::default();
                while let Some(name) = map.next_key::<std::borrow::Cow<'de, str>>()? {
                    if let Some(count) = map.next_value::<Value>()?.as_u64() {
                        counts.set(&name, count);
                    }
                }
                Ok(counts)
            }
        }
        from.deserialize_map(Fields)
    }
}

/// The fields of bodies and chunks in which some family counts tokens.
#[derive(Debug, Default, Deserialize)]
struct Fields<'a> {
    /// Converse, Anthropic, Nova, and the models with OpenAI's form.
    #[serde(borrow)]
    usage: Option<&'a RawValue>,
    /// Anthropic's `message_start`.
    #[serde(borrow)]
    message: Option<&'a RawValue>,
    /// Nova's last chunk.
    #[serde(borrow)]
    metadata: Option<&'a RawValue>,
    /// Bedrock's own count in the last chunk of every family.
    #[serde(borrow, rename = "amazon-bedrock-invocationMetrics")]
    metrics: Option<&'a RawValue>,
    /// Titan.
    #[serde(borrow, rename = "inputTextTokenCount")]
    titan_input: Option<&'a RawValue>,
    #[serde(borrow, rename = "totalOutputTextTokenCount")]
    titan_output: Option<&'a RawValue>,
    #[serde(borrow)]
    results: Option<&'a RawValue>,
    /// Llama.
    #[serde(borrow)]
    prompt_token_count: Option<&'a RawValue>,
    #[serde(borrow)]
    generation_token_count: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Holder {
    usage: Counts,
}

#[derive(Deserialize)]
struct TitanResult {
    #[serde(rename = "tokenCount")]
    tokens: u64,
}

fn read<T: DeserializeOwned>(raw: Option<&RawValue>) -> Option<T> {
    serde_json::from_str(raw?.get()).ok()
}

/// The counts in a JSON body or chunk of any family, or in the payload of Converse's `metadata` event.
pub(crate) fn in_json(json: &[u8]) -> Counts {
    let Ok(fields) = serde_json::from_slice::<Fields<'_>>(json) else {
        return Counts::default();
    };
    let results: Option<Vec<TitanResult>> = read(fields.results);
    let mut counts = Counts {
        input: read(fields.titan_input).or_else(|| read(fields.prompt_token_count)),
        output: results
            .map(|all| all.iter().fold(0u64, |sum, one| sum.saturating_add(one.tokens)))
            .or_else(|| read(fields.titan_output))
            .or_else(|| read(fields.generation_token_count)),
        ..Counts::default()
    };
    for holder in [fields.message, fields.metadata] {
        if let Some(Holder { usage }) = read(holder) {
            counts.absorb(usage);
        }
    }
    for direct in [fields.usage, fields.metrics] {
        if let Some(direct) = read(direct) {
            counts.absorb(direct);
        }
    }
    counts
}

/// The counts in the headers of an InvokeModel answer.
pub(crate) fn in_headers(head: &ModelHead) -> Counts {
    let mut counts = Counts::default();
    for (name, value) in &head.headers {
        let Some(field) = name.strip_prefix("x-amzn-bedrock-") else {
            continue;
        };
        let place = match field {
            "input-token-count" => &mut counts.input,
            "output-token-count" => &mut counts.output,
            "cache-read-input-token-count" => &mut counts.cache_read,
            "cache-write-input-token-count" => &mut counts.cache_write,
            _ => continue,
        };
        *place = value.trim().parse().ok();
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn usage(json: &str) -> Option<(u64, u64, u64, u64)> {
        let usage = in_json(json.as_bytes()).usage()?;
        Some((
            usage.input.get(),
            usage.output.get(),
            usage.cache_read.get(),
            usage.cache_write.get(),
        ))
    }

    #[test]
    fn every_family_is_counted() {
        let cases = [
            (
                r#"{"output":{},"usage":{"inputTokens":3,"outputTokens":4,"totalTokens":7,
                   "cacheReadInputTokens":5,"cacheReadInputTokenCount":5,"cacheWriteInputTokens":6}}"#,
                (3, 4, 5, 6),
            ),
            (
                r#"{"type":"message","usage":{"input_tokens":3,"output_tokens":4,"cache_read_input_tokens":5,
                   "cache_creation_input_tokens":6,"cache_creation":{"ephemeral_5m_input_tokens":6}}}"#,
                (3, 4, 5, 6),
            ),
            (
                r#"{"usage":{"inputTokens":3,"outputTokens":4,"cacheReadInputTokenCount":5}}"#,
                (3, 4, 5, 0),
            ),
            (
                r#"{"inputTextTokenCount":3,"results":[{"tokenCount":1,"outputText":"a"},{"tokenCount":3}]}"#,
                (3, 4, 0, 0),
            ),
            (
                r#"{"generation":"a","prompt_token_count":3,"generation_token_count":4}"#,
                (3, 4, 0, 0),
            ),
            (
                r#"{"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":4}}"#,
                (3, 4, 0, 0),
            ),
        ];
        for (json, expected) in cases {
            assert_eq!(usage(json), Some(expected), "{json}");
        }
    }

    #[test]
    fn half_a_count_and_foreign_shapes_are_none() {
        for json in [
            "",
            "[]",
            "{}",
            r#"{"usage":"much"}"#,
            r#"{"usage":{"inputTokens":3}}"#,
            r#"{"results":{"a":1}}"#,
        ] {
            assert_eq!(usage(json), None, "{json}");
        }
        assert_eq!(
            usage(r#"{"results":"odd","usage":{"input_tokens":1,"output_tokens":-2,"outputTokens":2}}"#),
            Some((1, 2, 0, 0))
        );
    }

    #[test]
    fn a_streams_counts_add_up_over_its_chunks() {
        let mut counts = Counts::default();
        for chunk in [
            r#"{"type":"message_start","message":{"usage":{"input_tokens":9,"output_tokens":1,"cache_read_input_tokens":2}}}"#,
            r#"{"type":"content_block_delta","delta":{"text":"\"usage\""}}"#,
            r#"{"type":"message_delta","usage":{"output_tokens":40}}"#,
            r#"{"type":"message_stop","amazon-bedrock-invocationMetrics":{"inputTokenCount":9,"outputTokenCount":41}}"#,
        ] {
            counts.absorb(in_json(chunk.as_bytes()));
        }
        let usage = counts
            .usage()
            .map(|u| (u.input.get(), u.output.get(), u.cache_read.get()));
        assert_eq!(usage, Some((9, 41, 2)));
    }

    #[test]
    fn headers_count_too() {
        let header = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let head = ModelHead {
            content_type: String::new(),
            headers: vec![
                header("x-amzn-bedrock-input-token-count", "11"),
                header("x-amzn-bedrock-output-token-count", "7"),
                header("x-amzn-bedrock-cache-read-input-token-count", "5"),
            ],
        };
        let usage = in_headers(&head)
            .usage()
            .map(|u| (u.input.get(), u.output.get(), u.cache_read.get()));
        assert_eq!(usage, Some((11, 7, 5)));
    }
}
