//! `smoother dlq`: dead letters.

mod act;
mod list;
mod show;

use super::{CommandError, Context, Exit, Terminal};
use crate::cli::{DlqCommand, DlqFilter};
use crate::client::{Act, Meant};

pub async fn run(
    command: DlqCommand,
    context: &Context,
    terminal: &mut Terminal,
) -> Result<Exit, CommandError> {
    match command {
        DlqCommand::List(args) => list::run(args, context, terminal).await,
        DlqCommand::Show(args) => show::run(args, context, terminal).await,
        DlqCommand::Redrive(args) => act::run(Act::Redrive, args, context, terminal).await,
        DlqCommand::Drop(args) => act::run(Act::Drop, args, context, terminal).await,
    }
}

fn meant(filter: DlqFilter) -> Meant {
    Meant {
        lane: filter.lane,
        error: filter.error.map(smoother_core::model::ErrorFilter::as_str),
        after: filter.after,
        before: filter.before,
        ..Meant::default()
    }
}
