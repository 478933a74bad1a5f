//! The body of `POST /v1/jobs`, which is also the message of the input queue.
//!
//! ```json
//! {"model": "…", "operation": "converse", "body": {…}, "priority": "batch", "timeout_ms": 60000,
//!  "max_wait_ms": 30000, "idempotency_key": "…", "fallback": ["west"], "right_size": true,
//!  "on_indeterminate": "retry"}
//! {"model": "…", "prompt": "…", "max_tokens": 200}
//! ```
//! `body` is the body of the operation in Bedrock's wire, passed on byte for byte. `prompt` stands for a Converse
//! body with that one message. A field that is not listed is a mistake.

use crate::json;
use crate::key::Key;
use crate::refusal::Refusal;
use crate::submission::Submission;
use crate::{priority, spans};
use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;
use smoother_core::{Door, Millis, OnDisconnect, OnIndeterminate, Operation, Priority, TenantId, quoted};
use std::borrow::Cow;

/// A job as it was asked for, checked field by field; its body is not read yet.
#[derive(Debug, Clone)]
pub struct JobForm {
    /// The model.
    pub model: String,
    /// What to call; `converse` where nothing is said.
    pub operation: Operation,
    /// The operation's body.
    pub body: Bytes,
    /// The priority asked for.
    pub priority: Option<Priority>,
    /// From arrival to completion.
    pub timeout: Option<Millis>,
    /// From arrival to start.
    pub max_wait: Option<Millis>,
    /// The caller's key.
    pub key: Option<String>,
    /// The lanes to go on in where the first cannot serve it.
    pub fallback: Option<Vec<String>>,
    /// Whether a smaller max_tokens may go upstream.
    pub right_size: Option<bool>,
    /// Policy for a call that may or may not have run.
    pub on_indeterminate: OnIndeterminate,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct View<'a> {
    #[serde(borrow)]
    model: Cow<'a, str>,
    #[serde(borrow)]
    operation: Option<Cow<'a, str>>,
    #[serde(borrow)]
    body: Option<&'a RawValue>,
    #[serde(borrow)]
    prompt: Option<Cow<'a, str>>,
    #[serde(borrow)]
    max_tokens: Option<&'a RawValue>,
    #[serde(borrow)]
    priority: Option<Cow<'a, str>>,
    #[serde(borrow)]
    timeout_ms: Option<&'a RawValue>,
    #[serde(borrow)]
    max_wait_ms: Option<&'a RawValue>,
    #[serde(borrow)]
    idempotency_key: Option<Cow<'a, str>>,
    fallback: Option<Vec<String>>,
    right_size: Option<bool>,
    #[serde(borrow)]
    on_indeterminate: Option<Cow<'a, str>>,
}

impl JobForm {
    /// Reads a form. The operation's body is a slice of `text`, not a copy.
    pub fn parse(text: &Bytes) -> Result<Self, Refusal> {
        let view: View<'_> = json::object(json::text(text)?)?;
        let operation = operation(view.operation.as_deref())?;
        let body = match (view.body, &view.prompt) {
            (Some(body), None) if view.max_tokens.is_none() => text.slice_ref(body.get().as_bytes()),
            (Some(_), None) => {
                return Err(Refusal::invalid(
                    "max_tokens goes with prompt; with body, set it inside the body.",
                ));
            }
            (None, Some(prompt)) => from_prompt(prompt, view.max_tokens, operation)?,
            _ => {
                return Err(Refusal::invalid(
                    "Give either body (the operation's own) or prompt (a text), not both.",
                ));
            }
        };
        let span = |name, raw: Option<&RawValue>| {
            let given = raw.map(RawValue::get).filter(|text| *text != "null");
            given
                .map(|text| spans::parse(name, text, spans::LONGEST_JOB))
                .transpose()
        };
        Ok(Self {
            model: view.model.into_owned(),
            operation,
            body,
            priority: view
                .priority
                .map(|word| priority::parse("priority", &word))
                .transpose()?,
            timeout: span("timeout_ms", view.timeout_ms)?,
            max_wait: span("max_wait_ms", view.max_wait_ms)?,
            key: view.idempotency_key.map(Cow::into_owned),
            fallback: view.fallback,
            right_size: view.right_size,
            on_indeterminate: on_indeterminate(view.on_indeterminate.as_deref())?,
        })
    }

    /// The submission of this form for a tenant.
    pub fn submission(self, tenant: TenantId) -> Result<Submission, Refusal> {
        Ok(Submission {
            tenant,
            model: self.model,
            operation: self.operation,
            body: self.body,
            door: Door::Job,
            priority: self.priority,
            hint: None,
            timeout: self.timeout,
            max_wait: self.max_wait,
            key: self
                .key
                .as_deref()
                .map(Key::given)
                .transpose()?
                .unwrap_or_default(),
            headers: Vec::new(),
            fallback: self.fallback,
            right_size: self.right_size,
            on_disconnect: OnDisconnect::Finish,
            on_indeterminate: self.on_indeterminate,
        })
    }
}

