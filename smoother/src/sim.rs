//! `smoother sim`: the Bedrock simulator alone, with all its own flags.

use crate::cli::SimCommand;
use crate::commands::{CommandError, Exit};
use crate::serve::{Signals, complain};
use anyhow::Context;
use bedrock_sim::Sim;
use bedrock_sim::cli::{ArgsError, first_line};
use std::io::Write;

/// Runs the simulator until SIGTERM or SIGINT.
pub fn main(command: SimCommand, json: bool) -> Exit {
    let mut builder = if command.threads == 1 {
        tokio::runtime::Builder::new_current_thread()
    } else {
        tokio::runtime::Builder::new_multi_thread()
    };
    let ran = builder
        .worker_threads(usize::from(command.threads))
        .enable_all()
        .build()
        .context("the simulator cannot start")
        .and_then(|runtime| runtime.block_on(run(command, json)));
    complain(ran, json)
}

async fn run(command: SimCommand, json: bool) -> anyhow::Result<()> {
    let mut signals = Signals::catch().context("signals cannot be caught")?;
    let sim = Sim::start(command.sim.into_config().map_err(mistaken)?).await?;
    let mut out = std::io::stdout();
    writeln!(out, "{}", first_line(&sim, json)).and_then(|()| out.flush())?;
    signals.next().await;
    sim.stop().await;
    Ok(())
}

/// Settings that cannot be read end as every other command's input does.
fn mistaken(error: ArgsError) -> CommandError {
    match error {
        ArgsError::Read { path, source } => {
            CommandError::file(format!("{} cannot be read", path.display()), source)
        }
        other => CommandError::Input(other.to_string()),
    }
}
