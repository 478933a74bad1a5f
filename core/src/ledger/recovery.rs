//! Rebuilding the ledger after a restart.

use super::book::Open;
use super::{CallKey, Ledger};
use crate::call::{Call, CallEnding};
use crate::ports::DayCount;
use crate::units::{Millis, Timestamp, Tokens};

/// Calls that were charged longer ago count in no ledger any more.
const COUNTS_FOR: Millis = Millis::from_secs(65);

impl Ledger {
    /// Retells the calls of the last 65 s and those that are not over, and takes up the day's counter.
    ///
    /// With any call to retell, buckets are taken to have been empty 65 s ago: what went before is unknown.
    /// The counter may already hold some of the settled calls; they are counted again, because it is not
    /// known which, so a restart costs at most a minute of the day's quota and never exceeds it.
    pub fn restore(&mut self, now: Timestamp, calls: &[Call], day: Option<DayCount>) {
        let now = self.advance(now);
        if let Some(count) = day {
            self.day.restore(count);
        }
        let since = now.before(COUNTS_FOR);
        let mut calls: Vec<&Call> = calls.iter().collect();
        calls.sort_unstable_by_key(|call| (call.charged_at, call.request, call.number));
        if !calls.is_empty() {
            self.tokens.retell_from(since);
            self.requests.iter_mut().for_each(|pace| pace.retell_from(since));
        }
        for call in calls {
            self.retell(call, now, since);
        }
    }

    fn retell(&mut self, call: &Call, now: Timestamp, since: Timestamp) {
        let key: CallKey = (call.request, call.number);
        let at = call.charged_at.min(now);
        let refused = call.settlement.as_ref().is_some_and(|settlement| {
            settlement.ending == CallEnding::Throttled && settlement.charged == Tokens::ZERO
        });
        if self.open.contains_key(&key) || refused {
            return;
        }
        let charge = call.charge().get();
        if at > since {
            self.tokens.retell(at, charge);
            self.requests.iter_mut().for_each(|pace| pace.retell(at, 1));
        }
        if call.settlement.is_some() {
            self.day.count_settled(at, charge);
        } else {
            self.day.count_open(at, charge);
            let open = Open {
                tokens: charge,
                surplus: 0,
                released: at,
                started: Some(at),
            };
            self.tokens.await_end_of(charge);
            self.open.insert(key, open);
        }
    }
}
