//! What a message asks for: its text, or what it points to, under its attributes.

use super::{Arriving, Input};
use crate::job::JobForm;
use crate::json::{self, Object};
use crate::priority;
use crate::refusal::{Refusal, quoted};
use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;
use smoother_core::ports::{Pointer, PointerError, StoreError};

pub(super) const PRIORITY: &str = "Priority";
pub(super) const KEY: &str = "IdempotencyKey";
pub(super) const TENANT: &str = "Tenant";

/// Whether a text is a pointer at all.
#[derive(Deserialize)]
struct Look<'a> {
    #[serde(borrow)]
    s3: Option<&'a RawValue>,
}

/// A text that is one, and nothing else.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Check {
    s3: Object<Pointer>,
}

impl Input {
    pub(super) async fn form(&self, message: &Arriving) -> Result<JobForm, Refusal> {
        let most = self.ingest.settings().config.server.max_body_bytes;
        let text = match pointer(&message.body)? {
            Some(pointer) => self
                .pointers
                .read(&pointer, most)
                .await
                .map_err(|error| refused(&error))?,
            None => Bytes::copy_from_slice(message.body.as_bytes()),
        };
        if text.len() as u64 > most {
            return Err(Refusal::TooLarge { limit: most });
        }
        with_attributes(JobForm::parse(&text)?, message)
    }
}

fn pointer(body: &str) -> Result<Option<Pointer>, Refusal> {
    // What is no object at all is for the form's own reader to tell.
    let points = serde_json::from_str::<Object<Look<'_>>>(body).is_ok_and(|look| look.s3.is_some());
    if !points {
        return Ok(None);
    }
    json::object::<Check>(body).map(|check| Some(check.s3.0))
}

fn refused(error: &PointerError) -> Refusal {
    match error {
        PointerError::Failed(_) => StoreError::Failed(error.to_string()).into(),
        PointerError::TooLarge { .. } | PointerError::Foreign { .. } | PointerError::Missing { .. } => {
            Refusal::invalid(error.to_string())
        }
    }
}

/// Attributes say the same as fields; where both speak they must agree.
fn with_attributes(mut form: JobForm, message: &Arriving) -> Result<JobForm, Refusal> {
    for (name, value) in &message.attributes {
        match name.as_str() {
            PRIORITY => agree(name, &mut form.priority, priority::parse(name, value)?)?,
            KEY => agree(name, &mut form.key, value.clone())?,
            TENANT => {}
            other => {
                return Err(Refusal::invalid(format!(
                    "The attribute {:?} is not known; known are {PRIORITY}, {KEY} and {TENANT}.",
                    quoted(other)
                )));
            }
        }
    }
    form.key.get_or_insert_with(|| message.id.clone());
    Ok(form)
}

fn agree<T: PartialEq>(name: &str, had: &mut Option<T>, said: T) -> Result<(), Refusal> {
    if had.as_ref().is_some_and(|had| *had != said) {
        return Err(Refusal::invalid(format!(
            "The attribute {name} and the body's own field differ; give one of them."
        )));
    }
    *had = Some(said);
    Ok(())
}
