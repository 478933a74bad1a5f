//! A message, read.

use crate::json;
use crate::refusal::Refusal;
use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;
use smoother_core::{RequestId, quoted};
use std::borrow::Cow;

/// Characters of a `ref`, which is given back as it came.
const LONGEST_REFERENCE: usize = 128;

/// What a connection wants.
#[derive(Debug)]
pub(super) struct Ask {
    /// Its own name for the message.
    pub(super) reference: Option<String>,
    pub(super) action: Action,
}

#[derive(Debug)]
pub(super) enum Action {
    /// The body of `POST /v1/jobs`, to be read by the form's own reader.
    Submit(Bytes),
    Subscribe(RequestId),
    Cancel(RequestId),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct View<'a> {
    #[serde(borrow)]
    action: Cow<'a, str>,
    #[serde(borrow, rename = "ref")]
    reference: Option<Cow<'a, str>>,
    #[serde(borrow)]
    job: Option<&'a RawValue>,
    #[serde(borrow)]
    id: Option<Cow<'a, str>>,
}

impl Ask {
    pub(super) fn parse(text: &str) -> Result<Self, Refusal> {
        let view: View<'_> = json::object(text)?;
        let action = match (view.action.as_ref(), view.job, view.id) {
            ("submit", Some(job), None) => Action::Submit(Bytes::copy_from_slice(job.get().as_bytes())),
            ("submit", ..) => return Err(Refusal::invalid("submit goes with job, and with nothing else.")),
            ("subscribe", None, Some(id)) => Action::Subscribe(id.parse()?),
            ("cancel", None, Some(id)) => Action::Cancel(id.parse()?),
            ("subscribe" | "cancel", ..) => {
                return Err(Refusal::invalid(format!(
                    "{} goes with id, the job's, and with nothing else.",
                    view.action
                )));
            }
            (other, ..) => {
                return Err(Refusal::invalid(format!(
                    "action is {:?}; it must be one of submit, subscribe, cancel.",
                    quoted(other)
                )));
            }
        };
        let reference = view.reference.map(Cow::into_owned);
        if reference
            .as_ref()
            .is_some_and(|r| r.chars().count() > LONGEST_REFERENCE)
        {
            return Err(Refusal::invalid(format!(
                "ref is longer than {LONGEST_REFERENCE} characters; give a shorter one."
            )));
        }
        Ok(Self { reference, action })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mistakes_are_named() {
        for (text, words) in [
            ("", "empty"),
            ("[]", "an array; it must be an object"),
            (r#"{"job":{}}"#, "has no action"),
            (r#"{"action":"sing"}"#, "submit, subscribe, cancel"),
            (r#"{"action":"submit"}"#, "submit goes with job"),
            (r#"{"action":"submit","job":{},"id":"x"}"#, "nothing else"),
            (r#"{"action":"cancel"}"#, "cancel goes with id"),
            (r#"{"action":"subscribe","id":"7"}"#, "not a UUID"),
            (r#"{"action":"subscribe","topic":"x"}"#, "topic is no field here"),
        ] {
            let refusal = Ask::parse(text).unwrap_err();
            assert!(refusal.to_string().contains(words), "{text}: {refusal}");
        }
        let long = format!(r#"{{"action":"submit","job":{{}},"ref":"{}"}}"#, "x".repeat(129));
        assert!(Ask::parse(&long).unwrap_err().to_string().contains("ref"));
    }

    #[test]
    fn a_job_is_passed_on_as_it_was_written() {
        let ask = Ask::parse(r#"{"action":"submit","ref":"a","job":{ "model" : 1.0 }}"#).unwrap();
        assert_eq!(ask.reference.as_deref(), Some("a"));
        assert!(matches!(ask.action, Action::Submit(job) if job == r#"{ "model" : 1.0 }"#));
    }
}
