//! Names of every metric, in one list. README's table, dashboards and alarms are held to it by a test.

/// What a metric counts, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Only rises.
    Counter,
    /// A level.
    Gauge,
    /// A distribution.
    Histogram,
}

/// A metric: its name, kind, unit, labels and meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Metric {
    /// Prometheus name.
    pub name: &'static str,
    /// Counter, gauge or histogram.
    pub kind: Kind,
    /// Label names. The tenant is never one.
    pub labels: &'static [&'static str],
    /// One sentence.
    pub help: &'static str,
}

/// Requests stored durably.
pub const REQUESTS_ACCEPTED: &str = "smoother_requests_accepted_total";
/// Requests refused at the door, by reason.
pub const REQUESTS_REFUSED: &str = "smoother_requests_refused_total";
/// Submissions that joined a request already known by their idempotency key.
pub const REQUESTS_JOINED: &str = "smoother_requests_joined_total";
/// Requests that reached a terminal state.
pub const REQUESTS_ENDED: &str = "smoother_requests_ended_total";
/// Seconds from arrival to the start of a call.
pub const QUEUE_SECONDS: &str = "smoother_queue_seconds";
/// Seconds by which a request that had to wait started later, or earlier, than was expected when it came.
pub const START_ERROR: &str = "smoother_start_error_seconds";
/// Seconds from arrival to the terminal state.
pub const REQUEST_SECONDS: &str = "smoother_request_seconds";
/// Upstream calls, by how they ended.
pub const CALLS: &str = "smoother_calls_total";
/// Seconds of an upstream call, start to end.
pub const CALL_SECONDS: &str = "smoother_call_seconds";
/// Seconds from a call's start to its first generated content.
pub const FIRST_OUTPUT_SECONDS: &str = "smoother_first_output_seconds";
/// Upstream refusals for quota or capacity, by cause.
pub const THROTTLES: &str = "smoother_throttles_total";
/// Tokens of answered calls: input, output, cache_read, cache_write, charged.
pub const TOKENS: &str = "smoother_tokens_total";
/// Error of the estimate of a call's input, |estimated − counted| ÷ counted.
pub const ESTIMATE_ERROR: &str = "smoother_estimate_error_ratio";
/// Requests waiting now.
pub const WAITING: &str = "smoother_waiting_requests";
/// Age of the oldest waiting request.
pub const OLDEST_SECONDS: &str = "smoother_oldest_waiting_seconds";
/// Calls under way now.
pub const RUNNING: &str = "smoother_running_calls";
/// Tokens that count against the lane's minute now.
pub const QUOTA_USED: &str = "smoother_quota_used_tokens";
/// The lane's tokens per minute.
pub const QUOTA_LIMIT: &str = "smoother_quota_limit_tokens";
/// The part of the lane's tokens per minute that other clients of the account are taken to use.
pub const QUOTA_OTHERS: &str = "smoother_quota_others_ratio";
/// Seconds a step of the scheduler takes.
pub const DECISION_SECONDS: &str = "smoother_decision_seconds";
/// Seconds of one group commit, fsync included.
pub const COMMIT_SECONDS: &str = "smoother_store_commit_seconds";
/// Writes in one group commit.
pub const COMMIT_WRITES: &str = "smoother_store_commit_writes";
/// Terminal states not yet told.
pub const OUTBOX_PENDING: &str = "smoother_outbox_pending";

/// The lane's circuit breaker: 0 closed, 1 half-open, 2 open.
pub const BREAKER_STATE: &str = "smoother_breaker_state";
/// How often the lane's circuit breaker has opened.
pub const BREAKER_OPENED: &str = "smoother_breaker_opened_total";
/// Requests sent on in their chain of fallbacks without a call.
pub const SENT_ON: &str = "smoother_requests_sent_on_total";
/// Waiting requests that made room for others of a higher priority.
pub const SHED: &str = "smoother_requests_shed_total";
/// Requests answered with the configured text instead of a model's answer.
pub const DEGRADED: &str = "smoother_degraded_answers_total";
/// How often a retry was put off because the lane had no budget for it.
pub const RETRIES_PUT_OFF: &str = "smoother_retries_put_off_total";
/// Jobs that became dead letters.
pub const DEAD_LETTERS: &str = "smoother_dead_letters_total";
/// Dead letters standing now, in wait for an operator. Where they have to be read to be counted, as on AWS, the newest
/// [`crate::ports::LetterCount::AT_MOST`] are, of all lanes together: at least so many stand.
pub const DEAD_LETTERS_NOW: &str = "smoother_dead_letters_standing";
/// Dead letters that an operator sent on their way again.
pub const REDRIVEN: &str = "smoother_dead_letters_redriven_total";
/// Dead letters that an operator dropped.
pub const DROPPED: &str = "smoother_dead_letters_dropped_total";

