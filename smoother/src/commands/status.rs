//! `smoother status`: where a job stands.

use super::figures::{grouped, span};
use super::terminal::{BAD, FAINT, Terminal, painted, state};
use super::{CommandError, Context, Exit};
use crate::cli::JobArgs;
use crate::client::Job;
use std::io::{self, Write};
use std::time::Duration;

pub async fn run(args: JobArgs, context: &Context, terminal: &mut Terminal) -> Result<Exit, CommandError> {
    let (job, json) = context.client.job(args.id, Duration::ZERO, None).await?;
    if context.json {
        raw_line(&mut terminal.out, &json)?;
    } else {
        describe(&mut terminal.out, &job)?;
    }
    Ok(Exit::Ok)
}

/// The server's JSON, as one line.
pub fn raw_line(out: &mut dyn Write, json: &[u8]) -> io::Result<()> {
    out.write_all(json.trim_ascii())?;
    out.write_all(b"\n")
}

pub fn describe(out: &mut dyn Write, job: &Job) -> io::Result<()> {
    let mut line = |name: &str, value: &str| writeln!(out, "{FAINT}{name:<10}{FAINT:#}{value}");
    line("job", &job.id)?;
    line("status", &state(&job.status))?;
    line("request", &format!("{} to {}", job.operation, job.model))?;
    line(
        "queue",
        &format!("lane {}, {}, tenant {}", job.lane, job.priority, job.tenant),
    )?;
    line("created", &job.created_at)?;
    if let Some(deadline) = &job.deadline {
        line("deadline", deadline)?;
    }
    if let Some(place) = place(job.estimated_position, job.estimated_start.as_deref()) {
        line("place", &place)?;
    }
    line("time", &times(job))?;
    if let Some(usage) = &job.usage {
        let charged = job.charged_tokens.unwrap_or_default();
        line(
            "tokens",
            &format!(
                "{} in, {} out, {} of the quota",
                grouped(usage.input_tokens + usage.cache_read_tokens + usage.cache_write_tokens),
                grouped(usage.output_tokens),
                grouped(charged)
            ),
        )?;
    }
    if !job.throttles.is_empty() {
        let causes: Vec<String> = job
            .throttles
            .iter()
            .map(|(cause, n)| format!("{cause} {n}"))
            .collect();
        line("throttled", &causes.join(", "))?;
    }
    if let Some(error) = &job.error {
        let words = format!("{}: {}", error.exception, error.message);
        line("error", &painted(BAD, &words))?;
    }
    for call in &job.calls {
        let how = call.ending.as_deref().unwrap_or("under way");
        let why = call.throttle.as_deref().or(call.error.as_deref());
        let why = why.map(|why| format!(" ({why})")).unwrap_or_default();
        let upstream = call.upstream_request_id.as_deref().unwrap_or("-");
        line(
            &format!("call {}", call.number),
            &format!(
                "{} {how}{why}, {} tokens, upstream id {upstream}",
                call.started_at,
                grouped(call.charged_tokens)
            ),
        )?;
    }
    Ok(())
}

/// Where a waiting job stands, if its lane says so.
pub fn place(position: Option<u64>, start: Option<&str>) -> Option<String> {
    let position = format!("{} in line", position?);
    Some(match start {
        Some(start) => format!("{position}, expected to start {start}"),
        None => position,
    })
}

/// How long its stages took.
pub fn times(job: &Job) -> String {
    let t = &job.timings;
    let mut parts = vec![format!("{} in the queue", span(t.queued_ms))];
    if let Some(ms) = t.running_ms {
        parts.push(format!("{} running", span(ms)));
    }
    if let Some(ms) = t.first_output_ms {
        parts.push(format!("{} to the first output", span(ms)));
    }
    parts.push(format!("{} in all", span(t.total_ms)));
    parts.join(", ")
}
