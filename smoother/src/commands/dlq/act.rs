//! `smoother dlq redrive` and `smoother dlq drop`: some by their ids, or all that are meant, batch by batch.

use super::meant;
use crate::cli::DlqActArgs;
use crate::client::{Act, Meant, NotDone};
use crate::commands::status::raw_line;
use crate::commands::{CommandError, Context, Exit, Terminal};
use serde_json::json;
use smoother_core::RequestId;
use std::io::{Read, Write};

pub async fn run(
    act: Act,
    args: DlqActArgs,
    context: &Context,
    terminal: &mut Terminal,
) -> Result<Exit, CommandError> {
    if !args.ids.is_empty() {
        return by_ids(act, &args.ids, context, terminal).await;
    }
    if args.all && !args.yes && !confirmed(act, context, terminal)? {
        context.tell(
            "nothing was done".to_owned(),
            json!({"confirmed": false}),
            terminal,
        )?;
        return Ok(Exit::Ok);
    }
    let meant = Meant {
        all: args.all,
        ..meant(args.filter)
    };
    by_filter(act, meant, context, terminal).await
}

/// Asks whoever sits there; where nobody does, `--yes` has to be said.
fn confirmed(act: Act, context: &Context, terminal: &mut Terminal) -> Result<bool, CommandError> {
    if !terminal.err_is_live || context.json {
        return Err(CommandError::Usage(
            "--all asks on a terminal; where there is none, say --yes too".to_owned(),
        ));
    }
    let verb = match act {
        Act::Redrive => "Redrive",
        Act::Drop => "Drop",
    };
    write!(
        terminal.err,
        "{verb} all dead letters of {}? [y/N] ",
        context.client.server()
    )?;
    terminal.err.flush()?;
    let mut answer = Vec::new();
    let mut byte = [0];
    while terminal.input.read(&mut byte)? == 1 && byte[0] != b'\n' {
        answer.push(byte[0]);
    }
    Ok(matches!(answer.trim_ascii(), b"y" | b"Y" | b"yes"))
}

/// One that cannot be done harms no other; the command ends as the first of them.
async fn by_ids(
    act: Act,
    ids: &[RequestId],
    context: &Context,
    terminal: &mut Terminal,
) -> Result<Exit, CommandError> {
    let mut first = None;
    for id in ids {
        match context.client.handle_letter(act, *id).await {
            Ok((_, json)) if context.json => raw_line(&mut terminal.out, &json)?,
            Ok((handled, _)) if handled.is_done_now() => writeln!(terminal.out, "{id} {}", act.member())?,
            Ok((handled, _)) => {
                writeln!(
                    terminal.out,
                    "{id} {} before; it is {}",
                    act.member(),
                    handled.status
                )?;
            }
            Err(error) => {
                let error = CommandError::from(error);
                if ids.len() > 1 {
                    context.tell(
                        format!("{id}: {error}"),
                        json!({"id": id, "problem": error.json()}),
                        terminal,
                    )?;
                }
                first.get_or_insert(error);
            }
        }
    }
    first.map_or(Ok(Exit::Ok), Err)
}

async fn by_filter(
    act: Act,
    mut meant: Meant,
    context: &Context,
    terminal: &mut Terminal,
) -> Result<Exit, CommandError> {
    let (mut done, mut unchanged, mut refused) = (0, 0, Vec::<NotDone>::new());
    let mut patience = context.patience();
    loop {
        let swept = match context.client.sweep_letters(act, &meant).await {
            Ok(swept) => swept,
            Err(error) => {
                patience.bear(error).await?;
                continue;
            }
        };
        patience.relieved();
        done += swept.done();
        unchanged += swept.unchanged;
        refused.extend(swept.refused);
        match swept.next_cursor {
            Some(cursor) => meant.cursor = Some(cursor),
            None => break,
        }
    }
    if context.json {
        let said = json!({act.member(): done, "unchanged": unchanged, "refused": refused});
        writeln!(terminal.out, "{said}")?;
    } else {
        writeln!(terminal.out, "{done} {}", act.member())?;
        for not in &refused {
            writeln!(terminal.err, "{}: {}", not.id, not.detail)?;
        }
    }
    match refused.len() {
        0 => Ok(Exit::Ok),
        count => Err(CommandError::Input(format!(
            "{count} could not be {}",
            act.member()
        ))),
    }
}
