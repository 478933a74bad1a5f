//! Where max_tokens stands in a body, for those that may be sent with a smaller one.
//!
//! Only such bodies are read a second time. A body has no slot where a smaller value could mean something else than a
//! shorter answer: where none is set in InvokeModel's form (the model's own preset counts then, which is not known
//! here), where the model thinks before it answers (its budget has to be below max_tokens), where a managed prompt
//! brings the settings, and where the form is not known.

use super::family::Family;
use crate::json::Object;
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use smoother_core::Operation;
use smoother_core::right_size::Slot;

/// Here a member that is `null` is told from one that is not there.
#[derive(Deserialize)]
struct Converse<'a> {
    #[serde(borrow, default, deserialize_with = "present", rename = "inferenceConfig")]
    config: Option<&'a RawValue>,
    #[serde(borrow, rename = "additionalModelRequestFields")]
    additional: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct ConverseConfig<'a> {
    #[serde(borrow, default, deserialize_with = "present", rename = "maxTokens")]
    max_tokens: Option<&'a RawValue>,
}

fn present<'de, D: Deserializer<'de>>(from: D) -> Result<Option<&'de RawValue>, D::Error> {
    <&RawValue>::deserialize(from).map(Some)
}

/// The places in which some family has it, but for the objects around them.
#[derive(Deserialize)]
struct Fields<'a> {
    #[serde(borrow, rename = "maxTokens")]
    converse: Option<&'a RawValue>,
    #[serde(borrow)]
    max_new_tokens: Option<&'a RawValue>,
    #[serde(borrow)]
    max_tokens: Option<&'a RawValue>,
    #[serde(borrow)]
    max_tokens_to_sample: Option<&'a RawValue>,
    #[serde(borrow)]
    max_gen_len: Option<&'a RawValue>,
    #[serde(borrow, rename = "maxTokenCount")]
    titan: Option<&'a RawValue>,
    #[serde(borrow, rename = "inferenceConfig")]
    nova_config: Option<&'a RawValue>,
    #[serde(borrow, rename = "textGenerationConfig")]
    titan_config: Option<&'a RawValue>,
    #[serde(borrow)]
    messages: Option<&'a RawValue>,
    #[serde(borrow)]
    thinking: Option<&'a RawValue>,
    #[serde(borrow, rename = "reasoningConfig")]
    reasoning: Option<&'a RawValue>,
}

/// The slot of a body that [`super::read`] has read; `None` where its value is to stay as it is.
pub(crate) fn slot(operation: Operation, model: &str, body: &[u8]) -> Option<Slot> {
    let text = std::str::from_utf8(body).ok()?;
    if operation.is_converse() {
        return if model.contains(":prompt/") {
            None
        } else {
            converse(text)
        };
    }
    let Object(fields): Object<Fields<'_>> = serde_json::from_str(text).ok()?;
    let family = Family::of_model(model).or_else(|| Family::of_body(text));
    let value = match family? {
        _ if fields.thinking.is_some() || fields.reasoning.is_some() => None,
        Family::Anthropic if fields.messages.is_none() => fields.max_tokens_to_sample,
        Family::Anthropic => fields.max_tokens,
        Family::Llama => fields.max_gen_len,
        Family::Nova => {
            let config = inside(fields.nova_config?)?;
            config.converse.or(config.max_new_tokens)
        }
        Family::Titan => inside(fields.titan_config?)?.titan,
        Family::TitanEmbedding => None,
    };
    value.and_then(|value| at(text, value, "", ""))
}

