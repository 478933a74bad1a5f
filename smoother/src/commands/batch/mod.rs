//! `smoother submit FILE.jsonl`: Bedrock's batch form through the queue.
//!
//! The form is that of Amazon Bedrock's batch inference: one `{"recordId", "modelInput"}` a line in, one
//! `{"recordId", "modelInput", "modelOutput"}` or `…, "error"}` a line out, in the order of completion
//! (docs.aws.amazon.com/bedrock/latest/userguide/batch-inference-results.html).
//!
//! ```text
//! file ─▶ reader thread ─▶ up to `--outstanding` lines: submit, wait ─▶ FILE.part ─▶ fsync, rename
//! ```
//! Each line goes under an idempotency key made of the file's name, the line's number and its content. So a run
//! that was interrupted is simply started again: the server knows the lines it has, and answers them at once. It
//! knows them until their retention ends; a line whose job is gone by then would be sent, and paid for, once more.

mod ids;
mod line;
mod output;
mod progress;
mod send;
mod source;

use super::submit::model;
use super::terminal::Terminal;
use super::{CommandError, Context, Exit};
use crate::cli::SubmitArgs;
use crate::client::Patience;
use futures_util::stream::{FuturesUnordered, StreamExt};
use ids::RecordIds;
use line::Record;
use output::Output;
use progress::{Progress, Tally};
use send::{Outcome, Sender};
use smoother_core::{Millis, Operation, Priority};
use source::Source;
use std::io::Write;
use std::path::Path;
use std::time::Duration;

/// A batch is left alone for hours, so it waits for a server that is stopped and started again: one that drains
/// takes nothing for up to two minutes.
const PATIENCE: Duration = Duration::from_secs(180);

pub async fn run(
    file: &Path,
    args: SubmitArgs,
    context: &Context,
    terminal: &mut Terminal,
) -> Result<Exit, CommandError> {
    whole_answers(args.operation)?;
    let mut source = Source::open(file, terminal)?;
    let progress = Progress::new(source.lines, terminal.err_is_live);
    let sender = Sender {
        client: &context.client,
        model: model(args.model.as_deref(), &context.client).await?,
        operation: args.operation,
        priority: args.priority.unwrap_or(Priority::Batch),
        timeout: args.timeout_ms.map(Millis::new),
        wait: !args.no_wait,
        file: source.name.clone(),
        run: args.run,
        patience: if terminal.err_is_live {
            Patience::new(context.patience.unwrap_or(PATIENCE), progress.teller())
        } else {
            context.patience_or(PATIENCE)
        },
    };
    let mut output = Output::open(args.output.as_deref(), file)?;
    context.farewell.set(format!(
        "interrupted; what was sent goes on. The same command again goes on from here{}",
        output
            .part()
            .map(|part| format!(", {} holds the answers so far", part.display()))
            .unwrap_or_default()
    ));
    let tally = drive(
        &mut source,
        &sender,
        args.outstanding,
        &mut output,
        &progress,
        terminal,
    )
    .await;
    progress.finish();
    let tally = tally?;
    output.finish(terminal)?;
    summary(&tally, args.output.as_deref(), context.json, terminal)?;
    Ok(if tally.errors() > 0 {
        Exit::NoAnswer
    } else {
        Exit::Ok
    })
}

/// A line of the output holds one JSON answer. Told before anything is sent and paid for.
fn whole_answers(operation: Option<Operation>) -> Result<(), CommandError> {
    match operation.filter(|operation| operation.streams()) {
        None => Ok(()),
        Some(streams) => Err(CommandError::Usage(format!(
            "--operation {} answers in a stream, which no line of a batch can hold; give converse or invoke",
            streams.as_str()
        ))),
    }
}

/// Keeps `outstanding` lines under way until the last has been written.
async fn drive(
    source: &mut Source,
    sender: &Sender<'_>,
    outstanding: u16,
    output: &mut Output,
    progress: &Progress,
    terminal: &mut Terminal,
) -> Result<Tally, CommandError> {
    let mut tally = Tally::new();
    let mut ids = RecordIds::default();
    let mut under_way = FuturesUnordered::new();
    let mut more = true;
    while more || !under_way.is_empty() {
        tokio::select! {
            line = source.next(), if more && under_way.len() < usize::from(outstanding) => match line {
                None => more = false,
                Some(Err(error)) => return Err(CommandError::file(format!("{} cannot be read", source.name), error)),
                Some(Ok(line)) => under_way.push(one(ids.claim(line::parse(&line)), sender)),
            },
            Some(done) = under_way.next(), if !under_way.is_empty() => {
                let (record, outcome) = done?;
                tally.count(&outcome);
                output.write(&line::render(&record, &outcome), terminal)?;
                progress.show(&tally, under_way.len());
            },
        }
    }
    Ok(tally)
}

/// One line to its outcome. Only a server that stays away is an error here: everything else belongs to the line.
async fn one(
    line: Result<Record, (Record, String)>,
    sender: &Sender<'_>,
) -> Result<(Record, Outcome), CommandError> {
    match line {
        Ok(record) => {
            let outcome = sender.send(&record).await?;
            Ok((record, outcome))
        }
        Err((record, words)) => Ok((record, Outcome::Invalid(words))),
    }
}

fn summary(
    tally: &Tally,
    output: Option<&Path>,
    json: bool,
    terminal: &mut Terminal,
) -> Result<(), CommandError> {
    if json {
        // With the answers on stdout the summary has no place there.
        let to: &mut dyn Write = if output.is_some() {
            &mut terminal.out
        } else {
            &mut terminal.err
        };
        writeln!(to, "{}", tally.json())?;
        return Ok(());
    }
    let place = output
        .map(|path| format!(" → {}", path.display()))
        .unwrap_or_default();
    writeln!(terminal.err, "{tally}{place}")?;
    Ok(())
}
