//! All that changes while calls run, behind one lock held for a few microseconds at a time: quotas,
//! statistics, call log, settings. One call enters by [`State::open`] and leaves by [`State::close`].

use std::collections::HashMap;
use std::sync::Arc;

use crate::calls::{CallLog, CallRecord, Outcome, RecordNumber};
use crate::clock::Micros;
use crate::error::{Failure, SimError};
use crate::fault::Fault;
use crate::models::Models;
use crate::quota::cost::Usage;
use crate::quota::{Admission, Quota, Refusal};
use crate::request::{Plan, quota_name};
use crate::script::{Effect, Running, Script, Slot, Slow};
use crate::settings::Settings;
use crate::stats::{End, Stats, StatsReport};

/// Ids of marks whose faults are counted (`times`); beyond this many counting starts afresh.
const MAX_COUNTED_IDS: usize = 100_000;

#[derive(Debug)]
pub(crate) struct State {
    settings: Arc<Settings>,
    models: Models,
    stats: Stats,
    log: CallLog,
    /// Calls that reached the fault plan: its counter.
    arrivals: u64,
    struck: HashMap<String, u32>,
    script: Slot,
}

/// Who calls, for the log.
#[derive(Debug)]
pub(crate) struct Caller {
    pub(crate) request_id: String,
    pub(crate) operation: &'static str,
    pub(crate) model: String,
    pub(crate) region: String,
    pub(crate) invocation_id: Option<String>,
    pub(crate) sdk_request: Option<String>,
    pub(crate) arrival: Micros,
}

/// An admitted call. [`State::close`] takes it back.
#[derive(Debug)]
pub(crate) struct OpenCall {
    model: String,
    place: usize,
    priority: Option<String>,
    admission: Admission,
    record: Option<RecordNumber>,
    burndown: u32,
    /// What goes wrong with it later.
    pub(crate) fault: Option<Fault>,
    /// How much slower than usual it is.
    pub(crate) slow: Slow,
}

impl State {
    /// The state of a simulator that starts now.
    pub(crate) fn new(settings: Settings, script: Option<Script>, call_log: usize) -> Self {
        Self {
            settings: Arc::new(settings),
            models: Models::default(),
            stats: Stats::default(),
            log: CallLog::new(call_log),
            arrivals: 0,
            struck: HashMap::new(),
            script: Slot::new(script),
        }
    }

    pub(crate) fn settings(&self) -> Arc<Settings> {
        Arc::clone(&self.settings)
    }

    /// Replaces the settings; calls in flight and what quotas have counted stay.
    pub(crate) fn configure(&mut self, now: Micros, settings: Settings) {
        self.models.configure(now, &settings);
        self.settings = Arc::new(settings);
    }

    /// The script in place.
    pub(crate) fn script(&self) -> Option<&Running> {
        self.script.running()
    }

    /// Puts a script in place of the one before, or takes that away.
    pub(crate) fn set_script(&mut self, now: Micros, script: Option<Script>) {
        self.script.put(now, script);
    }

    /// Counts a call that could not be read.
    pub(crate) fn invalid(&mut self, caller: &Caller, error: &SimError) {
        self.stats.count(None, |counts| {
            counts.calls += 1;
            counts.invalid += 1;
        });
        self.log.add(|| CallRecord {
            outcome: Outcome::Invalid,
            end_ms: Some(caller.arrival.millis()),
            error: Some(describe(error)),
            ..record(caller, None)
        });
    }

    /// Admits a call, or answers why not.
    pub(crate) fn open(&mut self, now: Micros, caller: &Caller, plan: &Plan) -> Result<OpenCall, SimError> {
        let name = quota_name(&caller.model);
        let priority = plan.mark.priority.as_deref();
        let effect = self.script.meet(now, &caller.region, name);
        let (fault, mut span) = self.fault(now, plan, &effect);
        let settings = Arc::clone(&self.settings);
        let model = self.models.of(name);
        let place = model.place(&caller.region, || {
            Quota::new(
                now,
                &settings.quota_of(&caller.region, name),
                settings.external_load,
            )
        });
        if let Some(fault) = fault {
            let fault = fault.to_string();
            self.stats.count(priority, |counts| counts.strike(&fault));
            model.count(place, |tally| tally.counts.strike(&fault));
        }
        if let Some(Fault::Refuse(failure)) = fault {
            self.stats.count(priority, |counts| counts.calls += 1);
            model.count(place, |tally| tally.counts.calls += 1);
            return Err(self.refuse(caller, plan, (fault, span), failure));
        }
        let reservation = plan.usage.reservation(plan.max_tokens);
        let quota = model.quota(place);
        let capacity = effect.capacity.map(|(_, capacity)| capacity);
        let admission = match quota.admit_within(now, reservation, capacity) {
            Ok(admission) => admission,
            Err(refusal) => {
                if refusal == Refusal::Concurrency {
                    span = self.script.refused(&effect, quota.in_flight());
                }
                model.count(place, |tally| tally.counts.throttle(refusal));
                self.stats.count(priority, |counts| counts.throttle(refusal));
                return Err(self.refuse(caller, plan, (fault, span), Failure::Refused(refusal)));
            }
        };
        model.count(place, |tally| tally.accept(now, reservation));
        self.stats.accept(now, priority, reservation);
        let record = self.log.add(|| CallRecord {
            reserved: reservation,
            fault: fault.map(|fault| fault.to_string()),
            span,
            slow: (effect.slow != Slow::NOT).then_some(effect.slow),
            ..record(caller, Some(plan))
        });
        Ok(OpenCall {
            model: name.to_owned(),
            place,
            priority: plan.mark.priority.clone(),
            admission,
            record,
            burndown: settings.burndown_of(name),
            fault,
            slow: effect.slow,
        })
    }

