//! Requests with writes that were answered and are not committed yet; only under `relaxed`.

use smoother_core::RequestId;
use std::collections::HashSet;

/// Those of the batch that gathers, and those of the one that is being committed.
#[derive(Debug, Default)]
pub(in crate::sqlite) struct Early {
    gathering: HashSet<RequestId>,
    sealed: HashSet<RequestId>,
}

impl Early {
    pub fn add(&mut self, id: RequestId) {
        self.gathering.insert(id);
    }

    /// Whether this one (any, where none is named) is among them.
    pub fn holds(&self, id: Option<RequestId>) -> bool {
        [&self.gathering, &self.sealed]
            .into_iter()
            .any(|ids| id.map_or(!ids.is_empty(), |id| ids.contains(&id)))
    }

    /// The batch that gathered is being committed.
    pub fn seal(&mut self) {
        std::mem::swap(&mut self.gathering, &mut self.sealed);
    }

    /// It is committed.
    pub fn stored(&mut self) {
        self.sealed.clear();
    }

    /// None of it is stored, nor will be.
    pub fn forget(&mut self) {
        self.gathering.clear();
        self.sealed.clear();
    }
}
