//! The ids of the requests that ended last.

use super::REMEMBERED;
use smoother_core::RequestId;
use std::collections::{HashSet, VecDeque};

/// A bounded set; the oldest member makes room.
#[derive(Debug, Default)]
pub(super) struct Recent {
    members: HashSet<RequestId>,
    order: VecDeque<RequestId>,
}

impl Recent {
    pub fn contains(&self, id: &RequestId) -> bool {
        self.members.contains(id)
    }

    pub fn forget(&mut self, id: &RequestId) {
        if self.members.remove(id) {
            self.order.retain(|other| other != id);
        }
    }

    pub fn remember(&mut self, id: RequestId) {
        if !self.members.insert(id) {
            return;
        }
        self.order.push_back(id);
        if self.order.len() > REMEMBERED
            && let Some(oldest) = self.order.pop_front()
        {
            self.members.remove(&oldest);
        }
    }
}
