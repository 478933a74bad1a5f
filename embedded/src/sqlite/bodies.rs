//! Payloads of open requests in memory: the worker asks for a body soon after it was stored, and under
//! `relaxed` before it was.

use crate::lock;
use smoother_core::RequestId;
use smoother_core::ports::{PayloadKind, PayloadRef};
use std::collections::{HashMap, VecDeque};
use std::sync::Mutex;

type Key = (RequestId, PayloadKind);

/// A bounded cache; the oldest payload makes room.
#[derive(Debug)]
pub(super) struct PayloadCache {
    limit: usize,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    held: HashMap<Key, PayloadRef>,
    /// May name payloads that are gone; they are skipped when their turn comes.
    order: VecDeque<Key>,
    bytes: usize,
}

impl PayloadCache {
    pub fn new(limit: usize) -> Self {
        Self {
            limit,
            state: Mutex::new(State::default()),
        }
    }

    pub fn get(&self, id: RequestId, kind: PayloadKind) -> Option<PayloadRef> {
        lock(&self.state).held.get(&(id, kind)).cloned()
    }

    pub fn put(&self, id: RequestId, kind: PayloadKind, payload: &PayloadRef) {
        let mut state = lock(&self.state);
        state.drop_one(&(id, kind));
        state.bytes += weight(payload);
        state.held.insert((id, kind), payload.clone());
        state.order.push_back((id, kind));
        while state.bytes > self.limit {
            let Some(oldest) = state.order.pop_front() else {
                break;
            };
            state.drop_one(&oldest);
        }
        // Payloads leave mostly by `forget`; their places in the order go when most of it is stale.
        if state.order.len() > 64 + 2 * state.held.len() {
            let State { held, order, .. } = &mut *state;
            order.retain(|key| held.contains_key(key));
        }
    }

    pub fn forget(&self, id: RequestId, kind: PayloadKind) {
        lock(&self.state).drop_one(&(id, kind));
    }
}

impl State {
    fn drop_one(&mut self, key: &Key) {
        if let Some(gone) = self.held.remove(key) {
            self.bytes -= weight(&gone);
        }
    }
}

/// Bytes a payload takes, its place included.
fn weight(payload: &PayloadRef) -> usize {
    match payload {
        PayloadRef::Inline(bytes) => bytes.len() + 128,
        PayloadRef::Held { key, .. } => key.len() + 128,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_makes_room_and_forgotten_ones_take_none() {
        let cache = PayloadCache::new(3 * 228);
        let payload = PayloadRef::Inline(vec![0; 100].into());
        let id = |n: u8| RequestId::from_bytes([n; 16]);
        for n in 0..4 {
            cache.put(id(n), PayloadKind::Body, &payload);
        }
        assert!(cache.get(id(0), PayloadKind::Body).is_none());
        assert!((1..4).all(|n| cache.get(id(n), PayloadKind::Body).is_some()));
        for n in 1..4 {
            cache.forget(id(n), PayloadKind::Body);
        }
        assert_eq!(lock(&cache.state).bytes, 0);
        for n in 0..200 {
            cache.put(id(n), PayloadKind::Body, &payload);
            cache.forget(id(n), PayloadKind::Body);
        }
        assert!(lock(&cache.state).order.len() <= 65);
    }
}
