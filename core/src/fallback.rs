//! Where a request goes on when its lane cannot serve it.
//!
//! The chain is worked out once, when the request is accepted, and stored with it: another lane of the same model,
//! another Region, another model, last a text that says that there is no answer. Each hop but the last waits in its
//! lane as any other request and spends that lane's quota.

use crate::cost::Estimate;
use crate::degraded::{self, Form};
use crate::ids::{CallNo, LaneId, ModelId};
use crate::lifecycle::{Change, Leaving};
use crate::model::ModelErrorKind;
use crate::request::Request;
use crate::units::{Timestamp, Tokens};
use bytes::Bytes;
use serde::{Deserialize, Serialize};

/// One step of the chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Hop {
    /// Wait in this lane and call this model.
    Lane {
        /// Whose quota pays.
        lane: LaneId,
        /// The model to call there.
        model: ModelId,
        /// What it is expected to cost there.
        estimate: Estimate,
        /// What its caller allows there, where `estimate` is that of a smaller max_tokens (its right size).
        #[serde(default, skip_serializing_if = "Option::is_none")]
        own_output: Option<Tokens>,
    },
    /// Answer with this text: a degraded answer, no call.
    Answer {
        /// The configured text.
        text: String,
        /// In whose form.
        form: Form,
    },
}

impl Hop {
    /// The lane it leads to, if it leads to one.
    pub const fn lane(&self) -> Option<&LaneId> {
        match self {
            Self::Lane { lane, .. } => Some(lane),
            Self::Answer { .. } => None,
        }
    }
}

/// Why a request left a lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HopCause {
    /// A call met this, and no other call in the lane would help or is allowed.
    Error(ModelErrorKind),
    /// The lane's circuit breaker was open.
    BreakerOpen,
    /// The lane's tokens of the day were used up.
    Parked,
    /// A call failed, and the lane's retry budget had nothing left for another.
    RetriesSpent,
    /// It is larger than the lane's quota lets through, however long it waits.
    TooLarge,
    /// The lane is not configured any more.
    LaneGone,
    /// It made room for a request of a higher band: as much waits in the lane as may.
    Shed,
}

/// A step that was taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hopped {
    /// The lane it left.
    pub from: LaneId,
    /// The model that would have served it there.
    pub model: ModelId,
    /// Why.
    pub cause: HopCause,
    /// When.
    pub at: Timestamp,
}

/// The change by which a request goes on in its chain, and the result it then has; `None` where the chain has ended.
/// `call` is the one that ended, if it does not leave from the line.
pub fn next_step(
    request: &Request,
    call: Option<CallNo>,
    cause: HopCause,
    at: Timestamp,
) -> Option<(Change, Option<Bytes>)> {
    let from = call.map_or_else(|| Leaving::Line(request.lane.clone()), Leaving::Call);
    match request.fallback.first()? {
        Hop::Lane { .. } => Some((Change::Divert { from, cause, at }, None)),
        Hop::Answer { text, form } => {
            let (answer, body) = degraded::answer(request.operation, *form, text);
            let change = Change::Degrade {
                from,
                cause,
                answer,
                at,
            };
            Some((change, Some(body)))
        }
    }
}
