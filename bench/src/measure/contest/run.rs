//! One run: a simulator, a target, its clients, and what they and the simulator saw.

use std::time::{Duration, Instant, SystemTime};

use anyhow::Context;
use serde_json::Value;

use super::room::Span;
use super::{Contest, Round};
use crate::bound::{Best, Upstream};
use crate::driver::{Bench, Stand};
use crate::measure::told::Told;
use crate::plan::{Call, Outcome, Pace, Results};
use crate::process::{Processors, Usage};

/// Beyond its calls, what a run may take to be set up and taken down. A run that takes longer has failed, and its
/// processes are ended.
const AROUND: Duration = Duration::from_secs(480);

/// What one run gave.
pub(super) struct Run {
    pub(super) results: Results,
    /// What became of each call, told in the contest's seconds.
    pub(super) fates: Vec<Fate>,
    /// The simulator's statistics.
    pub(super) stats: Value,
    /// Of the target: of its server, or of the clients where they are the target; none of nothing between.
    pub(super) usage: Option<Usage>,
    /// What the target told of itself.
    pub(super) told: Told,
    /// The best that could have been had.
    pub(super) best: Best,
    /// What of the quota other clients leave.
    pub(super) left: f64,
    /// When its calls went in and were answered.
    pub(super) span: Span,
    /// The share of all processors that was busy meanwhile, whoever kept them so; none where that is not told.
    pub(super) processors: Option<f64>,
}

/// What became of a call.
#[derive(Debug, Clone)]
pub(super) struct Fate {
    pub(super) class: String,
    pub(super) tenant: String,
    /// What it costs of the quota.
    pub(super) cost: f64,
    /// How long the model takes for it.
    pub(super) service_s: f64,
    /// What its answer took longer than that; none where it was not answered.
    pub(super) wait_s: Option<f64>,
}

impl Fate {
    /// Of a call that waited so long.
    pub(super) fn new(call: &Call, upstream: &Upstream, scale: f64, wait_s: Option<f64>) -> Self {
        Self {
            class: call.class.clone(),
            tenant: call.tenant.clone(),
            cost: upstream.cost(call),
            service_s: upstream.service_s(call) * scale,
            wait_s: wait_s.map(|wait| wait.max(0.0) * scale),
        }
    }
}

/// Runs one round against one target.
pub(super) async fn run(
    bench: &Bench,
    target: &str,
    contest: &Contest,
    round: &Round,
) -> anyhow::Result<Run> {
    let until = last_due(&round.calls) + contest.patience;
    tokio::time::timeout(until + AROUND, measured(bench, target, contest, round, until))
        .await
        .with_context(|| format!("it was not over {} s after its end", AROUND.as_secs()))?
}

const PHASE: &str = "/quota/window_phase_ms";

/// The simulator's settings for a start now: its fixed window turns with the wall clock's minutes, as such limiters do.
fn by_the_clock(simulator: &Value, now: SystemTime) -> Value {
    let mut settings = simulator.clone();
    if let Some(phase) = settings.pointer_mut(PHASE) {
        *phase = of_minute(now).into();
    }
    settings
}

/// How long until the moment of the minute at which a run begins, where its round says one.
fn until_it_begins(simulator: &Value, now: SystemTime) -> Duration {
    let begins = simulator.pointer(PHASE).and_then(Value::as_u64);
    begins.map_or(Duration::ZERO, |begins| {
        Duration::from_millis((60_000 + begins % 60_000 - of_minute(now)) % 60_000)
    })
}

/// Milliseconds since the minute's turn.
fn of_minute(now: SystemTime) -> u64 {
    let now = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(now.as_millis() % 60_000).unwrap_or_default()
}

