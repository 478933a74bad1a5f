//! The verdict table.

use super::backoff::{Backoff, Jitter};
use crate::call::CallEnding;
use crate::model::ModelErrorKind;
use crate::request::{Door, Request};
use crate::throttle::ThrottleCause;
use crate::units::{Millis, Timestamp};

/// What becomes of a request after a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// A whole answer came: COMPLETED.
    Done,
    /// An answer that a max_tokens below the caller's has cut short: back to the head of its tenant, no try spent, to
    /// be called with the caller's own.
    Rerun,
    /// A transient error: back to the queue, a try spent.
    Retry {
        /// Not to be released before.
        at: Timestamp,
    },
    /// Throttled: back to the head of its tenant, no try spent. The lane is told the cause and slows down.
    Snooze {
        /// Not to be released before.
        until: Timestamp,
    },
    /// No further call in this lane would help or is allowed, and the request's chain goes on.
    Fallback,
    /// The day's quota is used up: the whole lane waits, its requests with it, no try spent.
    Park {
        /// When one call may probe whether the day has turned.
        until: Timestamp,
    },
    /// FAILED, as [`super::failure_of`] words it.
    Discard,
}

/// What a kind of error means by itself, before the request's situation is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// Transient.
    Retry(Backoff),
    /// Throttled.
    Snooze(Backoff),
    /// Throttled for the day.
    Park,
    /// Permanent for this model.
    Fallback,
    /// Permanent.
    Discard,
}

/// What the verdict depends on besides the error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Situation {
    /// How the caller waits. A job's readers can be told to begin anew; a caller on Bedrock's wire cannot.
    pub door: Door,
    /// Tries spent before this call.
    pub tries: u32,
    /// The transient error with this number is final; at least 1.
    pub max_tries: u32,
    /// How often the request was throttled before this call, by whatever cause.
    pub throttled: u32,
    /// Whether generated content of this call has gone out to a waiting reader.
    pub started_output: bool,
    /// Whether the call went with a max_tokens below the caller's and its answer was cut short by it.
    pub cut_short: bool,
    /// Whether the request's chain of fallbacks goes on.
    pub has_fallback: bool,
    /// When the request must be completed.
    pub deadline: Option<Timestamp>,
    /// How long Bedrock said to wait (`expectedQueueDelayInMs`).
    pub retry_after: Option<Millis>,
    /// Now.
    pub now: Timestamp,
    /// Drawn evenly from all of `u64`.
    pub random: u64,
}

impl Situation {
    /// The situation of `request` after a call that has shown nothing and was told nothing.
    pub fn of(request: &Request, max_tries: u32, now: Timestamp, random: u64) -> Self {
        Self {
            door: request.door,
            tries: request.tries,
            max_tries,
            throttled: request
                .throttles
                .values()
                .fold(0, |sum, n| sum.saturating_add(*n)),
            started_output: false,
            cut_short: false,
            has_fallback: !request.fallback.is_empty(),
            deadline: request.deadline,
            retry_after: None,
            now,
            random,
        }
    }
}

const fn backoff(base_ms: u64, cap_ms: u64, jitter: Jitter) -> Backoff {
    Backoff::new(Millis::new(base_ms), Millis::new(cap_ms), jitter)
}

/// After a transient error: callers spread out over a doubling span.
pub(super) const TRANSIENT: Backoff = backoff(250, 20_000, Jitter::Full);
/// A model that is being loaded takes a while.
const LOADING: Backoff = backoff(2_000, 60_000, Jitter::Equal);
/// After a quota's 429. Short: the ledger, which learns from it, is what holds the request back.
const QUOTA: Backoff = backoff(250, 10_000, Jitter::Equal);
/// After a capacity error, which no ledger of ours foresees.
const CAPACITY: Backoff = backoff(500, 30_000, Jitter::Equal);

/// Capacity errors that a request with a fallback waits out before it takes that.
const PATIENCE: u32 = 2;

/// How often a parked lane looks whether it may go on.
const PROBE: Millis = Millis::from_secs(60 * 60);
const DAY: Millis = Millis::from_secs(24 * 60 * 60);

