//! Writes that wait for the writer, because the database must judge them or the writer has what is applied for
//! itself.

use super::op::Op;
use smoother_core::RequestId;
use std::collections::{HashMap, VecDeque};

/// Who may go by is decided by what waits: writes of one request keep their order.
#[derive(Debug, Default)]
pub(super) struct Queue {
    ops: VecDeque<Op>,
    /// How many of them each request has.
    ids: HashMap<RequestId, usize>,
    /// How many of them must see nothing that comes after.
    closing: usize,
}

impl Queue {
    pub fn is_empty(&self) -> bool {
        self.ops.is_empty()
    }

    /// Whether a write that comes now may be applied before those that wait.
    pub fn lets_by(&self, op: &Op) -> bool {
        let after_its_own = op.id().is_some_and(|id| self.ids.contains_key(&id));
        self.is_empty() || !(self.closing > 0 || after_its_own || op.follows_all())
    }

    pub fn push(&mut self, op: Op) {
        self.closing += usize::from(op.precedes_all());
        if let Some(id) = op.id() {
            *self.ids.entry(id).or_default() += 1;
        }
        self.ops.push_back(op);
    }

    pub fn pop(&mut self) -> Option<Op> {
        let op = self.ops.pop_front()?;
        self.closing -= usize::from(op.precedes_all());
        if let Some(id) = op.id()
            && let Some(count) = self.ids.get_mut(&id)
        {
            *count -= 1;
            if *count == 0 {
                self.ids.remove(&id);
            }
        }
        Some(op)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sqlite::writer::testing::request;
    use smoother_core::lifecycle::Change;
    use smoother_core::{CallNo, LaneId, Timestamp};
    use tokio::sync::oneshot::channel;

    fn change(ms: u64) -> Op {
        Op::Change {
            id: request(ms).id,
            change: Box::new(Change::Void { call: CallNo::new(1) }),
            reply: channel().0,
        }
    }

    fn barrier() -> Op {
        Op::Barrier { reply: channel().0 }
    }

    fn told() -> Op {
        Op::Told {
            seq: 1,
            reply: channel().0,
        }
    }

    #[test]
    fn writes_of_one_request_keep_their_order_and_others_go_by() {
        let mut queue = Queue::default();
        assert!(queue.lets_by(&change(1)) && queue.lets_by(&barrier()));
        queue.push(change(1));
        queue.push(change(1));
        for _ in 0..2 {
            assert!(!queue.lets_by(&change(1)));
            assert!(queue.lets_by(&change(2)) && queue.lets_by(&told()));
            assert!(!queue.lets_by(&barrier()), "all before it must be applied");
            assert!(queue.pop().is_some());
        }
        assert!(queue.lets_by(&change(1)) && queue.lets_by(&barrier()));
        assert!(queue.pop().is_none());
        queue.push(change(1));
        queue.push(barrier());
        assert!(queue.lets_by(&change(2)), "a barrier may see what comes after it");
    }

    #[test]
    fn nothing_goes_by_what_must_not_see_it() {
        let mut queue = Queue::default();
        queue.push(Op::Recover {
            lane: LaneId::new("sonnet").unwrap(),
            since: Timestamp::from_millis(0),
            reply: channel().0,
        });
        queue.push(change(1));
        assert!(!queue.lets_by(&change(2)) && !queue.lets_by(&told()));
        queue.pop();
        assert!(queue.lets_by(&change(2)) && !queue.lets_by(&change(1)));
    }
}
