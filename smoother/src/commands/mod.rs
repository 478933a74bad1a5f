//! Commands to a running smoother: each asks, prints, and ends with a code of [`Exit`].

pub mod backup;
mod batch;
mod cancel;
mod dlq;
mod exit;
mod figures;
mod lane;
mod lanes;
mod result;
mod screen;
mod status;
mod submit;
mod terminal;
#[cfg(test)]
mod tests;
pub mod verify;
mod vigil;
mod watch;

pub use exit::{CommandError, Exit, error_json};
pub use terminal::Terminal;

use crate::cli::{ClientCommand, Common};
use crate::client::{Client, Patience};
use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use terminal::{BAD, FAINT, Told};
use vigil::Vigil;

/// What every command works with.
#[derive(Debug)]
pub struct Context {
    client: Client,
    json: bool,
    /// Longest a server that is away is waited for, where it was said.
    patience: Option<Duration>,
    vigil: Vigil,
    farewell: Farewell,
}

/// Longest a server that is away is waited for, where it was not said: a restart.
const PATIENCE: Duration = Duration::from_secs(60);

impl Context {
    fn patience(&self) -> Patience {
        self.patience_or(PATIENCE)
    }

    /// As long as was said, else `most`.
    fn patience_or(&self, most: Duration) -> Patience {
        let vigil = self.vigil.clone();
        let tell = move |why: &_, most| vigil.away(why, most);
        Patience::new(self.patience.unwrap_or(most), Arc::new(tell))
    }

    /// Says something about the work: a line for a person, or an object for a script.
    fn tell(&self, text: String, json: serde_json::Value, terminal: &Terminal) -> std::io::Result<()> {
        terminal.err.tell(&if self.json {
            Told::Json(json)
        } else {
            Told::Text(text)
        })
    }
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
            return report(&error, common.json, &mut terminal);
        }
    };
    let farewell = Farewell::default();
    let json = common.json;
    let exit = runtime.block_on(async {
        tokio::select! {
            exit = run(command, common, &farewell, &mut terminal) => Some(exit),
            () = interrupted() => None,
        }
    });
    // A reader of stdin may be stuck in the kernel; the process does not wait for it.
    runtime.shutdown_background();
    exit.unwrap_or_else(|| {
        let words = farewell.take().unwrap_or_else(|| "interrupted".to_owned());
        report(&CommandError::Interrupted(words), json, &mut terminal)
    })
}

/// Ctrl-C, or the SIGTERM of whoever started the command.
async fn interrupted() {
    use tokio::signal::unix::{SignalKind, signal};
    let Ok(mut terminate) = signal(SignalKind::terminate()) else {
        // Then it has its default action, and only Ctrl-C is waited for.
        let _ = tokio::signal::ctrl_c().await;
        return;
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = terminate.recv() => {}
    }
}

/// Runs a command on the given streams.
async fn run(command: ClientCommand, common: Common, farewell: &Farewell, terminal: &mut Terminal) -> Exit {
    let context = Client::to(&common.target, common.tenant.clone())
        .await
        .map(|client| Context {
            client,
            json: common.json,
            patience: common.patience.map(Duration::from_secs),
            vigil: Vigil::new(terminal.err.clone(), common.json),
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
    .unwrap_or_else(|error| report(&error, common.json, terminal))
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
        ClientCommand::Lane(command) => lane::run(command, context, terminal).await,
        ClientCommand::Dlq(command) => dlq::run(command, context, terminal).await,
    }
}

/// Says why, on stderr, with what to do next where a command can say it; for a script as one object.
fn report(error: &CommandError, json: bool, terminal: &mut Terminal) -> Exit {
    // Where stderr is gone too, the code alone has to say it.
    let _ = match error {
        CommandError::Closed => Ok(()),
        error if json => writeln!(terminal.err, "{}", error.json()),
        CommandError::Interrupted(words) => writeln!(terminal.err, "\n{words}"),
        error => writeln!(terminal.err, "{BAD}error:{BAD:#} {error}"),
    };
    if matches!(error.exit(), Exit::Usage) && !json {
        let _ = writeln!(
            terminal.err,
            "{FAINT}smoother --help lists commands and flags{FAINT:#}"
        );
    }
    error.exit()
}
