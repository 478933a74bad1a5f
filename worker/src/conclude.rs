//! What an attempt's outcome means for its call, its request and its lane. Pure.

use crate::attempt::{Answer, Attempt, Progress};
use bytes::Bytes;
use smoother_core::breaker::{CallHealth, health_of};
use smoother_core::config::LaneConfig;
use smoother_core::scheduler::Again;
use smoother_core::verdict::{self, Bill, Situation, Verdict};
use smoother_core::{
    CallEnding, Change, Estimate, HopCause, Millis, ModelError, ModelErrorKind, OnIndeterminate, Outcome,
    Request, Settlement, Timestamp, Usage, fallback,
};

/// What is to be stored, and what the lane is told.
#[derive(Debug)]
pub(crate) struct Conclusion {
    pub(crate) settlement: Settlement,
    /// `None` where somebody else ends the request: it was cancelled.
    pub(crate) change: Option<Change>,
    pub(crate) again: Again,
    pub(crate) health: CallHealth,
    pub(crate) result: Option<Bytes>,
    pub(crate) first_output_at: Option<Timestamp>,
}

/// A call that was claimed, when and how far it has come.
pub(crate) struct Settle<'a> {
    pub(crate) row: &'a Request,
    pub(crate) lane: &'a LaneConfig,
    pub(crate) progress: &'a Progress,
    pub(crate) now: Timestamp,
    /// Drawn evenly from all of `u64`.
    pub(crate) random: u64,
}

