//! What can happen to a request.

use super::State;
use crate::fallback::HopCause;
use crate::ids::{CallNo, LaneId};
use crate::model::ModelErrorKind;
use crate::request::{Door, Failure, OnDisconnect, Outcome};
use crate::throttle::ThrottleCause;
use crate::units::{Timestamp, Tokens};
use serde::{Deserialize, Serialize};

/// One transition, with the facts it records.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// RECEIVED → QUEUED: it is in its lane's queue.
    Queue,
    /// QUEUED → RELEASED as call `call`, void after `start_by`.
    Release {
        /// The lane that lets it go: the one in which the request waits.
        lane: LaneId,
        /// The number this release gives out: the one after the request's last.
        call: CallNo,
        /// Tokens reserved for it.
        reserve: Tokens,
        /// Last moment for a claim.
        start_by: Timestamp,
        /// Now.
        at: Timestamp,
    },
    /// RELEASED → RUNNING: the fence that lets one call number upstream once.
    Claim {
        /// The release's call number.
        call: CallNo,
        /// Now.
        at: Timestamp,
    },
    /// RELEASED → QUEUED: nobody claimed it by `start_by`.
    Lapse {
        /// The release's call number.
        call: CallNo,
        /// Now.
        at: Timestamp,
    },
    /// QUEUED → QUEUED: a release that was reserved for and never recorded never will be: its call number is spent, so
    /// that a write of it that comes late is refused.
    Void {
        /// The number that the release would have given out: the one after the request's last.
        call: CallNo,
    },
    /// RUNNING → QUEUED: throttled (spends no try) or a transient error (spends one).
    Requeue {
        /// The call that ended.
        call: CallNo,
        /// Not to be released before.
        not_before: Timestamp,
        /// The limit that refused it, if it was a throttle.
        throttle: Option<ThrottleCause>,
        /// What the call met.
        error: Option<ModelErrorKind>,
        /// Whether a try is spent.
        spends_try: bool,
    },
    /// QUEUED → QUEUED: what its answer needs is known now; it will go with this max_tokens instead of its caller's.
    Resize {
        /// The lane in which it waits.
        lane: LaneId,
        /// The smaller one.
        max_output: Tokens,
    },
    /// RUNNING → QUEUED: the answer was cut short by a max_tokens below the caller's. It is called again with the
    /// caller's own, once, and spends no try.
    Rerun {
        /// The call that was cut short.
        call: CallNo,
    },
    /// → QUEUED in the lane that its chain names next (fallback); tries and deadline carry over.
    Divert {
        /// What it leaves.
        from: Leaving,
        /// Why it leaves its lane.
        cause: HopCause,
        /// Now.
        at: Timestamp,
    },
    /// → COMPLETED with the text that ends its chain.
    Degrade {
        /// What it leaves.
        from: Leaving,
        /// Why it leaves its lane.
        cause: HopCause,
        /// The degraded answer.
        answer: Outcome,
        /// Now.
        at: Timestamp,
    },
    /// RUNNING → QUEUED, FAILED or CANCELLED by the request's policies: the runner is gone and its call
    /// INDETERMINATE.
    Lose {
        /// The call that nobody can vouch for.
        call: CallNo,
        /// Now.
        at: Timestamp,
    },
    /// RUNNING → COMPLETED.
    Complete {
        /// The call that answered.
        call: CallNo,
        /// Its answer.
        answer: Outcome,
        /// When generated content first came.
        first_output_at: Option<Timestamp>,
        /// Now.
        at: Timestamp,
    },
    /// → FAILED; from RUNNING when a call is named, else from any state before RUNNING.
    Fail {
        /// The call that failed it, if one did.
        call: Option<CallNo>,
        /// Why.
        failure: Failure,
        /// Now.
        at: Timestamp,
    },
    /// → CANCELLED from any state before a terminal one.
    Cancel {
        /// Now.
        at: Timestamp,
    },
    /// → CANCELLED as [`Change::Cancel`], because its last caller has gone and stayed away; refused where the
    /// request is to be finished all the same.
    Abandon {
        /// Now.
        at: Timestamp,
    },
    /// Another caller came to it by its key; the state stays. A job that joins makes it a job: its owner reads it
    /// later, so it runs to its end whoever goes away. Otherwise the last caller's policy holds.
    Join {
        /// How the one who joins waits.
        door: Door,
        /// The policy of the one who joins.
        on_disconnect: OnDisconnect,
    },
    /// → EXPIRED from any state before a terminal one.
    Expire {
        /// Now.
        at: Timestamp,
    },
    /// FAILED → QUEUED, by an operator's hand and from a dead letter only: its tries begin anew, its deadlines are
    /// gone, its calls are numbered on.
    Redrive,
    /// A dead letter is none any more; it stays FAILED.
    Dismiss,
}