async fn measured(
    bench: &Bench,
    target: &str,
    contest: &Contest,
    round: &Round,
    until: Duration,
) -> anyhow::Result<Run> {
    let settings = by_the_clock(&round.simulator, SystemTime::now());
    let stand = Stand::set_up(bench, target, &round.lane, &settings).await?;
    stand.warm_up().await?;
    tokio::time::sleep(until_it_begins(&round.simulator, SystemTime::now())).await;
    let (from, before) = (Instant::now(), Processors::now());
    let results = stand
        .ask(contest.processes, Pace::Open, Some(until), round.calls.clone())
        .await?;
    let (until, after) = (Instant::now(), Processors::now());
    let stats = stand.simulator.json("/stats").await?;
    let told = Told::by(&stand).await?;
    let usage = usage(&stand, &results)?;
    stand.take_down().await?;
    let upstream = Upstream::new(&at_the_start(settings, &round.calls, &stats))?;
    Ok(Run {
        fates: fates(round, &results, &upstream, contest.scale),
        results,
        usage,
        told,
        best: upstream.best(&round.calls),
        left: upstream.left(),
        span: Span { from, until },
        processors: before
            .zip(after)
            .and_then(|(before, after)| after.busy_since(before)),
        stats,
    })
}

fn usage(stand: &Stand<'_>, results: &Results) -> anyhow::Result<Option<Usage>> {
    if let Some(server) = &stand.server {
        return Ok(Some(server.usage()?));
    }
    Ok(stand.has_a_client_of_its_own().then(|| Usage {
        cpu: Duration::from_micros(results.cpu_us),
        peak_bytes: results.peak_bytes,
    }))
}

/// The simulator's settings, with its fixed window where it was when the first call went in: starting a target takes its
/// time.
fn at_the_start(mut settings: Value, calls: &[Call], stats: &Value) -> Value {
    let first = stats
        .pointer("/busy/first_admission_ms")
        .and_then(Value::as_f64)
        .unwrap_or_default();
    let due = calls.first().map_or(0.0, |call| call.at_us as f64 / 1e3);
    if let Some(phase) = settings.pointer_mut(PHASE) {
        let moved = phase.as_f64().unwrap_or_default() + (first - due).max(0.0);
        *phase = (moved % 60_000.0).into();
    }
    settings
}

fn fates(round: &Round, results: &Results, upstream: &Upstream, scale: f64) -> Vec<Fate> {
    let mut waits: Vec<Option<f64>> = vec![None; round.calls.len()];
    let answered = |outcome: &&Outcome| outcome.error.is_none();
    for outcome in results.outcomes.iter().filter(answered) {
        if let (Some(wait), Some(call)) = (waits.get_mut(outcome.number), round.calls.get(outcome.number)) {
            *wait = Some(outcome.latency_us as f64 / 1e6 - upstream.service_s(call));
        }
    }
    let calls = round.calls.iter().zip(waits);
    calls
        .map(|(call, wait)| Fate::new(call, upstream, scale, wait))
        .collect()
}

fn last_due(calls: &[Call]) -> Duration {
    Duration::from_micros(calls.last().map_or(0, |call| call.at_us))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_run_begins_at_its_moment_of_the_minute_and_windows_turn_with_the_clock() {
        let at = |ms: u64| SystemTime::UNIX_EPOCH + Duration::from_millis(1_800_000_000_000 + ms);
        let settings = json!({ "quota": { "limiter": "fixed", "window_phase_ms": 34_774 } });
        let waits = |ms| until_it_begins(&settings, at(ms)).as_millis();
        assert_eq!(waits(0), 34_774);
        assert_eq!(waits(34_774), 0);
        assert_eq!(waits(34_775), 59_999);
        let started = by_the_clock(&settings, at(12_345));
        assert_eq!(
            started.pointer(PHASE),
            Some(&json!(12_345)),
            "after 47,655 ms it turns"
        );
        assert_eq!(until_it_begins(&json!({}), at(5)), Duration::ZERO);
        assert_eq!(by_the_clock(&json!({}), at(5)), json!({}));
    }
}
