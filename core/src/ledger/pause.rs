//! A short silence after a refusal, doubled by each one that follows soon.

use crate::units::{Millis, Timestamp};

const FIRST: Millis = Millis::new(500);
const LONGEST: Millis = Millis::new(4_000);
/// Refusals closer together than this are one trouble.
const SOON: Millis = Millis::from_secs(5);

/// Nothing goes before its end.
#[derive(Debug, Clone, Default)]
pub(super) struct Pause {
    until: Timestamp,
    last: Option<Timestamp>,
    length: Millis,
}

impl Pause {
    pub(super) fn until(&self) -> Timestamp {
        self.until
    }

    /// Whether the last refusal was less than `span` ago.
    pub(super) fn within(&self, now: Timestamp, span: Millis) -> bool {
        self.last.is_some_and(|last| now.since(last) < span)
    }

    pub(super) fn refused(&mut self, now: Timestamp) {
        // Calls that went before the pause began come back refused during it: that is not another trouble.
        if now < self.until {
            self.last = Some(now);
            return;
        }
        let soon = self.last.is_some() && now.since(self.until) < SOON;
        let doubled = self.length + self.length;
        self.length = if soon { doubled.min(LONGEST) } else { FIRST };
        self.until = now + self.length;
        self.last = Some(now);
    }
}
