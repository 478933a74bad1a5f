//! What goes into a lane's scheduler, and what comes out.

use crate::breaker::{CallHealth, Hand};
use crate::fallback::{Hop, HopCause};
use crate::ids::{CallNo, RequestId, TenantId};
use crate::request::{Failure, Priority, Runner};
use crate::throttle::ThrottleCause;
use crate::units::{Timestamp, Tokens};
use crate::verdict::throttle_of;
use serde::{Deserialize, Serialize};

/// A request as the scheduler needs it: no body, no model, no text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waiting {
    /// Which.
    pub id: RequestId,
    /// Whose.
    pub tenant: TenantId,
    /// Its band.
    pub priority: Priority,
    /// When it came.
    pub arrived_at: Timestamp,
    /// Real deadline for completion, if any.
    pub deadline: Option<Timestamp>,
    /// Must have started by then, if set.
    pub latest_start: Option<Timestamp>,
    /// Tokens to reserve for its call.
    pub reserve: Tokens,
    /// Tokens the call is expected to settle to: what its tenant is charged.
    pub expected: Tokens,
    /// Of the reserve what Bedrock does not take when the call starts.
    #[serde(default)]
    pub surplus: Tokens,
    /// The last call number given out: its next call has the one after.
    pub last_call: CallNo,
    /// Not to be released before.
    pub not_before: Option<Timestamp>,
    /// Its next call repeats one that failed.
    #[serde(default)]
    pub retries: bool,
    /// Its chain of fallbacks goes on.
    #[serde(default)]
    pub may_leave: bool,
    /// The next step of its chain is another lane.
    #[serde(default)]
    pub has_next_lane: bool,
    /// The process that waits for its answer makes its call: it claims at once, or is gone.
    #[serde(default)]
    pub by_caller: bool,
}

impl From<&crate::request::Request> for Waiting {
    /// `reserve` and `expected` are left at the estimate under burndown 1; the lane's driver sets them by
    /// [`Waiting::priced`].
    fn from(request: &crate::request::Request) -> Self {
        Self {
            id: request.id,
            tenant: request.tenant.clone(),
            priority: request.priority,
            arrived_at: request.arrived_at,
            deadline: request.deadline,
            // Once it has started, the wait it was promised is over.
            latest_start: request.latest_start.filter(|_| request.calls_made == 0),
            reserve: request.estimate.reserve(1),
            expected: request.estimate.settled(1),
            surplus: request.estimate.surplus(1),
            last_call: request.call,
            not_before: request.not_before,
            retries: repeats_a_failure(request),
            may_leave: !request.fallback.is_empty(),
            has_next_lane: matches!(request.fallback.first(), Some(Hop::Lane { .. })),
            by_caller: request.runner == Runner::Caller,
        }
    }
}

/// Whether the next call repeats one of this lane that failed: the first call after a hop does not, nor does what an
/// operator has sent on its way again.
fn repeats_a_failure(request: &crate::request::Request) -> bool {
    let failed = request.last_error.is_some_and(|kind| throttle_of(kind).is_none());
    let hopped = request.hops.last().is_some_and(|hop| {
        let last_call = request.started_at.unwrap_or(Timestamp::EPOCH);
        last_call <= hop.at
    });
    request.tries > 0 && failed && !hopped
}

impl Waiting {
    /// The request's entry in a lane whose output burns down at `burndown`.
    pub fn priced(request: &crate::request::Request, burndown: u64) -> Self {
        Self {
            reserve: request.estimate.reserve(burndown),
            expected: request.estimate.settled(burndown),
            surplus: request.estimate.surplus(burndown),
            ..Self::from(request)
        }
    }
}

/// Why a request leaves the scheduler from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Gone {
    /// Called off.
    Cancelled,
    /// Its deadline passed.
    Expired,
    /// Its row was not where the scheduler believed it (a refused release, a lost race).
    Elsewhere,
}

/// Whether a request comes back to the queue after a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Again {
    /// It has ended, or waits in another lane.
    No,
    /// It waits again, at the head of its tenant, not to be released before this.
    NotBefore(Timestamp),
    /// The same, and its next call repeats one that failed: it counts against the lane's retry budget.
    Retry(Timestamp),
    /// It waits again, at the head of its tenant, and its next call costs otherwise than this one.
    Resized {
        /// Tokens to reserve for it.
        reserve: Tokens,
        /// Tokens it is expected to settle to.
        expected: Tokens,
        /// Of the reserve what Bedrock does not take when the call starts.
        #[serde(default)]
        surplus: Tokens,
    },
}

