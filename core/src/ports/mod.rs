//! What the stages ask of the world: stores, queues, the model, clocks and chance.
//!
//! Each port has one adapter on one machine and one on AWS; a stage does not know which it runs on. Writes
//! return [`Pending`]: calling begins the write, awaiting it yields what became of it once it is durable.

mod ambient;
mod hold;
mod live;
mod model;
mod outputs;
mod payloads;
mod pointers;
mod post;
mod queues;
mod sockets;
mod store;
mod through;
mod uploads;
mod views;

pub use ambient::{Clock, Entropy};
pub use hold::{Backlogged, Counted, Heads, Held, Hold, HoldError, Inbox, Received};
pub use live::{Ended, Live, Reader, Update};
pub use model::{FreeCalls, Model};
pub use outputs::{SharedOutputs, Taught};
pub use payloads::{PayloadKind, PayloadRef, Payloads};
pub use pointers::{Pointer, PointerError, Pointers};
pub use post::{Mailbox, Message};
pub use queues::{Dispatch, LaneQueue, QueueError, Released};
pub use sockets::{ConnectionId, Connections, Pushed, Sockets};
pub use store::{
    ChangeError, DayCount, EndReport, Inserted, LaneMemory, LetterCount, ListFilter, ListPage, NewRequest,
    Outbox, OutboxEntry, Recovered, StateEvent, Store, StoreError,
};
pub use through::Through;
pub use uploads::{Upload, Uploads};
pub use views::LaneViews;

use std::future::Future;
use std::pin::Pin;

/// A future behind a pointer, as ports return it.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A write under way: begun when the port was called, not when this is awaited. Dropping it does not undo it.
pub type Pending<T> = BoxFuture<'static, T>;