/// The table: every kind of error, and what it means by itself.
#[rustfmt::skip]
pub const fn rule(kind: ModelErrorKind) -> Rule {
    use ModelErrorKind as Kind;
    use ThrottleCause as Cause;
    match kind {
        // 429: the quota says when, no try is spent.
        Kind::Throttled(Cause::Tokens)   => Rule::Snooze(QUOTA),
        Kind::Throttled(Cause::Requests) => Rule::Snooze(QUOTA),
        Kind::Throttled(Cause::Day)      => Rule::Park,
        // Capacity is not the request's fault either.
        Kind::Throttled(Cause::Capacity) => Rule::Snooze(CAPACITY),
        Kind::Unavailable                => Rule::Snooze(CAPACITY),
        // Another call may well succeed.
        Kind::NotReady                   => Rule::Retry(LOADING),
        Kind::Internal                   => Rule::Retry(TRANSIENT),
        Kind::ModelTimeout               => Rule::Retry(TRANSIENT),
        Kind::ModelFailed                => Rule::Retry(TRANSIENT),
        Kind::Connect                    => Rule::Retry(TRANSIENT),
        Kind::Cut                        => Rule::Retry(TRANSIENT),
        Kind::Stalled                    => Rule::Retry(TRANSIENT),
        Kind::Malformed                  => Rule::Retry(TRANSIENT),
        // Another model may.
        Kind::AccessDenied               => Rule::Fallback,
        Kind::NotFound                   => Rule::Fallback,
        Kind::Setup                      => Rule::Fallback,
        // Nothing will.
        Kind::Validation                 => Rule::Discard,
    }
}

/// What to do after a call that met `met`; `None` is an answer to its end.
///
/// The situation overrules the table in this order:
/// 1. content has gone out on Bedrock's wire: the caller cannot take it back, so the error is reported;
/// 2. a transient error with no try left, a quota used up for the day, capacity that stays short: the chain goes on
///    if it can, and else a transient error is reported and a refusal waited out;
/// 3. the next attempt would come at or after the deadline: the chain goes on, or the error is reported now rather
///    than the request expired later.
pub fn judge(met: Option<ModelErrorKind>, situation: &Situation) -> Verdict {
    let Some(kind) = met else {
        return if situation.cut_short {
            Verdict::Rerun
        } else {
            Verdict::Done
        };
    };
    if situation.started_output && situation.door == Door::Sync {
        return Verdict::Discard;
    }
    // What no other lane can mend is never sent to one.
    let out = if situation.has_fallback {
        Verdict::Fallback
    } else {
        Verdict::Discard
    };
    let before_deadline = |at, verdict: Verdict| match situation.deadline {
        Some(deadline) if at >= deadline => out,
        _ => verdict,
    };
    match rule(kind) {
        Rule::Retry(_) if situation.tries.saturating_add(1) >= situation.max_tries => out,
        Rule::Retry(backoff) => {
            let at = wait(backoff, situation.tries, situation);
            before_deadline(at, Verdict::Retry { at })
        }
        Rule::Snooze(_) if situation.has_fallback && is_short(kind, situation) => out,
        Rule::Snooze(backoff) => {
            let until = wait(backoff, situation.throttled, situation);
            before_deadline(until, Verdict::Snooze { until })
        }
        Rule::Park if situation.has_fallback => out,
        Rule::Park => {
            let until = next_probe(situation.now);
            before_deadline(until, Verdict::Park { until })
        }
        Rule::Fallback => out,
        Rule::Discard => Verdict::Discard,
    }
}

/// Whether the upstream has lacked capacity for this request often enough. A quota refills; that is waited for.
fn is_short(kind: ModelErrorKind, situation: &Situation) -> bool {
    throttle_of(kind) == Some(ThrottleCause::Capacity) && situation.throttled >= PATIENCE
}

pub(super) fn wait(backoff: Backoff, earlier: u32, situation: &Situation) -> Timestamp {
    let told = situation.retry_after.unwrap_or(Millis::ZERO);
    situation.now + backoff.wait(earlier, situation.random).max(told)
}

/// In an hour, or when the day (UTC) turns if that is sooner.
fn next_probe(now: Timestamp) -> Timestamp {
    let today = now.as_millis() / DAY.get();
    let midnight = Timestamp::from_millis(today.saturating_add(1).saturating_mul(DAY.get()));
    midnight.min(now + PROBE)
}

/// The limit that refused a call, if its error is a refusal for quota or capacity.
pub const fn throttle_of(kind: ModelErrorKind) -> Option<ThrottleCause> {
    match kind {
        ModelErrorKind::Throttled(cause) => Some(cause),
        ModelErrorKind::Unavailable => Some(ThrottleCause::Capacity),
        _ => None,
    }
}

/// How a call that met `met` is recorded; `None` is a whole answer.
pub const fn ending_of(met: Option<ModelErrorKind>) -> CallEnding {
    match met {
        None => CallEnding::Completed,
        Some(kind) if throttle_of(kind).is_some() => CallEnding::Throttled,
        Some(_) => CallEnding::Failed,
    }
}

#[cfg(test)]
mod tests;
