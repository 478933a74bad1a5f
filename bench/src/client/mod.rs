//! A client process: one plan, run on one thread.

mod closed;
mod open;

use std::io::{BufRead, Write};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Context;
use bytes::Bytes;
use http::Method;
use tokio::time::Instant;

use crate::plan::{Call, Outcome, Pace, Plan};
use crate::process::Usage;
use crate::wire::{Answer, Connection};

/// Speaks the protocol of [`crate::plan`] on stdin and stdout.
///
/// # Errors
/// The plan cannot be read or the results cannot be written; a call that fails is an outcome, not an error.
pub fn run() -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let mut input = std::io::stdin().lock();
    let mut output = std::io::stdout().lock();
    let mut line = String::new();
    writeln!(output, "ready")?;
    output.flush()?;
    input.read_line(&mut line)?;
    let plan: Plan = serde_json::from_str(&line).context("the plan is not readable")?;
    let prepared: Vec<Prepared> = plan.calls.into_iter().map(Prepared::from).collect();
    writeln!(output, "ready")?;
    output.flush()?;
    line.clear();
    input.read_line(&mut line)?;
    let mut results = match plan.pace {
        Pace::Open => runtime.block_on(open::run(&plan.url, prepared, plan.until_us)),
        Pace::Closed {
            connections,
            warmup,
            count,
        } => runtime.block_on(closed::run(&plan.url, prepared, connections, warmup, count))?,
    };
    let usage = Usage::of(std::process::id())?;
    results.cpu_us = u64::try_from(usage.cpu.as_micros()).unwrap_or(u64::MAX);
    results.peak_bytes = usage.peak_bytes;
    serde_json::to_writer(&mut output, &results)?;
    writeln!(output)?;
    output.flush()?;
    Ok(())
}

/// A call whose body is ready to be sent.
#[derive(Debug)]
struct Prepared {
    call: Call,
    body: Bytes,
}

impl From<Call> for Prepared {
    fn from(mut call: Call) -> Self {
        let body = Bytes::from(std::mem::take(&mut call.body));
        Self { call, body }
    }
}

impl Prepared {
    async fn send(&self, connection: &mut Connection) -> anyhow::Result<Answer> {
        connection
            .send(
                Method::POST,
                &self.call.path,
                &self.call.headers,
                self.body.clone(),
            )
            .await
    }

    /// What became of the call that was due at `due`.
    fn outcome(&self, due: Instant, answer: anyhow::Result<Answer>) -> Outcome {
        let outcome = Outcome {
            number: self.call.number,
            class: self.call.class.clone(),
            due_us: self.call.at_us,
            latency_us: micros(due),
            ..Outcome::default()
        };
        match answer {
            Ok(answer) => Outcome {
                status: answer.status,
                queue_ms: answer.number("x-smoother-queue-ms"),
                degraded: answer.headers.contains_key("x-smoother-degraded"),
                error: (!(200..300).contains(&answer.status))
                    .then(|| String::from_utf8_lossy(&answer.body).chars().take(200).collect()),
                upstream_us: answer.number(ARRIVAL).map(|at| since_due(due, at)),
                events_us: answer
                    .events
                    .iter()
                    .map(|at| u64::try_from((*at - due).as_micros()).unwrap_or(u64::MAX))
                    .collect(),
                ..outcome
            },
            Err(error) => Outcome {
                error: Some(format!("{error:#}")),
                ..outcome
            },
        }
    }
}

/// The simulator's stamp of a stream (`stamp_arrival` of its settings).
const ARRIVAL: &str = "x-amzn-bedrock-sim-arrival-us";

/// A moment in microseconds since the epoch, as microseconds after `due`; both processes read one machine's clock.
fn since_due(due: Instant, at_us: u64) -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let ago = i128::try_from(now.as_micros()).unwrap_or(0) - i128::from(at_us);
    let since = i128::try_from(due.elapsed().as_micros()).unwrap_or(0);
    i64::try_from(since - ago).unwrap_or(i64::MAX)
}

fn micros(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_micros()).unwrap_or(u64::MAX)
}
