//! `smoother lane`: holds a lane's circuit breaker, or lets it go.

use super::status::raw_line;
use super::{CommandError, Context, Exit, Terminal};
use crate::cli::LaneCommand;
use std::io::Write;

pub async fn run(
    command: LaneCommand,
    context: &Context,
    terminal: &mut Terminal,
) -> Result<Exit, CommandError> {
    let (state, lane) = match command {
        LaneCommand::Open(args) => ("open", args.lane),
        LaneCommand::Close(args) => ("closed", args.lane),
        LaneCommand::Auto(args) => ("auto", args.lane),
    };
    if !lane
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
    {
        return Err(CommandError::Usage(format!("{lane:?} is no name of a lane")));
    }
    let (held, json) = context.client.hold_breaker(&lane, state).await?;
    if context.json {
        raw_line(&mut terminal.out, &json)?;
    } else {
        writeln!(terminal.out, "{lane} {}", held.breaker.words())?;
    }
    Ok(Exit::Ok)
}
