//! What a message asks for: its text, or what it points to, under its attributes.

use super::{Arriving, Input};
use crate::job::JobForm;
use crate::refusal::Refusal;
use crate::{pointed, priority};
use bytes::Bytes;
use smoother_core::quoted;

pub(super) const PRIORITY: &str = "Priority";
pub(super) const KEY: &str = "IdempotencyKey";
pub(super) const TENANT: &str = "Tenant";

impl Input {
    pub(super) async fn form(&self, message: &Arriving) -> Result<JobForm, Refusal> {
        let most = self.ingest.settings().config.server.max_body_bytes;
        let body = Bytes::copy_from_slice(message.body.as_bytes());
        let text = pointed::text(&*self.pointers, body, most).await?;
        if text.len() as u64 > most {
            return Err(Refusal::TooLarge { limit: most });
        }
        with_attributes(JobForm::parse(&text)?, message)
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