impl Settle<'_> {
    /// Judges an attempt.
    pub(crate) fn conclude(&self, attempt: Attempt) -> Conclusion {
        match attempt {
            Attempt::Answered(answer) => self.answered(answer),
            Attempt::Failed {
                error,
                usage,
                accepted,
            } => {
                let situation = Situation {
                    retry_after: error.retry_after_ms.map(Millis::new),
                    ..self.situation()
                };
                self.failed(&error, usage, accepted, &situation)
            }
            Attempt::Aborted { usage } => self.stopped(usage, None),
            Attempt::Expired { usage } => self.stopped(usage, Some(Change::Expire { at: self.now })),
        }
    }

    /// Judges a call whose runner broke off: whatever it had got is gone.
    pub(crate) fn broken_off(&self) -> Conclusion {
        let (call, sent) = (self.row.call, self.progress.sent());
        let (policy, ending) = if sent {
            (self.row.on_indeterminate, CallEnding::Indeterminate)
        } else {
            (OnIndeterminate::Retry, CallEnding::Aborted)
        };
        let (change, again) = match verdict::lost(policy, &self.situation()) {
            Ok(not_before) => {
                let requeue = Change::Requeue {
                    call,
                    not_before,
                    throttle: None,
                    error: None,
                    spends_try: true,
                };
                (requeue, Again::Retry(not_before))
            }
            Err(why) => {
                let fail = Change::Fail {
                    call: Some(call),
                    failure: why.failure(sent),
                    at: self.now,
                };
                (fail, Again::No)
            }
        };
        Conclusion {
            settlement: self.settlement(ending, None, None, sent, None),
            change: Some(change),
            again,
            health: CallHealth::Unknown,
            result: None,
            first_output_at: None,
        }
    }

    fn situation(&self) -> Situation {
        Situation {
            started_output: self.progress.shown(),
            ..Situation::of(self.row, self.lane.max_tries, self.now, self.random)
        }
    }

    fn answered(&self, answer: Answer) -> Conclusion {
        let Answer {
            head,
            body,
            usage,
            first_output_at,
            cut_short,
        } = answer;
        let upstream = head.upstream_request_id().map(str::to_owned);
        let situation = Situation {
            cut_short,
            ..self.situation()
        };
        if verdict::judge(None, &situation) == Verdict::Rerun
            && let Some(own) = self.row.rerun_estimate()
        {
            return self.rerun(own, usage, upstream);
        }
        let outcome = Outcome::Answer {
            head,
            usage,
            bytes: body.len() as u64,
        };
        let complete = Change::Complete {
            call: self.row.call,
            answer: outcome,
            first_output_at,
            at: self.now,
        };
        Conclusion {
            settlement: self.settlement(CallEnding::Completed, None, usage, true, upstream),
            change: Some(complete),
            again: Again::No,
            health: self.health(None, false),
            result: Some(body),
            first_output_at,
        }
    }

    /// The answer is dropped; the next call costs what its caller allows.
    fn rerun(&self, own: Estimate, usage: Option<Usage>, upstream: Option<String>) -> Conclusion {
        let burndown = self.lane.output_burndown;
        Conclusion {
            settlement: self.settlement(CallEnding::Completed, None, usage, true, upstream),
            change: Some(Change::Rerun { call: self.row.call }),
            again: Again::Resized {
                reserve: own.reserve(burndown),
                expected: own.settled(burndown),
                surplus: own.surplus(burndown),
            },
            health: self.health(None, false),
            result: None,
            first_output_at: None,
        }
    }

    fn failed(
        &self,
        error: &ModelError,
        usage: Option<Usage>,
        accepted: bool,
        situation: &Situation,
    ) -> Conclusion {
        let call = self.row.call;
        let requeue = |not_before, spends_try| Change::Requeue {
            call,
            not_before,
            throttle: verdict::throttle_of(error.kind),
            error: Some(error.kind),
            spends_try,
        };
        let on = || fallback::next_step(self.row, Some(call), HopCause::Error(error.kind), self.now);
        let fail = || Change::Fail {
            call: Some(call),
            failure: verdict::failure_of(error, situation.started_output),
            at: self.now,
        };
        let ((change, result), again) = match verdict::judge(Some(error.kind), situation) {
            Verdict::Retry { at } => ((requeue(at, true), None), Again::Retry(at)),
            Verdict::Snooze { until } | Verdict::Park { until } => {
                ((requeue(until, false), None), Again::NotBefore(until))
            }
            Verdict::Fallback => (on().unwrap_or_else(|| (fail(), None)), Again::No),
            // An error is never Done.
            Verdict::Done | Verdict::Rerun | Verdict::Discard => ((fail(), None), Again::No),
        };
        let upstream = error
            .headers
            .iter()
            .find(|(name, _)| name == "x-amzn-requestid")
            .map(|(_, value)| value.clone());
        let ending = verdict::ending_of(Some(error.kind));
        Conclusion {
            settlement: self.settlement(ending, Some(error.kind), usage, accepted, upstream),
            change: Some(change),
            again,
            health: self.health(Some(error.kind), false),
            result,
            first_output_at: None,
        }
    }

    fn stopped(&self, usage: Option<Usage>, change: Option<Change>) -> Conclusion {
        Conclusion {
            settlement: self.settlement(CallEnding::Aborted, None, usage, true, None),
            change,
            again: Again::No,
            health: self.health(None, true),
            result: None,
            first_output_at: None,
        }
    }

    fn health(&self, met: Option<ModelErrorKind>, called_off: bool) -> CallHealth {
        if !self.progress.sent() {
            return CallHealth::Unknown;
        }
        let took = self.now.since(self.row.started_at.unwrap_or(self.now));
        health_of(met, called_off, took, self.lane.breaker.slow_call)
    }

    fn settlement(
        &self,
        ending: CallEnding,
        error: Option<ModelErrorKind>,
        usage: Option<Usage>,
        accepted: bool,
        upstream_request_id: Option<String>,
    ) -> Settlement {
        let (reserved, burndown) = (self.row.reserved, self.lane.output_burndown);
        Settlement {
            call: self.row.call,
            ending,
            charged: Bill {
                ending,
                error,
                sent: self.progress.sent(),
                accepted,
                reserved,
                usage,
                burndown,
            }
            .charge(),
            usage,
            throttle: error.and_then(verdict::throttle_of),
            error,
            upstream_request_id,
            at: self.now,
        }
    }
}
