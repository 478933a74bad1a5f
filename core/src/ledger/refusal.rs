//! What the ledger learns from a call that was refused upstream.

use super::learning::Taught;
use super::{CallKey, Ledger};
use crate::throttle::ThrottleCause;
use crate::units::{Millis, Timestamp};

/// A refusal this soon after another means that someone else uses the quota.
const AGAIN: Millis = Millis::from_secs(20);

impl Ledger {
    /// A call was refused upstream: its reservation is given back, and what refused it is believed to have
    /// less than was thought.
    pub fn refused(&mut self, now: Timestamp, key: CallKey, cause: ThrottleCause) {
        let now = self.advance(now);
        let running = self.open.len();
        let Some(open) = self.open.remove(&key) else {
            return;
        };
        self.version += 1;
        self.give_back(now, open);
        let again = self.pause.within(now, AGAIN);
        match cause {
            ThrottleCause::Tokens => {
                let taught = self.tokens.refused(now, key, open.released, open.taken(), again);
                self.requests
                    .iter_mut()
                    .for_each(|pace| pace.over(now, key, false));
                self.pause_after(now, taught);
            }
            ThrottleCause::Requests => {
                self.tokens.over(now, key, false);
                let pace = self.requests.as_mut();
                let taught = pace.map(|pace| pace.refused(now, key, open.released, 1, again));
                self.pause_after(now, taught.unwrap_or(Taught::Unexplained));
            }
            ThrottleCause::Capacity => {
                self.forget_probe(now, key);
                self.slots.refused(now, open.started.unwrap_or(now), running);
                self.pause.refused(now);
            }
            ThrottleCause::Day => {
                self.forget_probe(now, key);
                self.park.refused(now);
            }
        }
        if cause != ThrottleCause::Day {
            // The day's limit let it pass, whatever refused it.
            self.park.over(key, true);
        }
    }

    /// What a probe was refused for was another limit: it says nothing.
    fn forget_probe(&mut self, now: Timestamp, key: CallKey) {
        self.tokens.over(now, key, false);
        self.requests
            .iter_mut()
            .for_each(|pace| pace.over(now, key, false));
    }

    fn pause_after(&mut self, now: Timestamp, taught: Taught) {
        if taught == Taught::Unexplained {
            self.pause.refused(now);
        }
    }
}
