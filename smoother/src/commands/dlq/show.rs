//! `smoother dlq show`: one letter in full, or its body alone.

use crate::cli::DlqShowArgs;
use crate::client::Letter;
use crate::commands::figures::grouped;
use crate::commands::result::put;
use crate::commands::status::{describe, raw_line};
use crate::commands::terminal::FAINT;
use crate::commands::{CommandError, Context, Exit, Terminal};
use std::io::{self, Write};

pub async fn run(
    args: DlqShowArgs,
    context: &Context,
    terminal: &mut Terminal,
) -> Result<Exit, CommandError> {
    if args.body {
        let body = context.client.letter_body(args.id).await?;
        put(&body, None, terminal)?;
        return Ok(Exit::Ok);
    }
    let (letter, json) = context.client.letter(args.id).await?;
    if context.json {
        raw_line(&mut terminal.out, &json)?;
    } else {
        describe(&mut terminal.out, &letter.job)?;
        more(&mut terminal.out, &letter)?;
    }
    Ok(Exit::Ok)
}

fn more(out: &mut dyn Write, letter: &Letter) -> io::Result<()> {
    let mut line = |name: &str, value: &str| writeln!(out, "{FAINT}{name:<10}{FAINT:#}{value}");
    for hop in &letter.hops {
        line(
            "hop",
            &format!("{} out of lane {} ({})", hop.at, hop.from, hop.cause),
        )?;
    }
    line("redriven", &format!("{} times", letter.redriven))?;
    let bytes = grouped(letter.body.bytes);
    line(
        "body",
        &format!("{bytes} bytes, smoother dlq show {} --body", letter.job.id),
    )?;
    for event in &letter.events {
        line("event", &format!("{} {}", event.at, event.state))?;
    }
    Ok(())
}
