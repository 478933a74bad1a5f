//! What the store is asked to write.

use smoother_core::call::Settlement;
use smoother_core::estimate::{Answers, OutputKey};
use smoother_core::lifecycle::Change;
use smoother_core::ports::{
    ChangeError, DayCount, EndReport, Inserted, LaneMemory, NewRequest, PayloadRef, Recovered, StoreError,
};
use smoother_core::{LaneId, Request, RequestId, Timestamp};
use std::time::Duration;
use tokio::sync::oneshot::Sender;

/// Where an outcome goes.
pub(in crate::sqlite) type Reply<T, E = StoreError> = Sender<Result<T, E>>;

/// One write, or a read that must see every write before it.
#[derive(Debug)]
pub(in crate::sqlite) enum Op {
    Insert {
        new: Box<NewRequest>,
        reply: Reply<Inserted>,
    },
    Change {
        id: RequestId,
        change: Box<Change>,
        reply: Reply<Request, ChangeError>,
    },
    End {
        id: RequestId,
        end: Box<End>,
        reply: Reply<EndReport>,
    },
    /// A change that brings a result but ends no call.
    Answer {
        id: RequestId,
        change: Box<Change>,
        result: PayloadRef,
        reply: Reply<Request, ChangeError>,
    },
    KeepDay {
        lane: LaneId,
        count: DayCount,
        reply: Reply<()>,
    },
    KeepMemory {
        lane: LaneId,
        memory: Box<LaneMemory>,
        reply: Reply<()>,
    },
    KeepOutputs {
        learned: Vec<(OutputKey, Option<Answers>)>,
        reply: Reply<()>,
    },
    Told {
        seq: u64,
        reply: Reply<()>,
    },
    Recover {
        lane: LaneId,
        since: Timestamp,
        reply: Reply<Recovered>,
    },
    /// Removes some of what ended before; answers where to go on, or `None` when nothing is left.
    Purge {
        before: Timestamp,
        from: i64,
        reply: Reply<Purged>,
    },
    /// Everything before it is durable once it is answered.
    Barrier {
        reply: Reply<()>,
    },
    /// Commits, tidies up, and ends the thread.
    Close {
        reply: Reply<()>,
    },
}

impl Op {
    /// The request it is about.
    pub fn id(&self) -> Option<RequestId> {
        match self {
            Self::Insert { new, .. } => Some(new.request.id),
            Self::Change { id, .. } | Self::End { id, .. } | Self::Answer { id, .. } => Some(*id),
            _ => None,
        }
    }

    /// Whether it must see every write before it.
    pub const fn follows_all(&self) -> bool {
        self.precedes_all() || matches!(self, Self::Barrier { .. })
    }

    /// Whether it must see no write after it.
    pub const fn precedes_all(&self) -> bool {
        matches!(
            self,
            Self::Recover { .. } | Self::Purge { .. } | Self::Close { .. }
        )
    }

    /// The file that a payload it brings lies in.
    pub fn held_key(&self) -> Option<&str> {
        let payload = match self {
            Self::Insert { new, .. } => Some(&new.body),
            Self::End { end, .. } => end.result.as_ref(),
            Self::Answer { result, .. } => Some(result),
            _ => None,
        };
        match payload? {
            PayloadRef::Held { key, .. } => Some(key),
            PayloadRef::Inline(_) => None,
        }
    }

    /// Answers a write that cannot be made.
    pub fn refuse(self, why: &StoreError) {
        fn say<T, E: From<StoreError>>(reply: Reply<T, E>, why: &StoreError) {
            let _ = reply.send(Err(why.clone().into()));
        }
        match self {
            Self::Insert { reply, .. } => say(reply, why),
            Self::Change { reply, .. } | Self::Answer { reply, .. } => say(reply, why),
            Self::End { reply, .. } => say(reply, why),
            Self::KeepDay { reply, .. }
            | Self::KeepMemory { reply, .. }
            | Self::KeepOutputs { reply, .. }
            | Self::Told { reply, .. } => say(reply, why),
            Self::Recover { reply, .. } => say(reply, why),
            Self::Purge { reply, .. } => say(reply, why),
            Self::Barrier { reply } | Self::Close { reply } => say(reply, why),
        }
    }
}

/// The end of a call.
#[derive(Debug)]
pub(in crate::sqlite) struct End {
    pub settlement: Settlement,
    pub change: Option<Change>,
    pub result: Option<PayloadRef>,
}

/// What one step of a purge removed.
#[derive(Debug, Clone, Copy)]
pub(in crate::sqlite) struct Purged {
    pub requests: u64,
    pub go_on: Option<i64>,
}

/// How long a write may wait for others to share its commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::sqlite) enum Urgency {
    /// Somebody outside waits for it: no longer than the commit before it takes.
    Now,
    /// Something that cannot wait is about to follow: an arrival is followed by its release and its claim, all
    /// within the hops between three tasks.
    Soon,
    /// Under `relaxed` its outcome is out already.
    Relaxed,
    /// Nobody waits.
    Whenever,
}

impl Urgency {
    pub const fn patience(self) -> Duration {
        match self {
            Self::Now => Duration::ZERO,
            Self::Soon => Duration::from_millis(1),
            Self::Relaxed => Duration::from_millis(2),
            Self::Whenever => Duration::from_millis(10),
        }
    }

    /// Of a change, by what comes of it.
    pub const fn of_change(change: &Change) -> Self {
        match change {
            Change::Claim { .. }
            | Change::Cancel { .. }
            | Change::Abandon { .. }
            | Change::Join { .. }
            | Change::Complete { .. }
            | Change::Degrade { .. }
            | Change::Redrive
            | Change::Dismiss
            | Change::Fail { .. } => Self::Now,
            Change::Queue
            | Change::Release { .. }
            | Change::Lapse { .. }
            | Change::Void { .. }
            | Change::Requeue { .. }
            | Change::Resize { .. }
            | Change::Rerun { .. }
            | Change::Divert { .. }
            | Change::Lose { .. }
            | Change::Expire { .. } => Self::Soon,
        }
    }
}
