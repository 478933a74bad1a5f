//! `smoother serve`: reads the configuration, builds the house, serves, drains.

mod attend;
mod banner;
mod bundled;
mod house;
mod learning;
mod listen;
mod logbook;
mod measure;
mod preface;
mod reload;
mod settings;
mod signals;
mod stalled;
mod tasks;
#[cfg(test)]
mod tests;
mod unread;

pub(crate) use settings::{NoConfig, read as read_config};
pub(crate) use signals::Signals;

use crate::check_config;
use crate::cli::ServeArgs;
use crate::commands::{CommandError, Exit, error_json};
use anyhow::Context;
use banner::Banner;
use house::{Built, House};
use listen::Listener;
use reload::Reloads;
use std::io::{IsTerminal, Write};

/// Threads for what blocks: files, reads of the store, names of hosts. More of them make no disk faster, and a moment
/// in which many wait for one would leave each of the runtime's five hundred with memory of its own.
const BLOCKING_THREADS: usize = 16;

/// Runs the server on a runtime of its own; an error is said on stderr, as JSON if asked for.
pub fn main(args: &ServeArgs, json: bool) -> Exit {
    if let Err(mistake) = log_to_stderr() {
        return complain(Err(CommandError::Input(mistake).into()), json);
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .max_blocking_threads(BLOCKING_THREADS)
        .build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => {
            let error = anyhow::Error::new(error).context("the server cannot start");
            return complain(Err(error), json);
        }
    };
    let served = runtime.block_on(serve(args));
    // After a store's failure nothing may wait for a disk that does not answer.
    runtime.shutdown_background();
    complain(served, json)
}

/// Prints an error with its causes; the code it ends with.
pub(crate) fn complain(outcome: anyhow::Result<()>, json: bool) -> Exit {
    let Err(error) = outcome else {
        return Exit::Ok;
    };
    let (kind, exit) = if let Some(error) = error.downcast_ref::<NoConfig>() {
        ("config", error.exit())
    } else if let Some(error) = error.downcast_ref::<CommandError>() {
        ("input", error.exit())
    } else {
        ("failed", Exit::Failed)
    };
    let words = format!("{error:#}");
    let _ = if json {
        writeln!(std::io::stderr(), "{}", error_json(kind, exit, &words))
    } else {
        writeln!(std::io::stderr(), "error: {words}")
    };
    exit
}

/// Logs what this project's own code says. Dependencies are heard from `warn` on and no lower, whatever is asked
/// for: on their finer levels they would write requests and credentials out.
fn log_to_stderr() -> Result<(), String> {
    const LEVELS: [&str; 5] = ["error", "warn", "info", "debug", "trace"];
    let level = std::env::var("SMOOTHER_LOG").unwrap_or_else(|_| "info".to_owned());
    if !LEVELS.contains(&level.as_str()) {
        return Err(format!(
            "SMOOTHER_LOG={level:?}: allowed are {}",
            LEVELS.join(", ")
        ));
    }
    let own = [
        "smoother",
        "core",
        "ingest",
        "prioritizer",
        "worker",
        "results",
        "bedrock",
        "embedded",
    ];
    let own = own.map(|name| match name {
        "smoother" => format!("smoother={level}"),
        part => format!("smoother_{part}={level}"),
    });
    let filter = tracing_subscriber::EnvFilter::new(format!("warn,{}", own.join(",")));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .init();
    Ok(())
}

/// Serves until SIGTERM or SIGINT, then drains. An error is a reason not to start, or to have stopped.
async fn serve(args: &ServeArgs) -> anyhow::Result<()> {
    let mut config = settings::with_flags(args)?;
    for warning in check_config::warnings(&config) {
        tracing::warn!("{warning}");
    }
    let metrics = measure::install()?;
    let signals = Signals::catch().context("signals cannot be caught")?;
    let hangups = signals::hangups().context("SIGHUP cannot be caught")?;
    // The address first: a second server on it must not touch the data.
    let listener = Listener::bind(config.server.listen).await.with_context(|| {
        format!(
            "cannot listen on {}; choose another address with --listen",
            config.server.listen
        )
    })?;
    let simulator = if config.lanes.is_empty() {
        Some(bundled::stand_in(&mut config).await?)
    } else {
        None
    };
    let Built { house, fatal } = House::build(config.clone()).await?;

    let banner = Banner {
        address: listener.address(),
        config: &config,
        simulator: simulator.as_ref().map(bedrock_sim::RunningSim::addr),
    };
    // A closed stdout is no reason not to serve.
    let _ = write!(std::io::stdout(), "{banner}").and_then(|()| std::io::stdout().flush());

    house.open_doors(listener, metrics);
    let bundled = simulator.is_some().then(|| config.lanes.clone());
    let reloads = Reloads::new(hangups, args.clone(), bundled);
    attend::attend(house, fatal, signals, reloads).await?;
    if let Some(simulator) = simulator {
        simulator.stop().await;
    }
    Ok(())
}
