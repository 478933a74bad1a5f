//! Whether an answer ended because max_tokens was reached, wherever the model families say it.
//!
//! Source: the StopReason of Converse (docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html) and the
//! families' own answers (…/latest/userguide/model-parameters.html). Only these fields are read; what is not understood
//! is an answer that ended by itself.

use serde::Deserialize;
use serde_json::value::RawValue;

/// The fields of bodies and chunks in which some family says why it stopped.
#[derive(Default, Deserialize)]
struct Fields<'a> {
    /// Converse (also the payload of its `messageStop` event), Nova.
    #[serde(borrow, rename = "stopReason")]
    converse: Option<&'a RawValue>,
    /// Anthropic, Llama.
    #[serde(borrow)]
    stop_reason: Option<&'a RawValue>,
    /// Anthropic's `message_delta`.
    #[serde(borrow)]
    delta: Option<&'a RawValue>,
    /// Nova's last chunk but one.
    #[serde(borrow, rename = "messageStop")]
    nova: Option<&'a RawValue>,
    /// Titan, whole and in chunks.
    #[serde(borrow)]
    results: Option<&'a RawValue>,
    #[serde(borrow, rename = "completionReason")]
    titan: Option<&'a RawValue>,
}

/// The same fields one level down.
#[derive(Default, Deserialize)]
struct Inner<'a> {
    #[serde(borrow, rename = "stopReason")]
    converse: Option<&'a RawValue>,
    #[serde(borrow)]
    stop_reason: Option<&'a RawValue>,
    #[serde(borrow, rename = "completionReason")]
    titan: Option<&'a RawValue>,
}

impl Inner<'_> {
    fn is_cut(&self) -> bool {
        [self.converse, self.stop_reason, self.titan]
            .into_iter()
            .any(says_so)
    }
}

fn says_so(reason: Option<&RawValue>) -> bool {
    reason.is_some_and(|raw| matches!(raw.get(), r#""max_tokens""# | r#""length""# | r#""LENGTH""#))
}

/// Whether this JSON body or chunk of any family says so.
pub(crate) fn is_cut_short(json: &[u8]) -> bool {
    let Ok(fields) = serde_json::from_slice::<Fields<'_>>(json) else {
        return false;
    };
    let inner = |raw: Option<&RawValue>| {
        raw.and_then(|raw| serde_json::from_str::<Inner<'_>>(raw.get()).ok())
            .is_some_and(|inner| inner.is_cut())
    };
    let results = || {
        let listed = fields.results.map(RawValue::get);
        let listed = listed.and_then(|text| serde_json::from_str::<Vec<Inner<'_>>>(text).ok());
        listed.is_some_and(|all| all.iter().any(Inner::is_cut))
    };
    [fields.converse, fields.stop_reason, fields.titan]
        .into_iter()
        .any(says_so)
        || inner(fields.delta)
        || inner(fields.nova)
        || results()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_family_says_it_in_its_own_words() {
        for json in [
            r#"{"output":{"message":{"content":[{"text":"a"}]}},"stopReason":"max_tokens","usage":{}}"#,
            r#"{"stopReason":"max_tokens","additionalModelResponseFields":null}"#,
            r#"{"type":"message","content":[],"stop_reason":"max_tokens","stop_sequence":null}"#,
            r#"{"type":"message_delta","delta":{"stop_reason":"max_tokens"},"usage":{"output_tokens":9}}"#,
            r#"{"messageStop":{"stopReason":"max_tokens"}}"#,
            r#"{"inputTextTokenCount":3,"results":[{"tokenCount":4,"completionReason":"LENGTH"}]}"#,
            r#"{"outputText":"a","index":0,"completionReason":"LENGTH"}"#,
            r#"{"generation":"a","generation_token_count":4,"stop_reason":"length"}"#,
        ] {
            assert!(is_cut_short(json.as_bytes()), "{json}");
        }
    }

    #[test]
    fn any_other_end_is_none() {
        for json in [
            "",
            "[]",
            "{}",
            r#"{"stopReason":"end_turn"}"#,
            r#"{"stopReason":"model_context_window_exceeded"}"#,
            r#"{"type":"message","content":[{"text":"\"stop_reason\":\"max_tokens\""}],"stop_reason":"tool_use"}"#,
            r#"{"delta":{"text":"max_tokens"}}"#,
            r#"{"results":[{"completionReason":"FINISH"}]}"#,
            r#"{"results":"LENGTH","stop_reason":null}"#,
        ] {
            assert!(!is_cut_short(json.as_bytes()), "{json}");
        }
    }
}
