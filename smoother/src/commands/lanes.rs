//! `smoother lanes`: each quota, once or redrawn in place.

use super::figures::{grouped, span};
use super::status::raw_line;
use super::terminal::{BUSY, HEAD, Terminal, painted};
use super::{CommandError, Context, Exit};
use crate::cli::LanesArgs;
use crate::client::{Lane, Limit, Patience, Waiting};
use comfy_table::{CellAlignment, Table, presets};
use smoother_core::Priority;
use std::io::Write;
use std::time::Duration;
use tokio::time::sleep;

/// Erases from the cursor to the end of the screen.
const ERASE: &str = "\x1b[J";
/// A line that is too long is cut at the edge instead of taking two: the way back up is counted in lines.
const NO_WRAP: &str = "\x1b[?7l";
const WRAP: &str = "\x1b[?7h";

pub async fn run(args: LanesArgs, context: &Context, terminal: &mut Terminal) -> Result<Exit, CommandError> {
    let only = args.lane.as_deref();
    if context.json {
        let (_, json) = context.client.lanes(only).await?;
        raw_line(&mut terminal.out, &json)?;
        return Ok(Exit::Ok);
    }
    let live = args.watch && terminal.out_is_live;
    let mut patience = Patience::new(context.patience);
    let mut drawn = None;
    loop {
        match context.client.lanes(only).await {
            Ok((lanes, _)) => {
                patience.relieved();
                let picture = picture(&lanes);
                if let Some(lines) = drawn {
                    write!(terminal.out, "\x1b[{lines}F{ERASE}")?;
                }
                if live {
                    write!(terminal.out, "{NO_WRAP}{picture}{WRAP}")?;
                } else {
                    write!(terminal.out, "{picture}")?;
                }
                terminal.out.flush()?;
                drawn = Some(picture.lines().count());
            }
            Err(error) if drawn.is_some() => patience.bear(error).await?,
            Err(error) => return Err(error.into()),
        }
        if !live {
            return Ok(Exit::Ok);
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
            Some(Lane {
                parked_until: Some(until),
                ..
            }) => text.push_str(&painted(BUSY, &format!("{line}  parked until {until}"))),
            Some(_) => text.push_str(line),
        }
        text.push('\n');
    }
    text
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
    cells
}

fn used(limit: &Limit) -> String {
    format!("{} / {}", grouped(limit.used), grouped(limit.limit))
}

fn count(waiting: &Waiting) -> String {
    match waiting.requests {
        0 => "-".to_owned(),
        n => grouped(n),
    }
}