fn operation(word: Option<&str>) -> Result<Operation, Refusal> {
    let Some(word) = word else {
        return Ok(Operation::Converse);
    };
    Operation::parse(word).ok_or_else(|| {
        let known = Operation::ALL.map(Operation::as_str).join(", ");
        Refusal::invalid(format!(
            "operation is {:?}; it must be one of {known}.",
            quoted(word)
        ))
    })
}

fn on_indeterminate(word: Option<&str>) -> Result<OnIndeterminate, Refusal> {
    match word {
        None | Some("retry") => Ok(OnIndeterminate::Retry),
        Some("fail") => Ok(OnIndeterminate::Fail),
        Some(other) => Err(Refusal::invalid(format!(
            "on_indeterminate is {:?}; it must be retry or fail.",
            quoted(other)
        ))),
    }
}

fn from_prompt(prompt: &str, max_tokens: Option<&RawValue>, operation: Operation) -> Result<Bytes, Refusal> {
    if !operation.is_converse() {
        return Err(Refusal::invalid(format!(
            "prompt stands for a Converse body; with operation {operation}, give body."
        )));
    }
    if prompt.trim().is_empty() {
        return Err(Refusal::invalid(
            "The prompt is blank. Add text to prompt and try again.",
        ));
    }
    let messages = serde_json::json!([{"role": "user", "content": [{"text": prompt}]}]);
    Ok(Bytes::from(match max_tokens {
        // As it was written: whether it is a number is for the body's own reader to say.
        Some(most) => format!(
            r#"{{"inferenceConfig":{{"maxTokens":{}}},"messages":{messages}}}"#,
            most.get()
        ),
        None => format!(r#"{{"messages":{messages}}}"#),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<JobForm, Refusal> {
        JobForm::parse(&Bytes::copy_from_slice(text.as_bytes()))
    }

    #[test]
    fn a_max_tokens_that_no_number_can_hold_is_left_to_the_bodys_reader() {
        for most in [r#""\ud800""#, "1e999", "99999999999999999999999", "[[1]]"] {
            let form = parse(&format!(r#"{{"model":"m","prompt":"x","max_tokens":{most}}}"#)).unwrap();
            let body = String::from_utf8(form.body.to_vec()).unwrap();
            assert!(body.contains(&format!(r#""maxTokens":{most}}}"#)), "{body}");
        }
    }

    #[test]
    fn a_body_travels_byte_for_byte() {
        let form =
            parse(r#"{"model":"m","operation":"invoke","body": { "b" :1, "a":[2] } ,"priority":"batch"}"#)
                .unwrap();
        assert_eq!(form.body, r#"{ "b" :1, "a":[2] }"#);
        assert_eq!(
            (form.operation, form.priority),
            (Operation::Invoke, Some(Priority::Batch))
        );
    }

    #[test]
    fn a_prompt_stands_for_a_converse_body() {
        let form = parse(r#"{"model":"m","prompt":"Say \"hi\"","max_tokens":7}"#).unwrap();
        let body: serde_json::Value = serde_json::from_slice(&form.body).unwrap();
        assert_eq!(body["messages"][0]["content"][0]["text"], "Say \"hi\"");
        assert_eq!(body["inferenceConfig"]["maxTokens"], 7);
    }

    #[test]
    fn mistakes_are_named() {
        for (text, word) in [
            ("{", "ends before"),
            (r#"["m"]"#, "the body is an array; it must be an object"),
            (
                r#"{"model":7,"prompt":"x"}"#,
                "model is a number; it must be a string",
            ),
            (r#"{"prompt":"x"}"#, "has no model"),
            (r#"{"model":"m","prompt":"x","tenant":"acme"}"#, "tenant"),
            (r#"{"model":"m"}"#, "either body"),
            (r#"{"model":"m","prompt":"x","body":{}}"#, "not both"),
            (r#"{"model":"m","body":{},"max_tokens":3}"#, "max_tokens"),
            (r#"{"model":"m","prompt":"  "}"#, "blank"),
            (r#"{"model":"m","prompt":"x","operation":"embed"}"#, "embed"),
            (
                r#"{"model":"m","prompt":"x","right_size":"yes"}"#,
                "right_size is a string; it must be true or false",
            ),
            (r#"{"model":"m","prompt":"x","operation":"invoke"}"#, "invoke"),
            (r#"{"model":"m","prompt":"x","priority":"urgent"}"#, "urgent"),
            (r#"{"model":"m","prompt":"x","timeout_ms":-5}"#, "-5"),
            (
                r#"{"model":"m","prompt":"x","timeout_ms":604800001}"#,
                "604800000",
            ),
            (
                r#"{"model":"m","prompt":"x","max_wait_ms":"soon"}"#,
                "max_wait_ms",
            ),
            (
                r#"{"model":"m","prompt":"x","on_indeterminate":"maybe"}"#,
                "maybe",
            ),
        ] {
            let refusal = parse(text).unwrap_err();
            assert_eq!(refusal.status(), 400, "{text}");
            assert!(refusal.to_string().contains(word), "{text}: {refusal}");
        }
    }
}