/// Something a lane's scheduler is told. Each may come late, twice, or for a request it does not know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// A request waits (newly, or found by a refill).
    Arrived(Waiting),
    /// A request no longer waits. If it was released and not started, its row is checked: it may have been claimed
    /// before it was called off. A running call keeps its charge until [`Event::Ended`]. [`Gone::Elsewhere`] is read
    /// from a row and may be old: of a release, which is refused where that is still so, it says nothing.
    Left {
        /// Which.
        request: RequestId,
        /// Why.
        why: Gone,
    },
    /// A request costs otherwise from now on, if it waits and was not called since; one that has gone keeps what was
    /// reserved for it, and one whose answer was cut short goes with its own again.
    Resized {
        /// Which.
        request: RequestId,
        /// The number of its last call when that was so.
        #[serde(default)]
        last_call: CallNo,
        /// Tokens to reserve for its call.
        reserve: Tokens,
        /// Tokens it is expected to settle to.
        expected: Tokens,
        /// Of the reserve what Bedrock does not take when the call starts.
        #[serde(default)]
        surplus: Tokens,
    },
    /// A released request was claimed: its charge is dated to `at`.
    Started {
        /// Which request.
        request: RequestId,
        /// Its call.
        call: CallNo,
        /// When the call started.
        at: Timestamp,
    },
    /// A call is over.
    Ended {
        /// Which request.
        request: RequestId,
        /// Its call.
        call: CallNo,
        /// What it has cost in the end; zero for a throttled one.
        charged: Tokens,
        /// The limit that refused it, if it was throttled.
        throttle: Option<ThrottleCause>,
        /// Whether the request waits again.
        again: Again,
        /// What it says about the upstream.
        #[serde(default)]
        health: CallHealth,
        /// When it was over.
        at: Timestamp,
    },
    /// A worker came too late to claim this release. Its row is checked at once instead of some seconds after
    /// `start_by`; only the row says whether the reservation may be freed.
    Unclaimed {
        /// Which request.
        request: RequestId,
        /// The call that it was released as.
        call: CallNo,
    },
    /// After [`Command::Check`]: the row is still RELEASED as this call; its reservation is freed and the
    /// request waits again.
    Lapsed {
        /// Which request.
        request: RequestId,
        /// The call that was never claimed.
        call: CallNo,
    },
    /// After [`Command::Check`]: this release was never claimed and never will be, and its request is somewhere else;
    /// its reservation is freed.
    Void {
        /// Which request.
        request: RequestId,
        /// The call that was never made.
        call: CallNo,
    },
    /// Partial view only: the answer to [`Command::Refill`] is complete, its requests have arrived.
    Refilled {
        /// Which band.
        priority: Priority,
        /// Which tenant.
        tenant: TenantId,
        /// Whether more wait than were sent.
        more: bool,
    },
    /// Somebody holds the circuit breaker, or lets it go (`None`).
    Breaker(Option<Hand>),
    /// Time has passed; asked for by [`Command::WakeAt`].
    Tick,
}

/// Something the scheduler wants done, in this order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Let a request go to a worker.
    Release {
        /// Which.
        request: RequestId,
        /// The number of its call.
        call: CallNo,
        /// Tokens reserved.
        reserve: Tokens,
        /// A claim after this is refused.
        start_by: Timestamp,
    },
    /// A waiting request's deadline (or latest start) has passed.
    Expire {
        /// Which.
        request: RequestId,
    },
    /// A waiting request is to go on in its chain: the next lane, or the text that ends it.
    Leave {
        /// Which.
        request: RequestId,
        /// Why.
        cause: HopCause,
    },
    /// A waiting request can never be served.
    Fail {
        /// Which.
        request: RequestId,
        /// Why, as its caller will read it.
        failure: Failure,
    },
    /// What became of a release is not known: read the row, and the calls that were made, and answer
    /// [`Event::Lapsed`], [`Event::Void`] or [`Event::Started`] (and [`Event::Ended`]); and [`Event::Arrived`], if the
    /// request waits. While the row may still be claimed there is nothing to answer; it is asked for again.
    Check {
        /// Which.
        request: RequestId,
        /// The call it was released as.
        call: CallNo,
    },
    /// A call that must have ended long ago, and nobody has told how: settle it as indeterminate, let its request go
    /// by its policy if the row still says that the call runs, and answer [`Event::Ended`]. Asked for again until
    /// then.
    Lose {
        /// Which request.
        request: RequestId,
        /// Its call.
        call: CallNo,
        /// What it is charged.
        reserve: Tokens,
    },
    /// The window of this tenant's heads runs low (partial view only).
    Refill {
        /// Which band.
        priority: Priority,
        /// Which tenant.
        tenant: TenantId,
    },
    /// Send [`Event::Tick`] then; replaces an earlier wish. The last command of every step after which there
    /// is something to wait for.
    WakeAt(Timestamp),
}

impl Command {
    /// The request that does not wait in the lane any more once this is done.
    pub const fn gives_up(&self) -> Option<RequestId> {
        match self {
            Self::Expire { request } | Self::Leave { request, .. } | Self::Fail { request, .. } => {
                Some(*request)
            }
            _ => None,
        }
    }
}
