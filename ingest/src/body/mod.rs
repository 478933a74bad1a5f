//! What the door has to know of a body: that it is well-formed and answerable, how long its texts are, and how
//! much output it allows. It is read once, into a view that borrows from it; no document tree is built, and
//! what the view does not name is only checked for syntax.

mod anthropic;
mod content;
mod converse;
mod family;
mod llama;
mod nova;
mod number;
mod slot;
#[cfg(test)]
mod tests;
mod titan;
mod unknown;

pub(crate) use slot::slot;

use crate::json;
use crate::meter::Meter;
use crate::refusal::Refusal;
use family::Family;
use smoother_core::degraded::Form;
use smoother_core::{Operation, Priority};

/// The most messages a body may hold.
pub(crate) const MOST_MESSAGES: usize = 1_000;

/// What was read.
#[derive(Debug, Default)]
pub(crate) struct Facts {
    /// How much there is to read for the model.
    pub(crate) meter: Meter,
    /// The output the caller allows, where it says so; at least 1.
    pub(crate) max_output: Option<u64>,
    /// The field that says so, for messages.
    pub(crate) max_output_field: &'static str,
    /// What Converse's `requestMetadata.priority` or `serviceTier` hints at.
    pub(crate) hint: Option<Priority>,
    /// In whose form its answers are; `None` where that is not known or no text.
    pub(crate) form: Option<Form>,
    /// Whether the model answers without generating tokens (embeddings).
    pub(crate) no_output: bool,
}

/// Reads `body` as `operation` on `model` takes it.
pub(crate) fn read(operation: Operation, model: &str, body: &[u8]) -> Result<Facts, Refusal> {
    let text = json::text(body)?;
    if operation.is_converse() {
        return converse::read(model, text);
    }
    let family = Family::of_model(model).or_else(|| Family::of_body(text));
    let facts = match family {
        Some(Family::Anthropic) => anthropic::read(text),
        Some(Family::Nova) => nova::read(text),
        Some(Family::Titan) => titan::read(text, false),
        Some(Family::TitanEmbedding) => titan::read(text, true),
        Some(Family::Llama) => llama::read(text),
        None => unknown::read(text),
    }?;
    Ok(Facts {
        form: family.and_then(Family::form),
        ..facts
    })
}

/// Whether `model` reads and answers an InvokeModel body of this form; a model that tells nothing by its id is taken
/// to do so, as whoever configured it says.
pub(crate) fn speaks(model: &str, form: Option<Form>) -> bool {
    Family::of_model(model).is_none_or(|family| family.form() == form)
}
