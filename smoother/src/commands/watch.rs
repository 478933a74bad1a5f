//! `smoother watch`: a job's changes as they happen, to its end.

use super::status::{place, raw_line, times};
use super::terminal::{FAINT, Terminal, state};
use super::{CommandError, Context, Exit};
use crate::cli::JobArgs;
use crate::client::Job;
use smoother_core::RequestId;
use std::io::{self, Write};
use std::time::Duration;

/// How long one question is held by the server.
const POLL: Duration = Duration::from_secs(30);

pub async fn run(args: JobArgs, context: &Context, terminal: &mut Terminal) -> Result<Exit, CommandError> {
    let mut patience = context.patience();
    context.farewell.set(format!(
        "job {} goes on; smoother watch {} follows it",
        args.id, args.id
    ));
    let mut seen: Option<Job> = None;
    loop {
        let wait = if seen.is_some() { POLL } else { Duration::ZERO };
        let rev = seen.as_ref().map(|job| job.rev);
        let (job, json) = match context.client.job(args.id, wait, rev).await {
            Ok(answer) => answer,
            Err(error) if seen.is_some() => {
                patience.bear(error).await?;
                continue;
            }
            Err(error) => return Err(error.into()),
        };
        patience.relieved();
        if seen.as_ref().is_none_or(|old| old.rev != job.rev) {
            if context.json {
                raw_line(&mut terminal.out, &json)?;
            } else {
                change(&mut terminal.out, &job)?;
            }
            terminal.out.flush()?;
        }
        if job.has_ended() {
            return finish(args.id, &job, context, terminal);
        }
        seen = Some(job);
    }
}

/// One line about where the job stands now.
fn change(out: &mut dyn Write, job: &Job) -> io::Result<()> {
    write!(out, "{}", state(&job.status))?;
    if job.has_ended() {
        write!(out, "  {}", times(job))?;
    } else if let Some(place) = place(job.estimated_position, job.estimated_start.as_deref()) {
        write!(out, "  {place}")?;
    } else if job.calls_made > 0 {
        write!(out, "  call {}", job.calls_made)?;
    }
    if let Some(error) = job.last_error.as_deref().filter(|_| !job.has_ended()) {
        write!(out, "  {FAINT}after {error}{FAINT:#}")?;
    }
    writeln!(out)
}

fn finish(
    id: RequestId,
    job: &Job,
    context: &Context,
    terminal: &mut Terminal,
) -> Result<Exit, CommandError> {
    if job.is_completed() {
        if !context.json {
            writeln!(
                terminal.err,
                "{FAINT}smoother result {id} prints the answer{FAINT:#}"
            )?;
        }
        return Ok(Exit::Ok);
    }
    Err(CommandError::Ended(match &job.error {
        Some(error) => format!("{}: {}", error.exception, error.message),
        None => format!("the job is {}", job.status),
    }))
}
