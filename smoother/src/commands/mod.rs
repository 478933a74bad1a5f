//! Commands to a running smoother: each asks, prints, and ends with a code of [`Exit`].

mod batch;
mod cancel;
mod exit;
mod figures;
mod lanes;
mod result;
mod status;
mod submit;
mod terminal;
#[cfg(test)]
mod tests;
mod watch;

pub use exit::{CommandError, Exit};
pub use terminal::Terminal;

use crate::cli::{ClientCommand, Common};
use crate::client::Client;
use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use terminal::{BAD, FAINT};

/// What every command works with.
#[derive(Debug)]
pub struct Context {
    client: Client,
    json: bool,
    /// Longest a server that is away is waited for.
    patience: Duration,
    farewell: Farewell,
}

/// What to say if the command is interrupted now: what goes on without it, and how to find it again.
#[derive(Debug, Clone, Default)]
struct Farewell(Arc<Mutex<Option<String>>>);

impl Farewell {
    fn set(&self, words: String) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(words);
    }

    fn take(&self) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// Runs a command on a runtime of its own, on the process's streams, until it is done or interrupted.
pub fn main(command: ClientCommand, common: Common) -> Exit {
    let mut terminal = Terminal::of_process();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => {
            let error = CommandError::file("the command cannot start", error);
            return report(&error, &mut terminal);
        }
    };
    let farewell = Farewell::default();
    let exit = runtime.block_on(async {
        tokio::select! {
            exit = run(command, common, Duration::from_secs(60), &farewell, &mut terminal) => Some(exit),
            _ = tokio::signal::ctrl_c() => None,
        }
    });
    // A reader of stdin may be stuck in the kernel; the process does not wait for it.
    runtime.shutdown_background();
    exit.unwrap_or_else(|| {
        let words = farewell.take().unwrap_or_else(|| "interrupted".to_owned());
        let _ = writeln!(terminal.err, "\n{words}");
        Exit::Interrupted
    })
}

/// Runs a command on the given streams.
async fn run(
    command: ClientCommand,
    common: Common,
    patience: Duration,
    farewell: &Farewell,
    terminal: &mut Terminal,
) -> Exit {
    let context = Client::new(common.server).map(|client| Context {
        client,
        json: common.json,
        patience,
        farewell: farewell.clone(),
    });
    let done = match context {
        Ok(context) => dispatch(command, &context, terminal).await,
        Err(error) => Err(error.into()),
    };
    done.and_then(|exit| {
        terminal.out.flush()?;
        Ok(exit)
    })
    .unwrap_or_else(|error| report(&error, terminal))
}

async fn dispatch(
    command: ClientCommand,
    context: &Context,
    terminal: &mut Terminal,
) -> Result<Exit, CommandError> {
    match command {
        ClientCommand::Submit(args) => submit::run(*args, context, terminal).await,
        ClientCommand::Status(args) => status::run(args, context, terminal).await,
        ClientCommand::Watch(args) => watch::run(args, context, terminal).await,
        ClientCommand::Result(args) => result::run(args, context, terminal).await,
        ClientCommand::Cancel(args) => cancel::run(args, context, terminal).await,
        ClientCommand::Lanes(args) => lanes::run(args, context, terminal).await,
    }
}

/// Says why, on stderr, with what to do next where a command can say it.
fn report(error: &CommandError, terminal: &mut Terminal) -> Exit {
    if !matches!(error, CommandError::Closed) {
        let _ = writeln!(terminal.err, "{BAD}error:{BAD:#} {error}");
        if matches!(error.exit(), Exit::Usage) {
            let _ = writeln!(
                terminal.err,
                "{FAINT}smoother --help lists commands and flags{FAINT:#}"
            );
        }
    }
    error.exit()
}