/// Where a request stands when it goes on in its chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Leaving {
    /// RUNNING: this call has ended.
    Call(CallNo),
    /// QUEUED: the line of this lane. A lane that has not heard yet that the request is gone cannot send it on from
    /// the next one.
    Line(LaneId),
}

impl Change {
    /// The change's word in errors and events.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Queue => "queue",
            Self::Release { .. } => "release",
            Self::Claim { .. } => "claim",
            Self::Lapse { .. } => "lapse",
            Self::Void { .. } => "void",
            Self::Requeue { .. } => "requeue",
            Self::Resize { .. } => "resize",
            Self::Rerun { .. } => "rerun",
            Self::Divert { .. } => "divert",
            Self::Lose { .. } => "lose",
            Self::Complete { .. } => "complete",
            Self::Fail { .. } => "fail",
            Self::Cancel { .. } => "cancel",
            Self::Abandon { .. } => "abandon",
            Self::Join { .. } => "join",
            Self::Expire { .. } => "expire",
            Self::Degrade { .. } => "degrade",
            Self::Redrive => "redrive",
            Self::Dismiss => "dismiss",
        }
    }
}

/// Why a change was not applied. The row is as it was.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The request's state does not allow it.
    #[error("cannot {change} a request that is {state}")]
    State {
        /// The change's word.
        change: &'static str,
        /// Where the request stands.
        state: State,
    },
    /// The change belongs to a call that is not the request's current one.
    #[error("call {found} is not the request's call {current}")]
    Call {
        /// The call that the change names.
        found: CallNo,
        /// The request's own.
        current: CallNo,
    },
    /// A lane releases what waits in another.
    #[error("lane {found} cannot release a request of lane {current}")]
    Lane {
        /// The lane that the release names.
        found: LaneId,
        /// The request's own.
        current: LaneId,
    },
    /// A claim came after the release was void.
    #[error("the release was void after {start_by}, it is {at}")]
    Late {
        /// Last moment for a claim.
        start_by: Timestamp,
        /// When the claim came.
        at: Timestamp,
    },
    /// The request is to be finished even if nobody waits for it.
    #[error("the request is to be finished whether or not somebody waits for it")]
    Kept,
    /// Its chain of fallbacks does not go on so.
    #[error("nothing to {change} to: the request's chain of fallbacks has no such step next")]
    NoHop {
        /// The change's word.
        change: &'static str,
    },
    /// Its call had the caller's own max_tokens already.
    #[error("cannot rerun a request whose call had its caller's own max_tokens")]
    OwnSize,
    /// It is to go with the max_tokens that it has.
    #[error("cannot resize a request that has its size, or whose caller's own max_tokens is to go")]
    Sized,
    /// It failed, but is no dead letter (or no longer one).
    #[error("cannot {change} a request that is no dead letter")]
    NotDead {
        /// The change's word.
        change: &'static str,
    },
    /// A lapse came while the release may still be claimed.
    #[error("the release may be claimed until {start_by}, it is {at}")]
    Early {
        /// Last moment for a claim.
        start_by: Timestamp,
        /// When the lapse came.
        at: Timestamp,
    },
}
