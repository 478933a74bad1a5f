//! G6, at every release: whoever stands behind in a tenant's line does not go before those in front of it.

use super::judge::{Book, short};
use smoother_core::{Millis, Request, RequestId, State, Timestamp};
use std::collections::BTreeMap;

/// So many smaller ones may go before one for which there is no room yet.
const BACKFILLED: u32 = 8;
/// So long after its row is durable a lane knows of a request.
const KNOWN_AFTER: Millis = Millis::new(500);

/// Who has to start so soon may go before its turn.
const HURRY: Millis = Millis::from_secs(30);

/// Everybody's place in line.
#[derive(Debug, Default)]
pub struct Turns(BTreeMap<RequestId, Turn>);

#[derive(Debug)]
struct Turn {
    durable_at: Timestamp,
    passed: u32,
}

/// Both stand in one line, neither has been released before, and `front` goes first.
fn stands_before(front: &Request, behind: &Request) -> bool {
    let line = |row: &Request| (row.lane.clone(), row.tenant.clone(), row.priority);
    let is_new = |row: &Request| row.hops.is_empty() && row.redriven == 0;
    front.state == State::Queued
        && front.call.get() == 0
        && behind.call.get() == 1
        && is_new(front)
        && is_new(behind)
        && line(front) == line(behind)
        && front.due() < behind.due()
}

/// Whether so little of its time was left that it may pass.
fn hurries(released: &Request, at: Timestamp) -> bool {
    let ends = [released.deadline, released.latest_start];
    ends.into_iter().flatten().any(|end| end < at + HURRY)
}

impl Book {
    /// Takes note of where everybody stands, and at a release of whoever is passed over by it.
    pub fn turns(&mut self, row: &Request) {
        let durable_at = self.now();
        self.turns.0.entry(row.id).or_insert(Turn {
            durable_at,
            passed: 0,
        });
        if row.state == State::Released {
            self.goes(row);
        }
    }

    fn goes(&mut self, released: &Request) {
        let Some(at) = released.released_at.filter(|at| !hurries(released, *at)) else {
            return;
        };
        let burndown = self.burndown_in(&released.lane);
        let mut faults = Vec::new();
        for row in self.rows.values().filter(|row| stands_before(row, released)) {
            let Some(turn) = self.turns.0.get_mut(&row.id) else {
                continue;
            };
            if turn.durable_at + KNOWN_AFTER > at {
                continue;
            }
            turn.passed += 1;
            let backfills = row.estimate.reserve(burndown) > released.reserved;
            if !backfills || turn.passed > BACKFILLED {
                let (id, times, size) = (row.id, turn.passed, row.estimate.reserve(burndown));
                let (by, its) = (short(released.id), released.reserved);
                faults.push(format!(
                    "G6: {id} of {size} was passed over in its own line for the {times}. time, by {by} of {its}"
                ));
            }
        }
        for fault in faults {
            self.fault(fault);
        }
    }
}
