//! What the ledger learns from a call that was refused upstream.

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
                self.tokens.learn(now, open.tokens, again);
                self.pause.refused(now);
            }
            ThrottleCause::Requests => {
                if let Some(pace) = &mut self.requests {
                    pace.learn(now, 1, again);
                }
                self.pause.refused(now);
            }
            ThrottleCause::Capacity => {
                self.slots.refused(now, open.started.unwrap_or(now), running);
                self.pause.refused(now);
            }
            ThrottleCause::Day => self.park.refused(now),
        }
        if cause != ThrottleCause::Day {
            // The day's limit let it pass, whatever refused it.
            self.park.over(key, true);
        }
    }
}
