//! `smoother submit`: a prompt, a request body, or a file of requests.

pub mod answer;
pub mod input;

use super::result::{put, wait};
use super::status::{place, raw_line};
use super::terminal::Terminal;
use super::{CommandError, Context, Exit, batch};
use crate::cli::SubmitArgs;
use crate::client::{Accepted, Client, NewJob};
use bytes::Bytes;
use rand::RngCore;
use serde_json::json;
use serde_json::value::RawValue;
use smoother_core::{Millis, RequestId};
use std::io::Write;
use std::path::{Path, PathBuf};

pub async fn run(
    mut args: SubmitArgs,
    context: &Context,
    terminal: &mut Terminal,
) -> Result<Exit, CommandError> {
    if let Some(file) = args.batch.take().or_else(|| batch_file(args.prompt.as_deref())) {
        if args.max_tokens.is_some() || args.key.is_some() {
            let words = "--max-tokens and --key go with one request; a batch's lines carry their own";
            return Err(CommandError::Usage(words.to_owned()));
        }
        return batch::run(&file, args, context, terminal).await;
    }
    let input = input::read(&args, terminal).await?;
    let model = model(args.model.as_deref(), &context.client).await?;
    // A key of its own lets a submission whose answer was lost be sent again without making a second job.
    let key = args.key.clone().unwrap_or_else(random_key);
    let job = NewJob {
        model: &model,
        operation: input.operation,
        body: &input.body,
        priority: args.priority,
        timeout: args.timeout_ms.map(Millis::new),
        key: &key,
    };
    context.farewell.set(format!(
        "interrupted before the server had answered; the same command with --key {key} finds out whether it has the \
         job, and makes no second one"
    ));
    let (accepted, json) = hand_in(&job, context).await?;
    if args.no_wait {
        if context.json {
            raw_line(&mut terminal.out, &json)?;
        } else {
            writeln!(terminal.out, "{}", accepted.id)?;
        }
        return Ok(Exit::Ok);
    }
    let id = accepted.id;
    context
        .farewell
        .set(format!("job {id} goes on; smoother watch {id} follows it"));
    announce(&accepted, context, terminal)?;
    let result = wait(id, context).await?;
    if context.json {
        let line = envelope(id, context, &result.body).await?;
        put(&line, args.output.as_deref(), terminal)?;
    } else {
        let text = answer::text_of(&result.body).map_or_else(|| result.body.to_vec(), String::into_bytes);
        put(&text, args.output.as_deref(), terminal)?;
    }
    Ok(Exit::Ok)
}

/// A prompt that names a file of requests.
fn batch_file(prompt: Option<&str>) -> Option<PathBuf> {
    let name = prompt?;
    let is_jsonl = Path::new(name)
        .extension()
        .is_some_and(|e| e.eq_ignore_ascii_case("jsonl"));
    (is_jsonl && !name.contains(char::is_whitespace)).then(|| PathBuf::from(name))
}

/// The model named, or the one that goes without saying.
pub async fn model(named: Option<&str>, client: &Client) -> Result<String, CommandError> {
    if let Some(model) = named {
        return Ok(model.to_owned());
    }
    client.default_model().await?.map_err(|known| {
        CommandError::Usage(format!(
            "name one by --model or SMOOTHER_MODEL: the server has several ({})",
            known.join(", ")
        ))
    })
}

async fn hand_in(job: &NewJob<'_>, context: &Context) -> Result<(Accepted, Bytes), CommandError> {
    let mut patience = context.patience();
    let mut first = true;
    loop {
        match context.client.submit(job).await {
            Ok(accepted) => return Ok(accepted),
            // A server that was never there is a mistake to report, not an outage to sit out.
            Err(error) if first && is_unreachable(&error) => return Err(error.into()),
            Err(error) => patience.bear(error).await?,
        }
        first = false;
    }
}

const fn is_unreachable(error: &crate::client::ClientError) -> bool {
    matches!(error, crate::client::ClientError::Unreachable { .. })
}

/// Which job it is and where it stands, before its answer is waited for: whatever happens to this command, the
/// job can be asked for.
fn announce(accepted: &Accepted, context: &Context, terminal: &Terminal) -> Result<(), CommandError> {
    let (id, start) = (accepted.id, accepted.estimated_start.as_deref());
    let place = place(accepted.estimated_position, start)
        .map(|place| format!(", {place}"))
        .unwrap_or_default();
    let json = json!({"job": {"id": id, "status": accepted.status}});
    Ok(context.tell(format!("job {id}{place}"), json, terminal)?)
}

/// `{"job": …, "result": …}`; a result that is no JSON is left out, `smoother result` has it.
async fn envelope(id: RequestId, context: &Context, result: &[u8]) -> Result<Vec<u8>, CommandError> {
    let (_, job) = context.client.job(id, std::time::Duration::ZERO, None).await?;
    let mut line = b"{\"job\":".to_vec();
    line.extend_from_slice(job.trim_ascii());
    if serde_json::from_slice::<&RawValue>(result).is_ok() {
        line.extend_from_slice(b",\"result\":");
        line.extend_from_slice(result.trim_ascii());
    }
    line.extend_from_slice(b"}\n");
    Ok(line)
}

fn random_key() -> String {
    let mut bytes = [0; 16];
    rand::rng().fill_bytes(&mut bytes);
    format!("submit-{:032x}", u128::from_be_bytes(bytes))
}