/// Requests that were stored and whose lane could not be told: they are found when what waits is read.
pub const LANE_NOT_TOLD: &str = "smoother_lane_not_told_total";
/// Waiting requests whose row could not be read, counted each time they are met.
pub const UNREADABLE: &str = "smoother_unreadable_requests_total";
/// Ends that were not pushed to a WebSocket connection that did not take them.
pub const PUSHES_DROPPED: &str = "smoother_pushes_dropped_total";
/// Answers to calls that were sent with a smaller max_tokens than their callers', whole or cut short.
pub const RIGHT_SIZED: &str = "smoother_right_sized_answers_total";
/// Answers cut short by it, so that the request was called again with its caller's own.
pub const RERUNS: &str = "smoother_right_size_reruns_total";

/// Every metric there is.
pub const ALL: &[Metric] = &[
    Metric {
        name: REQUESTS_ACCEPTED,
        kind: Kind::Counter,
        labels: &["lane", "priority", "door"],
        help: "Requests stored durably.",
    },
    Metric {
        name: REQUESTS_REFUSED,
        kind: Kind::Counter,
        labels: &["reason"],
        help: "Requests refused at the door, by reason.",
    },
    Metric {
        name: REQUESTS_JOINED,
        kind: Kind::Counter,
        labels: &["lane"],
        help: "Submissions that joined a request already known by their idempotency key.",
    },
    Metric {
        name: REQUESTS_ENDED,
        kind: Kind::Counter,
        labels: &["lane", "priority", "state"],
        help: "Requests that reached a terminal state.",
    },
    Metric {
        name: QUEUE_SECONDS,
        kind: Kind::Histogram,
        labels: &["lane", "priority"],
        help: "Seconds from arrival to the start of a call.",
    },
    Metric {
        name: START_ERROR,
        kind: Kind::Histogram,
        labels: &["lane", "priority", "side"],
        help: "Seconds by which a request that had to wait started later (side late) or earlier (side early) than was \
               expected when it came.",
    },
    Metric {
        name: REQUEST_SECONDS,
        kind: Kind::Histogram,
        labels: &["lane", "priority"],
        help: "Seconds from arrival to the terminal state.",
    },
    Metric {
        name: CALLS,
        kind: Kind::Counter,
        labels: &["lane", "ending"],
        help: "Upstream calls, by how they ended.",
    },
    Metric {
        name: CALL_SECONDS,
        kind: Kind::Histogram,
        labels: &["lane"],
        help: "Seconds of an upstream call, start to end.",
    },
    Metric {
        name: FIRST_OUTPUT_SECONDS,
        kind: Kind::Histogram,
        labels: &["lane"],
        help: "Seconds from a call's start to its first generated content.",
    },
    Metric {
        name: THROTTLES,
        kind: Kind::Counter,
        labels: &["lane", "cause"],
        help: "Upstream refusals for quota or capacity, by cause.",
    },
    Metric {
        name: TOKENS,
        kind: Kind::Counter,
        labels: &["lane", "kind"],
        help: "Tokens of answered calls: input, output, cache_read, cache_write, charged.",
    },
    Metric {
        name: ESTIMATE_ERROR,
        kind: Kind::Histogram,
        labels: &["lane"],
        help: "Error of the estimate of a call's input, |estimated - counted| / counted.",
    },
    Metric {
        name: WAITING,
        kind: Kind::Gauge,
        labels: &["lane", "priority"],
        help: "Requests waiting now.",
    },
    Metric {
        name: OLDEST_SECONDS,
        kind: Kind::Gauge,
        labels: &["lane", "priority"],
        help: "Age of the oldest waiting request.",
    },
    Metric {
        name: RUNNING,
        kind: Kind::Gauge,
        labels: &["lane"],
        help: "Calls under way now.",
    },
    Metric {
        name: QUOTA_USED,
        kind: Kind::Gauge,
        labels: &["lane"],
        help: "Tokens that count against the lane's minute now.",
    },
    Metric {
        name: QUOTA_LIMIT,
        kind: Kind::Gauge,
        labels: &["lane"],
        help: "The lane's tokens per minute.",
    },
    Metric {
        name: QUOTA_OTHERS,
        kind: Kind::Gauge,
        labels: &["lane"],
        help: "The part of the lane's tokens per minute that other clients of the account are taken to use.",
    },
    Metric {
        name: DECISION_SECONDS,
        kind: Kind::Histogram,
        labels: &["lane"],
        help: "Seconds a step of the scheduler takes.",
    },
    Metric {
        name: COMMIT_SECONDS,
        kind: Kind::Histogram,
        labels: &[],
        help: "Seconds of one group commit, fsync included.",
    },
    Metric {
        name: COMMIT_WRITES,
        kind: Kind::Histogram,
        labels: &[],
        help: "Writes in one group commit.",
    },
    Metric {
        name: OUTBOX_PENDING,
        kind: Kind::Gauge,
        labels: &[],
        help: "Terminal states not yet told.",
    },
    Metric {
        name: BREAKER_STATE,
        kind: Kind::Gauge,
        labels: &["lane"],
        help: "The lane's circuit breaker: 0 closed, 1 half-open, 2 open.",
    },
    Metric {
        name: BREAKER_OPENED,
        kind: Kind::Counter,
        labels: &["lane"],
        help: "How often the lane's circuit breaker has opened.",
    },
    Metric {
        name: SENT_ON,
        kind: Kind::Counter,
        labels: &["lane"],
        help: "Requests sent on in their chain of fallbacks without a call.",
    },
    Metric {
        name: SHED,
        kind: Kind::Counter,
        labels: &["lane"],
        help: "Waiting requests that made room for others of a higher priority.",
    },
    Metric {
        name: DEGRADED,
        kind: Kind::Counter,
        labels: &["lane"],
        help: "Requests answered with the configured text instead of a model's answer.",
    },
    Metric {
        name: RETRIES_PUT_OFF,
        kind: Kind::Counter,
        labels: &["lane"],
        help: "How often a retry was put off because the lane had no budget for it.",
    },
    Metric {
        name: DEAD_LETTERS,
        kind: Kind::Counter,
        labels: &["lane"],
        help: "Jobs that became dead letters.",
    },
    Metric {
        name: DEAD_LETTERS_NOW,
        kind: Kind::Gauge,
        labels: &["lane"],
        help: "Dead letters standing now, in wait for an operator. On AWS the newest 2,000 are counted, of all lanes \
               together: each lane has at least so many.",
    },
    Metric {
        name: REDRIVEN,
        kind: Kind::Counter,
        labels: &["lane"],
        help: "Dead letters that an operator sent on their way again.",
    },
    Metric {
        name: DROPPED,
        kind: Kind::Counter,
        labels: &["lane"],
        help: "Dead letters that an operator dropped.",
    },
    Metric {
        name: LANE_NOT_TOLD,
        kind: Kind::Counter,
        labels: &["lane"],
        help: "Requests that were stored and whose lane could not be told: they are found when what waits is read.",
    },
    Metric {
        name: UNREADABLE,
        kind: Kind::Counter,
        labels: &["lane"],
        help: "Waiting requests whose row could not be read, counted each time they are met.",
    },
    Metric {
        name: PUSHES_DROPPED,
        kind: Kind::Counter,
        labels: &[],
        help: "Ends that were not pushed to a WebSocket connection that did not take them.",
    },
    Metric {
        name: RIGHT_SIZED,
        kind: Kind::Counter,
        labels: &["lane"],
        help: "Answers to calls that were sent with a smaller max_tokens than their callers', whole or cut short.",
    },
    Metric {
        name: RERUNS,
        kind: Kind::Counter,
        labels: &["lane"],
        help: "Answers cut short by it, so that the request was called again with its caller's own.",
    },
];

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn names_are_unique_and_follow_the_convention() {
        let names: BTreeSet<_> = ALL.iter().map(|m| m.name).collect();
        assert_eq!(names.len(), ALL.len());
        for metric in ALL {
            assert!(metric.name.starts_with("smoother_"), "{}", metric.name);
            assert_eq!(
                metric.name.ends_with("_total"),
                metric.kind == Kind::Counter,
                "{}",
                metric.name
            );
        }
    }

    #[test]
    fn a_tenant_is_never_a_label() {
        assert!(ALL.iter().all(|m| !m.labels.contains(&"tenant")));
    }
}
