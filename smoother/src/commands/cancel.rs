//! `smoother cancel`: calls a job off.

use super::status::raw_line;
use super::terminal::{Terminal, state};
use super::{CommandError, Context, Exit};
use crate::cli::JobArgs;
use std::io::Write;

pub async fn run(args: JobArgs, context: &Context, terminal: &mut Terminal) -> Result<Exit, CommandError> {
    let (job, json) = context.client.cancel(args.id).await?;
    if context.json {
        raw_line(&mut terminal.out, &json)?;
    } else {
        writeln!(terminal.out, "{} {}", args.id, state(&job.status))?;
        if job.status != "CANCELLED" {
            writeln!(terminal.err, "the job had ended before; an end is never changed")?;
        }
    }
    Ok(Exit::Ok)
}
