//! One upstream invocation of a request, numbered, charged and settled.

use crate::cost::Usage;
use crate::ids::{CallNo, LaneId, RequestId};
use crate::model::ModelErrorKind;
use crate::throttle::ThrottleCause;
use crate::units::{Timestamp, Tokens};
use serde::{Deserialize, Serialize};

/// How a call ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum CallEnding {
    /// A whole answer came.
    Completed,
    /// Refused upstream for quota or capacity; cost nothing.
    Throttled,
    /// Failed with an error of the table.
    Failed,
    /// Stopped by us: cancelled, expired or shutting down.
    Aborted,
    /// It may or may not have run: a crash, or a fault of the runner's, fell between sending and recording.
    Indeterminate,
}

/// The correction of a call's charge after it; idempotent by (request, call).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settlement {
    /// Which call of the request.
    pub call: CallNo,
    /// How it ended.
    pub ending: CallEnding,
    /// Tokens of quota it has cost in the end.
    pub charged: Tokens,
    /// What Bedrock counted, where it said so.
    pub usage: Option<Usage>,
    /// The limit that refused it.
    pub throttle: Option<ThrottleCause>,
    /// The error that ended it.
    pub error: Option<ModelErrorKind>,
    /// Bedrock's own id of the call.
    pub upstream_request_id: Option<String>,
    /// When it was over.
    pub at: Timestamp,
}

impl Settlement {
    /// Of a call that nobody can vouch for: it may have run, so it is charged in full.
    pub const fn indeterminate(call: CallNo, reserved: Tokens, at: Timestamp) -> Self {
        Self {
            call,
            ending: CallEnding::Indeterminate,
            charged: reserved,
            usage: None,
            throttle: None,
            error: None,
            upstream_request_id: None,
            at,
        }
    }
}

/// One upstream invocation, as stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Call {
    /// The request it belongs to.
    pub request: RequestId,
    /// Its number.
    pub number: CallNo,
    /// The lane it was charged to.
    pub lane: LaneId,
    /// Tokens reserved for it.
    pub reserved: Tokens,
    /// Its start, to which Bedrock's charge is dated.
    pub charged_at: Timestamp,
    /// Its end, once known.
    pub settlement: Option<Settlement>,
}

impl Call {
    /// Tokens it counts for in the ledger now.
    pub fn charge(&self) -> Tokens {
        self.settlement.as_ref().map_or(self.reserved, |s| s.charged)
    }

    /// The call with its settlement: the first one stands, a repeated one changes nothing.
    #[must_use]
    pub fn settled(mut self, settlement: Settlement) -> Self {
        self.settlement.get_or_insert(settlement);
        self
    }
}
