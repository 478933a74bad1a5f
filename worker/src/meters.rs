//! A lane's metric handles, looked up once.

use crate::conclude::Conclusion;
use metrics::{Counter, Histogram, counter, histogram};
use smoother_core::config::LaneConfig;
use smoother_core::{CallEnding, Change, Priority, Request, ThrottleCause, Timestamp, metrics as names};

pub(crate) struct Meters {
    endings: [(CallEnding, Counter); 4],
    throttles: [Counter; 4],
    queue: [Histogram; 3],
    call: Histogram,
    first_output: Histogram,
    input: Counter,
    output: Counter,
    cache_read: Counter,
    cache_write: Counter,
    charged: Counter,
    right_sized: Counter,
    reruns: Counter,
}

impl Meters {
    pub(crate) fn of(lane: &LaneConfig) -> Self {
        let lane = lane.id.to_string();
        let ending = |ending, word: &'static str| {
            (
                ending,
                counter!(names::CALLS, "lane" => lane.clone(), "ending" => word),
            )
        };
        let tokens = |kind: &'static str| counter!(names::TOKENS, "lane" => lane.clone(), "kind" => kind);
        Self {
            endings: [
                ending(CallEnding::Completed, "completed"),
                ending(CallEnding::Throttled, "throttled"),
                ending(CallEnding::Failed, "failed"),
                ending(CallEnding::Aborted, "aborted"),
            ],
            throttles: ThrottleCause::ALL
                .map(|cause| counter!(names::THROTTLES, "lane" => lane.clone(), "cause" => cause.as_str())),
            queue: Priority::ALL.map(|priority| {
                histogram!(names::QUEUE_SECONDS, "lane" => lane.clone(), "priority" => priority.as_str())
            }),
            call: histogram!(names::CALL_SECONDS, "lane" => lane.clone()),
            first_output: histogram!(names::FIRST_OUTPUT_SECONDS, "lane" => lane.clone()),
            input: tokens("input"),
            output: tokens("output"),
            cache_read: tokens("cache_read"),
            cache_write: tokens("cache_write"),
            charged: tokens("charged"),
            right_sized: counter!(names::RIGHT_SIZED, "lane" => lane.clone()),
            reruns: counter!(names::RERUNS, "lane" => lane.clone()),
        }
    }

    /// Counts a call that has ended; `row` is the request as it was claimed.
    pub(crate) fn ended(&self, row: &Request, conclusion: &Conclusion) {
        let Conclusion {
            settlement,
            first_output_at,
            change,
            ..
        } = conclusion;
        if row.is_right_sized() && settlement.ending == CallEnding::Completed {
            self.right_sized.increment(1);
            let rerun = matches!(change, Some(Change::Rerun { .. }));
            self.reruns.increment(u64::from(rerun));
        }
        if let Some((_, counter)) = self
            .endings
            .iter()
            .find(|(ending, _)| *ending == settlement.ending)
        {
            counter.increment(1);
        }
        if let Some(cause) = settlement.throttle
            && let Some(at) = ThrottleCause::ALL.iter().position(|one| *one == cause)
        {
            self.throttles[at].increment(1);
        }
        let started = row.started_at.unwrap_or(settlement.at);
        let seconds =
            |from: Timestamp, to: Timestamp| std::time::Duration::from(to.since(from)).as_secs_f64();
        self.queue[row.priority.index()].record(seconds(row.arrived_at, started));
        self.call.record(seconds(started, settlement.at));
        if let Some(at) = *first_output_at {
            self.first_output.record(seconds(started, at));
        }
        if let Some(usage) = &settlement.usage {
            self.input.increment(usage.input.get());
            self.output.increment(usage.output.get());
            self.cache_read.increment(usage.cache_read.get());
            self.cache_write.increment(usage.cache_write.get());
        }
        self.charged.increment(settlement.charged.get());
    }
}
