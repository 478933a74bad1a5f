//! Metrics of the way out: what they mean, and the gauges that are read rather than counted.

use crate::service::Results;
use smoother_core::breaker::Phase;
use smoother_core::metrics::{
    ALL, BREAKER_OPENED, BREAKER_STATE, DEAD_LETTERS_NOW, Kind, OLDEST_SECONDS, QUOTA_LIMIT, QUOTA_OTHERS,
    QUOTA_USED, RETRIES_PUT_OFF, RUNNING, SENT_ON, SHED, WAITING,
};
use smoother_core::scheduler::LaneView;
use smoother_core::{LaneId, Priority};
use std::sync::PoisonError;

/// Gives the recorder the meaning of every metric; the root calls it once, after installing the recorder.
pub fn describe_metrics() {
    for metric in ALL {
        match metric.kind {
            Kind::Counter => metrics::describe_counter!(metric.name, metric.help),
            Kind::Gauge => metrics::describe_gauge!(metric.name, metric.help),
            Kind::Histogram => metrics::describe_histogram!(metric.name, metric.help),
        }
    }
}

impl Results {
    /// Sets the gauges of every lane from its view, and counts the dead letters. Done at each scrape, not by a timer:
    /// what nobody reads is not computed, and what is read is fresh.
    pub(crate) async fn set_gauges(&self) {
        let lanes = self.ports.views.lanes();
        for lane in &lanes {
            if let Some(view) = self.ports.views.view(lane).await {
                show(&view);
            }
        }
        self.count_letters(lanes).await;
    }

    async fn count_letters(&self, lanes: Vec<LaneId>) {
        let count = match self.ports.store.dead_letters().await {
            Ok(count) => count,
            Err(error) => {
                tracing::warn!(%error, "the dead letters could not be counted; their gauges stay as they were");
                return;
            }
        };
        let mut shown = self.with_letters.lock().unwrap_or_else(PoisonError::into_inner);
        // A lane that has none any more must fall to zero, also one that no configuration names.
        shown.extend(lanes);
        shown.extend(count.lanes.keys().cloned());
        for lane in shown.iter() {
            match count.lanes.get(lane) {
                // Older ones were not counted, and may be this lane's: it stays as it was.
                None if count.more => {}
                letters => {
                    let letters = letters.copied().unwrap_or(0);
                    metrics::gauge!(DEAD_LETTERS_NOW, "lane" => lane.to_string()).set(letters as f64);
                }
            }
        }
    }
}

/// Sets the gauges of one lane.
pub fn show(view: &LaneView) {
    let lane = view.lane.as_str();
    for priority in Priority::ALL.map(Priority::as_str) {
        // A band that has emptied must fall to zero, so every band is set every time.
        let waiting = view.waiting.get(priority).copied().unwrap_or_default();
        metrics::gauge!(WAITING, "lane" => lane.to_owned(), "priority" => priority)
            .set(waiting.requests as f64);
        metrics::gauge!(OLDEST_SECONDS, "lane" => lane.to_owned(), "priority" => priority)
            .set(waiting.oldest_ms.get() as f64 / 1_000.0);
    }
    metrics::gauge!(RUNNING, "lane" => lane.to_owned()).set(view.running as f64);
    metrics::gauge!(QUOTA_USED, "lane" => lane.to_owned()).set(view.tokens.used as f64);
    metrics::gauge!(QUOTA_LIMIT, "lane" => lane.to_owned()).set(view.tokens.limit as f64);
    metrics::gauge!(QUOTA_OTHERS, "lane" => lane.to_owned()).set(f64::from(view.others_percent) / 100.0);
    let state = match view.breaker.state {
        Phase::Closed => 0.0,
        Phase::HalfOpen => 1.0,
        Phase::Open => 2.0,
    };
    metrics::gauge!(BREAKER_STATE, "lane" => lane.to_owned()).set(state);
    // The lane counts these itself, from its start on.
    for (name, count) in [
        (BREAKER_OPENED, view.breaker.opened),
        (SENT_ON, view.sent_on),
        (SHED, view.shed),
        (RETRIES_PUT_OFF, view.retries_put_off),
    ] {
        metrics::counter!(name, "lane" => lane.to_owned()).absolute(count);
    }
}
