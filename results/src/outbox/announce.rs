//! The process's own listener: readers on [`Live`], and the metrics of ends.

use super::notify::{Notify, NotifyError};
use smoother_core::metrics::{DEAD_LETTERS, DEGRADED, REQUEST_SECONDS, REQUESTS_ENDED};
use smoother_core::ports::{BoxFuture, Ended, Live, OutboxEntry, Update};
use std::sync::Arc;

pub struct Announce {
    live: Arc<dyn Live>,
}

impl Announce {
    pub fn new(live: Arc<dyn Live>) -> Self {
        Self { live }
    }

    fn tell(&self, entry: &OutboxEntry) {
        let row = &entry.request;
        let lane = row.lane.as_str();
        let priority = row.priority.as_str();
        metrics::counter!(
            REQUESTS_ENDED,
            "lane" => lane.to_owned(), "priority" => priority, "state" => row.state.as_str()
        )
        .increment(1);
        for (name, counts) in [(DEAD_LETTERS, row.dead), (DEGRADED, row.degraded)] {
            if counts {
                metrics::counter!(name, "lane" => lane.to_owned()).increment(1);
            }
        }
        if let Some(at) = row.ended_at {
            metrics::histogram!(REQUEST_SECONDS, "lane" => lane.to_owned(), "priority" => priority)
                .record(at.since(row.arrived_at).get() as f64 / 1_000.0);
        }
        // A worker has told its own ends already, with the result at hand; what comes second is dropped.
        let end = Ended {
            request: row.clone(),
            result: None,
        };
        self.live.publish(row.id, Update::Ended(Arc::new(end)));
    }
}

impl Notify for Announce {
    fn name(&self) -> &'static str {
        "live"
    }

    fn ended<'a>(&'a self, entry: &'a OutboxEntry) -> BoxFuture<'a, Result<(), NotifyError>> {
        self.tell(entry);
        Box::pin(std::future::ready(Ok(())))
    }
}
