//! Leaving a lane so that nothing that was told to it is left behind.
//!
//! ```text
//! promise ─▶ draining ─▶ last poll ─▶ last reading ─▶ closing ─▶ the lease is given back
//!    │                                                   │
//!    └── something to do came, and there is time: stay ◀─┘
//! ```

use super::holder::Holder;
use super::{HoldEnd, monotonic};
use smoother_core::hold::AWAKE_FOR;
use std::time::Duration;
use tokio::time::Instant;

/// Leaving begins so long before the time is up: a promise's length, two polls, and what is to be written.
pub(super) const LEAVE_WITHIN: Duration = Duration::from_millis(AWAKE_FOR.get() + 8_000);
/// A lane in which nothing has happened for so long, and in which nothing counts any more, is left.
const IDLE_FOR: Duration = Duration::from_secs(5);
/// The ledger is written anew before leaving where it is older: its charges have aged since.
const OLD: Duration = Duration::from_secs(1);

/// Where leaving has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    /// The last promise has not passed: everything goes on.
    Promise,
    /// Polls under way come to their end.
    Draining,
    /// The queue is polled once more.
    LastPoll,
    /// What waits is read once more.
    LastReading,
    /// What was begun comes to its end, and is stored.
    Closing,
    /// The ledger was written for the last time.
    Written,
}

/// A lane being left.
#[derive(Debug)]
pub(super) struct Leaving {
    why: HoldEnd,
    step: Step,
    read: bool,
}

impl Leaving {
    /// Whether the queue and the store are still read as ever.
    pub(super) fn still_reads(&self) -> bool {
        self.step == Step::Promise
    }

    /// Whether what waits is to be read once more, and was not.
    pub(super) fn has_to_read(&self) -> bool {
        self.step == Step::LastReading && !self.read
    }

    /// Whether nothing new is begun any more.
    pub(super) fn is_closing(&self) -> bool {
        matches!(self.step, Step::Closing | Step::Written)
    }

    /// Takes note that a reading of what waits is over.
    pub(super) fn swept(&mut self, failed: bool) {
        self.read = !failed;
    }

    /// When to go on leaving, if that is a matter of time.
    pub(super) fn looks_at(&self, holder: &Holder) -> Instant {
        let promised = holder.renewal.promised_until().since(holder.drive.now());
        let passes = monotonic() + promised.into();
        if self.step == Step::Promise {
            passes
        } else {
            holder.until
        }
    }
}

impl Holder {
    fn is_quiet(&self) -> bool {
        self.drive.scheduler.is_quiet(self.drive.now())
            && !self.arrivals.is_reading()
            && self.ledger.is_settled(&self.drive)
    }

    /// Why the lane is to be left now, if it is.
    fn wants_to_leave(&mut self) -> Option<HoldEnd> {
        let now = monotonic();
        if now + LEAVE_WITHIN >= self.until || self.ports.relieved.is_cancelled() {
            return Some(HoldEnd::TimeUp);
        }
        if self.clock.is_behind() {
            tracing::warn!(
                lane = %self.lane,
                "the wall clock was set forwards while the lane was held; it is handed over to a holder that goes by the new time"
            );
            return Some(HoldEnd::TimeUp);
        }
        if !self.is_quiet() {
            self.quiet_since = None;
            return None;
        }
        let since = *self.quiet_since.get_or_insert(now);
        (now.duration_since(since) >= IDLE_FOR).then_some(HoldEnd::Idle)
    }

    /// Goes on leaving, as far as that is possible now; how it ended, once it has.
    pub(super) async fn leave_when_done(&mut self) -> Option<HoldEnd> {
        if self.leaving.is_none() {
            let why = self.wants_to_leave()?;
            self.renewal.stop_promising();
            self.leaving = Some(Leaving {
                why,
                step: Step::Promise,
                read: false,
            });
        }
        let mut leaving = self.leaving.take()?;
        if leaving.why == HoldEnd::Idle && !self.drive.scheduler.is_quiet(self.drive.now()) {
            if monotonic() + LEAVE_WITHIN < self.until && !self.ports.relieved.is_cancelled() {
                self.renewal.promise_again();
                self.quiet_since = None;
                return None;
            }
            leaving.why = HoldEnd::TimeUp;
        }
        while let Some(next) = self.step_after(&leaving) {
            leaving.step = next;
            self.enter(&mut leaving);
        }
        let done = leaving.step == Step::Written
            && (self.ledger.is_settled(&self.drive) || monotonic() >= self.until);
        if done {
            self.give_back().await;
            return Some(leaving.why);
        }
        self.leaving = Some(leaving);
        None
    }

    fn step_after(&self, leaving: &Leaving) -> Option<Step> {
        let late = monotonic() >= self.until;
        match leaving.step {
            Step::Promise if self.drive.now() >= self.renewal.promised_until() => Some(Step::Draining),
            Step::Draining if !self.polls.any() => Some(Step::LastPoll),
            Step::LastPoll if !self.polls.any() && leaving.why == HoldEnd::TimeUp => Some(Step::Closing),
            // A reading that was begun before says nothing about what came since.
            Step::LastPoll if !self.polls.any() && !self.is_sweeping() => Some(Step::LastReading),
            Step::LastReading if leaving.read => Some(Step::Closing),
            Step::Draining | Step::LastPoll | Step::LastReading if late => Some(Step::Closing),
            Step::Closing if late || self.is_closed() => Some(Step::Written),
            _ => None,
        }
    }

    /// Whether everything that was begun is over, and stored.
    fn is_closed(&self) -> bool {
        !self.drive.is_doing() && !self.arrivals.is_reading() && self.ledger.is_settled(&self.drive)
    }

    fn enter(&mut self, leaving: &mut Leaving) {
        match leaving.step {
            Step::LastPoll => self.polls.begin_last(),
            Step::LastReading => {
                leaving.read = false;
                self.sweep(self.unread.clone());
            }
            Step::Written if self.ledger.age() >= OLD => self.ledger.write(&mut self.drive, true),
            _ => {}
        }
    }

    /// Whoever comes next finds the lane free.
    async fn give_back(&mut self) {
        let back = self.renewal.lease().given_back();
        if let Err(error) = self.ports.hold.renew(&self.lane, back).await {
            tracing::info!(lane = %self.lane, %error, "the lease was not given back; it will expire");
        }
    }
}
