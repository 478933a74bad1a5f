//! The lane as it is shown.

use super::lane::Scheduler;
use super::view::{Forecast, LaneReport, LaneView, Mark, WaitingView};
use crate::config::Pacing;
use crate::request::Priority;
use crate::throttle::ThrottleCause;
use crate::units::{Millis, Timestamp};
use std::collections::BTreeMap;

/// Marks in a band's line.
const MARKS: usize = 16;

impl Scheduler {
    /// The lane as it is now.
    pub fn view(&self, now: Timestamp) -> LaneView {
        let now = now.max(self.now);
        let under_way = self.ledger.under_way() as u64;
        LaneView {
            lane: self.config.lane.id.clone(),
            at: now,
            pacing: match self.config.lane.pacing {
                Pacing::Auto => "auto".to_owned(),
                Pacing::Eager => "eager".to_owned(),
                Pacing::Window => "window".to_owned(),
                Pacing::Bucket { seconds } => format!("bucket ({seconds} s)"),
            },
            tokens: self.ledger.tokens_view(now),
            requests: self.ledger.requests_view(now),
            day: self.ledger.day_view(now),
            concurrency: self.ledger.concurrency_view(now),
            released: self.released,
            running: under_way.saturating_sub(self.released),
            waiting: self.waiting_view(now),
            throttles: self.throttles_view(),
            day_parked: self.ledger.day_parked_until(now).is_some(),
            breaker: self.breaker.view(now),
            retries_left: self.budget.left(),
            retries_put_off: self.put_off,
            sent_on: self.left,
            shed: self.shed,
            parked_until: self.ledger.parked_until(now),
            learned_ceiling: self.ledger.learned_ceiling(now),
            others_percent: self.ledger.others_percent(),
            limiters: self.ledger.limiters(now),
        }
    }

    /// The lane as it is written down for those who ask elsewhere.
    pub fn report(&self, now: Timestamp) -> LaneReport {
        let now = now.max(self.now);
        let lines = Priority::ALL.into_iter();
        LaneReport {
            view: self.view(now),
            lines: lines
                .map(|priority| (priority.as_str().to_owned(), self.marks(now, priority)))
                .collect(),
            opens: Some(self.opens_at_best(now)).filter(|at| *at > now),
            tenants: self.report_tenants(now),
        }
    }

    /// A few of those that wait in a band, by due time from the first to the last.
    fn marks(&self, now: Timestamp, priority: Priority) -> Vec<Mark> {
        let of_band = |flow: u32| {
            self.shares
                .flow(flow)
                .is_some_and(|flow| flow.priority == priority)
        };
        let entries = self
            .table
            .entries()
            .filter(|entry| entry.waits() && of_band(entry.flow));
        let mut waiting: Vec<_> = entries.map(|entry| (entry.due, entry.id)).collect();
        waiting.sort_unstable();
        let last = waiting.len().saturating_sub(1);
        let mut places: Vec<usize> = (0..MARKS).map(|part| last * part / (MARKS - 1)).collect();
        places.dedup();
        let mark = |place: &usize| {
            let (due, id) = *waiting.get(*place)?;
            let Forecast { position, start, .. } = self.forecast(now, id)?;
            Some(Mark { due, position, start })
        };
        places.iter().filter_map(mark).collect()
    }

    fn waiting_view(&self, now: Timestamp) -> BTreeMap<String, WaitingView> {
        let beyond = self.beyond();
        let of = |priority: Priority| {
            let count = self.counts[priority.index()].and(beyond[priority.index()]);
            let oldest = self.ages[priority.index()].oldest(&self.table);
            let view = WaitingView {
                requests: count.requests,
                tokens: count.tokens.get(),
                oldest_ms: oldest.map_or(Millis::ZERO, |at| now.since(at)),
                more: self.config.window.is_some() && self.shares.has_more(priority),
            };
            (priority.as_str().to_owned(), view)
        };
        Priority::ALL.into_iter().map(of).collect()
    }

    fn throttles_view(&self) -> BTreeMap<String, u64> {
        let counts = ThrottleCause::ALL.into_iter().zip(self.throttles);
        counts
            .map(|(cause, count)| (cause.as_str().to_owned(), count))
            .collect()
    }
}
