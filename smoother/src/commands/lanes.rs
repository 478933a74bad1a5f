//! `smoother lanes`: each quota, once or drawn again and again.

use super::figures::{grouped, span};
use super::screen::Screen;
use super::status::raw_line;
use super::terminal::{BUSY, HEAD, Terminal, painted};
use super::{CommandError, Context, Exit};
use crate::cli::LanesArgs;
use crate::client::{Lane, Limit, Waiting};
use comfy_table::{CellAlignment, Table, presets};
use smoother_core::Priority;
use std::io::Write;
use std::time::Duration;
use tokio::time::sleep;

pub async fn run(args: LanesArgs, context: &Context, terminal: &mut Terminal) -> Result<Exit, CommandError> {
    let only = args.lane.as_deref();
    if context.json {
        let (_, json) = context.client.lanes(only).await?;
        raw_line(&mut terminal.out, &json)?;
        return Ok(Exit::Ok);
    }
    if args.watch && terminal.out_is_live {
        return watch(&args, context, terminal).await;
    }
    let (lanes, _) = context.client.lanes(only).await?;
    write!(terminal.out, "{}", picture(&lanes))?;
    Ok(Exit::Ok)
}

/// Draws them until the server stays away, or somebody has seen enough.
async fn watch(args: &LanesArgs, context: &Context, terminal: &mut Terminal) -> Result<Exit, CommandError> {
    let mut patience = context.patience();
    let mut screen = Screen::new(&mut terminal.out);
    loop {
        match context.client.lanes(args.lane.as_deref()).await {
            Ok((lanes, _)) => {
                patience.relieved();
                screen.draw(picture(&lanes))?;
            }
            Err(error) if screen.is_drawn() => patience.bear(error).await?,
            Err(error) => return Err(error.into()),
        }
        sleep(Duration::from_millis(args.every_ms)).await;
    }
}

/// The table, one line a lane; lanes that release nothing now are marked.
fn picture(lanes: &[Lane]) -> String {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING);
    table.set_header([
        "lane",
        "tokens/min",
        "free",
        "requests/min",
        "calls",
        "interactive",
        "normal",
        "batch",
        "oldest",
        "throttled",
        "sent on",
        "breaker",
    ]);
    for lane in lanes {
        table.add_row(row(lane));
    }
    for (i, column) in table.column_iter_mut().enumerate() {
        column.set_padding((0, 2));
        if i > 0 {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    let mut text = String::new();
    for (i, line) in table.lines().enumerate() {
        let line = line.trim_end();
        // The first line is the heading, each further one a lane.
        match i.checked_sub(1).and_then(|i| lanes.get(i)) {
            None => text.push_str(&painted(HEAD, line)),
            Some(lane) => text.push_str(&remarked(line, lane)),
        }
        text.push('\n');
    }
    text
}

/// The lane's line, with what there is to say beside its figures.
fn remarked(line: &str, lane: &Lane) -> String {
    let mut line = line.to_owned();
    if !lane.fallback.is_empty() {
        line.push_str(&format!("  falls back to {}", lane.fallback.join(", ")));
    }
    if let Some(until) = &lane.parked_until {
        line.push_str(&format!("  parked until {until}"));
    }
    if lane.parked_until.is_some() || lane.breaker.is_shut() {
        line = painted(BUSY, &line);
    }
    line
}

fn row(lane: &Lane) -> Vec<String> {
    let waiting = |priority: Priority| lane.waiting.get(priority.as_str()).copied().unwrap_or_default();
    let oldest = Priority::ALL.map(|p| waiting(p).oldest_ms).into_iter().max();
    let throttles: u64 = lane.throttles.values().sum();
    let mut cells = vec![
        lane.lane.clone(),
        used(&lane.tokens),
        grouped(lane.tokens.free),
        lane.requests.as_ref().map_or_else(|| "-".to_owned(), used),
        used(&lane.concurrency),
    ];
    cells.extend(Priority::ALL.map(|p| count(&waiting(p))));
    cells.push(oldest.filter(|ms| *ms > 0).map_or_else(|| "-".to_owned(), span));
    cells.push(grouped(throttles));
    cells.push(match lane.sent_on {
        0 => "-".to_owned(),
        count => grouped(count),
    });
    cells.push(lane.breaker.words());
    cells
}

fn used(limit: &Limit) -> String {
    format!("{} / {}", grouped(limit.used), grouped(limit.limit))
}

fn count(waiting: &Waiting) -> String {
    match waiting.requests {
        0 if !waiting.more => "-".to_owned(),
        n if waiting.more => format!("{}+", grouped(n)),
        n => grouped(n),
    }
}