    /// Settles a call with what it used.
    pub(crate) fn close(
        &mut self,
        now: Micros,
        call: OpenCall,
        end: End,
        usage: Usage,
        error: Option<&SimError>,
    ) {
        let charged = usage.settlement(call.burndown);
        if let Some(model) = self.models.called(&call.model) {
            model.quota(call.place).settle(now, call.admission, charged);
            model.count(call.place, |tally| tally.settle(now, end, usage, charged));
        }
        self.stats
            .settle(now, call.priority.as_deref(), end, usage, charged);
        self.log.change(call.record, |record| {
            record.end_ms = Some(now.millis());
            record.charged = charged;
            record.output_tokens = usage.output;
            record.error = error.map(describe);
            record.outcome = match end {
                End::Answered => Outcome::Answered,
                End::Failed => Outcome::Failed,
                End::Cut => Outcome::Cut,
                End::Aborted => Outcome::Aborted,
            };
        });
    }

    /// Logs a call that charges nothing, and makes its error.
    fn refuse(
        &mut self,
        caller: &Caller,
        plan: &Plan,
        (fault, span): (Option<Fault>, Option<String>),
        failure: Failure,
    ) -> SimError {
        let error = failure.error();
        self.log.add(|| CallRecord {
            outcome: Outcome::Refused,
            end_ms: Some(caller.arrival.millis()),
            error: Some(describe(&error)),
            fault: fault.map(|fault| fault.to_string()),
            span,
            ..record(caller, Some(plan))
        });
        error
    }

    /// The fault that strikes this call: its mark's, or the script's, then with the span's name, or that of the
    /// settings.
    fn fault(&mut self, now: Micros, plan: &Plan, effect: &Effect) -> (Option<Fault>, Option<String>) {
        let number = self.arrivals;
        self.arrivals += 1;
        let mark = &plan.mark;
        let marked = mark.fault.filter(|_| match (&mark.id, mark.times) {
            (Some(id), Some(times)) => self.strikes_again(id, times),
            _ => true,
        });
        if marked.is_some() {
            return (marked, None);
        }
        match self.script.struck(effect) {
            Some((fault, span)) => (Some(fault), Some(span)),
            None => (self.settings.faults.strike(number, now), None),
        }
    }

    fn strikes_again(&mut self, id: &str, times: u32) -> bool {
        if self.struck.len() >= MAX_COUNTED_IDS {
            self.struck.clear();
        }
        let struck = self.struck.entry(id.to_owned()).or_default();
        let strikes = *struck < times;
        *struck = struck.saturating_add(u32::from(strikes));
        strikes
    }

    pub(crate) fn calls(&self, id: Option<&str>) -> Vec<CallRecord> {
        self.log.list(id)
    }

    /// Sets statistics and call log to nothing; quotas keep what they have counted.
    pub(crate) fn reset(&mut self) {
        self.stats.reset();
        self.log.clear();
        self.models.reset();
        self.script.reset();
    }

    pub(crate) fn report(&self, now: Micros) -> StatsReport {
        let total = &self.stats.total;
        let seen = self.models.report(&self.settings);
        let by_priority = self.stats.by_priority.iter();
        StatsReport {
            uptime_ms: now.millis(),
            total: total.counts.clone(),
            busy: total.busy.report(),
            utilisation: seen.limits.utilisation(total),
            by_priority: by_priority
                .map(|(name, tally)| (name.clone(), tally.counts.clone()))
                .collect(),
            spans: self.script.report(),
            models: seen.models,
            regions: seen.regions,
        }
    }
}

fn describe(error: &SimError) -> String {
    format!("{}: {}", error.kind.name(), error.message)
}

fn record(caller: &Caller, plan: Option<&Plan>) -> CallRecord {
    CallRecord {
        request_id: caller.request_id.clone(),
        operation: caller.operation.to_owned(),
        model: caller.model.clone(),
        region: caller.region.clone(),
        id: plan.and_then(|plan| plan.mark.id.clone()),
        priority: plan.and_then(|plan| plan.mark.priority.clone()),
        invocation_id: caller.invocation_id.clone(),
        sdk_request: caller.sdk_request.clone(),
        arrival_ms: caller.arrival.millis(),
        end_ms: None,
        outcome: Outcome::Open,
        error: None,
        fault: None,
        span: None,
        slow: None,
        max_tokens: plan.map_or(0, |plan| plan.max_tokens),
        reserved: 0,
        charged: 0,
        output_tokens: 0,
    }
}
