//! What a request is doing right now, for those who wait on it: states, frames as they come, the end.
//!
//! Nothing here is durable: whoever comes too late reads the store. A request's log lives from its first
//! subscriber or update until its end has been told and its last reader is gone. Readers read the shared log
//! at their own pace, so a slow one holds nobody back.

use super::{BoxFuture, StoreError};
use crate::ids::{CallNo, RequestId, Rev};
use crate::lifecycle::State;
use crate::model::ModelHead;
use crate::request::Request;
use bytes::Bytes;
use std::sync::Arc;

/// One thing that happened to a request.
#[derive(Debug, Clone)]
pub enum Update {
    /// It moved; comes for states before a terminal one.
    State(State),
    /// A call begins: whatever an earlier call said no longer counts.
    Call(CallNo),
    /// The call was accepted upstream.
    Head(Arc<ModelHead>),
    /// One event-stream message of the call's answer.
    Frame(Bytes),
    /// Its terminal state is durable.
    Ended(Arc<Ended>),
    /// Its call is over and the store cannot take how: nobody here will say more of it, and what becomes of it is
    /// for the next start to find out. Ends the log.
    NotStored(StoreError),
}

/// A request at its end.
#[derive(Debug, Clone)]
pub struct Ended {
    /// The row, terminal.
    pub request: Request,
    /// The result, where it was at hand; otherwise it is in the store.
    pub result: Option<Bytes>,
}

/// The log of what requests are doing.
pub trait Live: Send + Sync {
    /// Adds to a request's log and wakes its readers. After [`Update::Ended`] or [`Update::NotStored`] further
    /// updates are dropped.
    ///
    /// An end that has a result but does not bring it is held back while the request's runner, who has it at
    /// hand, is still here: it is told when the runner has gone without telling the end itself.
    fn publish(&self, id: RequestId, update: Update);

    /// A request that has ended is on its way again, as version `rev` of its row: what is told of it from now on makes
    /// a new log, and an end of an earlier version is no news any more. Before its lane is told, and at each start that
    /// finds it on its way: the former end may be told only then.
    fn reopen(&self, _id: RequestId, _rev: Rev) {}

    /// A reader from the beginning of the log. Subscribe before reading the store, or the end may be missed.
    fn subscribe(&self, id: RequestId) -> Box<dyn Reader>;

    /// How many readers a request has.
    fn readers(&self, id: RequestId) -> usize;

    /// Tells the request's runner, if it is here, to stop its call.
    fn abort(&self, id: RequestId);

    /// Resolves once [`Live::abort`] was called for the request or its end was published. Whoever holds this is
    /// the request's runner until it drops it.
    fn aborted(&self, id: RequestId) -> BoxFuture<'static, ()>;
}

/// One reader's place in a request's log.
pub trait Reader: Send {
    /// The next update, in order. After a new [`Update::Call`] the reader is given that, then what follows it.
    /// `None` after [`Update::Ended`] or [`Update::NotStored`].
    fn next(&mut self) -> BoxFuture<'_, Option<Update>>;
}
