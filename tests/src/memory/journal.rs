//! What became durable, in the order in which it did: for judging a run step by step.

use super::World;
use smoother_core::call::Settlement;
use smoother_core::{Call, Request, RequestId};

/// One thing that became durable.
#[derive(Debug, Clone)]
pub enum Entry {
    /// A row, new or changed.
    Row(Box<Request>),
    /// A call that was claimed.
    Began(Call),
    /// A call's settlement; one that repeats an earlier one is not written and is no entry.
    Settled(RequestId, Settlement),
}

impl World {
    /// Takes out what became durable since this was last asked.
    pub fn journal(&self) -> Vec<Entry> {
        std::mem::take(&mut self.up_to_date().tables.journal)
    }
}
