//! `smoother result`: the model's answer, byte for byte, or its text alone.

use super::submit::answer;
use super::terminal::Terminal;
use super::{CommandError, Context, Exit};
use crate::cli::ResultArgs;
use crate::client::{Answer, ResultAnswer};
use smoother_core::RequestId;
use std::io::Write;
use std::path::Path;
use std::time::Duration;

/// How long one question is held by the server.
const POLL: Duration = Duration::from_secs(30);

pub async fn run(args: ResultArgs, context: &Context, terminal: &mut Terminal) -> Result<Exit, CommandError> {
    let result = if args.wait {
        context.farewell.set(format!(
            "job {} goes on; smoother result {} asks again",
            args.id, args.id
        ));
        wait(args.id, context).await?
    } else {
        match context.client.result(args.id, Duration::ZERO).await? {
            ResultAnswer::Ready(answer) => answer,
            ResultAnswer::None(problem) => return Err(CommandError::NoAnswer(problem)),
            ResultAnswer::NotYet(job) => {
                return Err(CommandError::NotYet(format!(
                    "the job is {}; smoother result --wait {} waits for its end",
                    job.status, args.id
                )));
            }
        }
    };
    let bytes = if args.text {
        answer::text_of(&result.body)
            .ok_or_else(|| CommandError::Input("the result holds no text; leave out --text".to_owned()))?
            .into_bytes()
    } else {
        result.body.to_vec()
    };
    put(&bytes, args.output.as_deref(), terminal)?;
    Ok(Exit::Ok)
}

/// The result of a job that will have one, however long that takes.
pub async fn wait(id: RequestId, context: &Context) -> Result<Answer, CommandError> {
    let mut patience = context.patience();
    loop {
        match context.client.result(id, POLL).await {
            Ok(ResultAnswer::Ready(answer)) => return Ok(answer),
            Ok(ResultAnswer::None(problem)) => return Err(CommandError::NoAnswer(problem)),
            Ok(ResultAnswer::NotYet(_)) => patience.relieved(),
            Err(error) => patience.bear(error).await?,
        }
    }
}

/// Writes an answer to a file as it is, or to the terminal with a newline at its end.
pub fn put(bytes: &[u8], file: Option<&Path>, terminal: &mut Terminal) -> Result<(), CommandError> {
    if let Some(path) = file {
        return std::fs::write(path, bytes)
            .map_err(|e| CommandError::file(format!("{} cannot be written", path.display()), e));
    }
    terminal.out.write_all(bytes)?;
    if terminal.out_is_live && !bytes.ends_with(b"\n") {
        terminal.out.write_all(b"\n")?;
    }
    Ok(())
}
