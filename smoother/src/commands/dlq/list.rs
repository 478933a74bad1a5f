//! `smoother dlq list`: one line a letter.

use super::meant;
use crate::cli::DlqListArgs;
use crate::client::{Letter, Meant};
use crate::commands::figures::grouped;
use crate::commands::status::raw_line;
use crate::commands::terminal::{HEAD, painted};
use crate::commands::{CommandError, Context, Exit, Terminal};
use comfy_table::{Table, presets};
use serde_json::json;
use std::io::Write;

pub async fn run(
    args: DlqListArgs,
    context: &Context,
    terminal: &mut Terminal,
) -> Result<Exit, CommandError> {
    let meant = Meant {
        limit: Some(args.limit),
        cursor: args.cursor,
        ..meant(args.filter)
    };
    let (page, json) = context.client.letters(&meant).await?;
    if context.json {
        raw_line(&mut terminal.out, &json)?;
        return Ok(Exit::Ok);
    }
    if page.letters.is_empty() {
        let none = json!({"letters": 0});
        context.tell("no dead letters".to_owned(), none, terminal)?;
        return Ok(Exit::Ok);
    }
    write!(terminal.out, "{}", picture(&page.letters))?;
    if let Some(cursor) = page.next_cursor {
        let more = format!("there are more: the same again with --cursor {cursor} shows them");
        context.tell(more, json!({"more": true, "next_cursor": cursor}), terminal)?;
    }
    Ok(Exit::Ok)
}

fn picture(letters: &[Letter]) -> String {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING);
    table.set_header(["job", "failed", "lane", "error", "calls", "redriven", "bytes"]);
    for letter in letters {
        let error = letter.job.error.as_ref();
        let kind = error.map_or("", |error| error.kind.as_deref().unwrap_or(&error.exception));
        table.add_row([
            letter.job.id.clone(),
            letter.ended_at.clone(),
            letter.job.lane.clone(),
            kind.to_owned(),
            letter.job.calls_made.to_string(),
            letter.redriven.to_string(),
            grouped(letter.body.bytes),
        ]);
    }
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    let mut text = String::new();
    for (i, line) in table.lines().enumerate() {
        let line = line.trim_end();
        text.push_str(&if i == 0 {
            painted(HEAD, line)
        } else {
            line.to_owned()
        });
        text.push('\n');
    }
    text
}