/// Converse takes the model's maximum where none is set, so there one may be put in.
fn converse(text: &str) -> Option<Slot> {
    let Object(body): Object<Converse<'_>> = serde_json::from_str(text).ok()?;
    if body.additional.is_some_and(meddles) {
        return None;
    }
    let Some(config) = body.config else {
        return inserted(text, 0, text, r#""inferenceConfig":{"maxTokens":"#, "}");
    };
    if config.get() == "null" {
        return at(text, config, r#"{"maxTokens":"#, "}");
    }
    let Object(inside): Object<ConverseConfig<'_>> = serde_json::from_str(config.get()).ok()?;
    match inside.max_tokens {
        Some(value) => at(text, value, "", ""),
        None => inserted(text, offset(text, config)?, config.get(), r#""maxTokens":"#, ""),
    }
}

/// Whether a model's own fields speak of the length of its answers, or of its thoughts.
fn meddles(additional: &RawValue) -> bool {
    ["max", "think", "reason", "budget"]
        .iter()
        .any(|word| additional.get().to_ascii_lowercase().contains(word))
}

fn inside(raw: &RawValue) -> Option<Fields<'_>> {
    let Object(fields): Object<Fields<'_>> = serde_json::from_str(raw.get()).ok()?;
    Some(fields)
}

/// In the place of a value.
fn at(text: &str, value: &RawValue, before: &str, after: &str) -> Option<Slot> {
    let from = offset(text, value)?;
    Some(Slot::new(from..from + value.get().len(), before, after))
}

/// As the first member of the object that stands at `from`.
fn inserted(text: &str, from: usize, object: &str, before: &str, after: &str) -> Option<Slot> {
    let brace = object.find('{')?;
    let empty = object[brace + 1..].trim_ascii_start().starts_with('}');
    let place = from + brace + 1;
    let after = format!("{after}{}", if empty { "" } else { "," });
    text.is_char_boundary(place)
        .then(|| Slot::new(place..place, before, &after))
}

/// Where a value that was borrowed from `text` stands in it.
fn offset(text: &str, value: &RawValue) -> Option<usize> {
    let from = value.get().as_ptr().addr().checked_sub(text.as_ptr().addr())?;
    (text.get(from..from + value.get().len()) == Some(value.get())).then_some(from)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use smoother_core::Tokens;

    const CLAUDE: &str = "us.anthropic.claude-sonnet-4-5-20250929-v1:0";

    fn sent(operation: Operation, model: &str, body: &str) -> Option<String> {
        let filled = slot(operation, model, body.as_bytes())?.fill(body.as_bytes(), Tokens::new(640));
        Some(String::from_utf8(filled.unwrap().to_vec()).unwrap())
    }

    #[test]
    fn converse_has_it_set_or_put_in_and_every_other_byte_stays() {
        for (body, wanted) in [
            (
                r#"{"messages":[ ],  "inferenceConfig" : {"temperature":0.5 , "maxTokens" : 64000 } }"#,
                r#"{"messages":[ ],  "inferenceConfig" : {"temperature":0.5 , "maxTokens" : 640 } }"#,
            ),
            (
                r#"{"inferenceConfig":{ "topP":1},"messages":[]}"#,
                r#"{"inferenceConfig":{"maxTokens":640, "topP":1},"messages":[]}"#,
            ),
            (
                r#" {"inferenceConfig": { }}"#,
                r#" {"inferenceConfig": {"maxTokens":640 }}"#,
            ),
            (
                r#"{"inferenceConfig":null}"#,
                r#"{"inferenceConfig":{"maxTokens":640}}"#,
            ),
            (
                r#"{"inferenceConfig":{"maxTokens":null}}"#,
                r#"{"inferenceConfig":{"maxTokens":640}}"#,
            ),
            (
                r#"{ "messages":["inferenceConfig","ä"]}"#,
                r#"{"inferenceConfig":{"maxTokens":640}, "messages":["inferenceConfig","ä"]}"#,
            ),
            (
                r#"{"additionalModelRequestFields":{"top_k":5},"inferenceConfig":{"maxTokens":9}}"#,
                r#"{"additionalModelRequestFields":{"top_k":5},"inferenceConfig":{"maxTokens":640}}"#,
            ),
        ] {
            for operation in [Operation::Converse, Operation::ConverseStream] {
                assert_eq!(sent(operation, CLAUDE, body).as_deref(), Some(wanted), "{body}");
            }
        }
    }

    #[test]
    fn every_family_has_it_in_its_own_place() {
        for (model, body, wanted) in [
            (
                CLAUDE,
                r#"{"anthropic_version":"bedrock-2023-05-31","max_tokens":4096,"messages":[]}"#,
                r#"{"anthropic_version":"bedrock-2023-05-31","max_tokens":640,"messages":[]}"#,
            ),
            (
                "anthropic.claude-v2",
                r#"{"prompt":"a","max_tokens_to_sample": 300}"#,
                r#"{"prompt":"a","max_tokens_to_sample": 640}"#,
            ),
            (
                "us.amazon.nova-pro-v1:0",
                r#"{"messages":[],"inferenceConfig":{"max_new_tokens":5000}}"#,
                r#"{"messages":[],"inferenceConfig":{"max_new_tokens":640}}"#,
            ),
            (
                "amazon.titan-text-express-v1",
                r#"{"inputText":"a","textGenerationConfig":{"maxTokenCount":8000,"topP":1}}"#,
                r#"{"inputText":"a","textGenerationConfig":{"maxTokenCount":640,"topP":1}}"#,
            ),
            (
                "meta.llama3-1-70b-instruct-v1:0",
                r#"{"prompt":"a","max_gen_len":2048}"#,
                r#"{"prompt":"a","max_gen_len":640}"#,
            ),
        ] {
            assert_eq!(sent(Operation::Invoke, model, body).as_deref(), Some(wanted));
        }
    }

    #[test]
    fn where_a_smaller_value_could_mean_something_else_the_body_stays_as_it_is() {
        for (operation, model, body) in [
            (Operation::Converse, "arn:aws:bedrock:us-east-1:1:prompt/P", "{}"),
            (
                Operation::Converse,
                CLAUDE,
                r#"{"additionalModelRequestFields":{"thinking":{"type":"enabled","budget_tokens":2000}}}"#,
            ),
            (
                Operation::Converse,
                CLAUDE,
                r#"{"additionalModelRequestFields":{"reasoningConfig":{"type":"enabled"}}}"#,
            ),
            (
                Operation::Invoke,
                CLAUDE,
                r#"{"max_tokens":4096,"messages":[],"thinking":{"type":"enabled","budget_tokens":2000}}"#,
            ),
            // None is set: the model's own preset counts.
            (Operation::Invoke, CLAUDE, r#"{"messages":[]}"#),
            (Operation::Invoke, "meta.llama3-8b", r#"{"prompt":"a"}"#),
            (
                Operation::Invoke,
                "amazon.titan-text-express-v1",
                r#"{"inputText":"a"}"#,
            ),
            (
                Operation::Invoke,
                "amazon.titan-embed-text-v2:0",
                r#"{"inputText":"a"}"#,
            ),
            (Operation::Invoke, "some.model", r#"{"max_tokens":4096}"#),
        ] {
            assert_eq!(sent(operation, model, body), None, "{body}");
        }
    }

    proptest! {
        #[test]
        fn what_is_sent_is_the_body_with_that_value(
            before in proptest::collection::vec("[a-zäø\"\\\\ {}]{0,6}", 0..4),
            most in proptest::option::of(1u64..100_000),
            spaces in " {0,3}",
        ) {
            let mut body = serde_json::json!({"messages": before, "inferenceConfig": {"topP": 1}});
            if let Some(most) = most {
                body["inferenceConfig"]["maxTokens"] = most.into();
            }
            let text = format!("{spaces}{body}");
            let sent = sent(Operation::Converse, CLAUDE, &text).unwrap();
            body["inferenceConfig"]["maxTokens"] = 640.into();
            prop_assert_eq!(serde_json::from_str::<serde_json::Value>(&sent).unwrap(), body);
        }
    }
}
