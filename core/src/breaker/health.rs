//! What a call's end says about the upstream.

use crate::model::ModelErrorKind;
use crate::units::Millis;
use serde::{Deserialize, Serialize};

/// An upstream's health, as one call met it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CallHealth {
    /// It answered.
    Fine,
    /// It answered, or was given up, after too long.
    Slow,
    /// It failed.
    Failed,
    /// The call says nothing: throttled, called off, or its fate unknown.
    #[default]
    Unknown,
}

/// The health a call tells of: what it met (`None` for a whole answer), how long it took, and whether it was called
/// off before it ended by itself.
#[rustfmt::skip]
pub fn health_of(met: Option<ModelErrorKind>, called_off: bool, took: Millis, slow_call: Millis) -> CallHealth {
    use ModelErrorKind as Kind;
    let slow = took > slow_call;
    match met {
        // The quota's word, not the upstream's.
        Some(Kind::Throttled(_)) => CallHealth::Unknown,
        // No call was made: the lane's own settings, or nothing at all.
        Some(Kind::Setup) => CallHealth::Unknown,
        Some(
            Kind::Unavailable | Kind::Internal | Kind::ModelTimeout | Kind::ModelFailed | Kind::NotReady
            | Kind::Connect | Kind::Cut | Kind::Stalled | Kind::Malformed,
        ) => CallHealth::Failed,
        // It is well enough to say no.
        Some(Kind::Validation | Kind::AccessDenied | Kind::NotFound) => CallHealth::Fine,
        None if slow => CallHealth::Slow,
        None if called_off => CallHealth::Unknown,
        None => CallHealth::Fine,
    }
}
