//! `smoother serve`: reads the configuration, builds the house, serves, drains.

mod banner;
mod bundled;
mod house;
mod learning;
mod listen;
mod settings;
mod signals;
#[cfg(test)]
mod tests;

pub(crate) use settings::{NoConfig, read as read_config};
pub(crate) use signals::Signals;

use crate::cli::ServeArgs;
use crate::commands::Exit;
use anyhow::Context;
use banner::Banner;
use house::{Built, House};
use listen::Listener;
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use std::io::{IsTerminal, Write};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Metrics' histograms are swept this often, so that an unscraped server does not grow.
const UPKEEP_EVERY: Duration = Duration::from_secs(5);

/// Runs the server on a runtime of its own.
pub fn main(args: &ServeArgs) -> Exit {
    if let Err(mistake) = log_to_stderr() {
        complain(Err(anyhow::Error::msg(mistake)));
        return Exit::Refused;
    }
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return complain(Err(anyhow::Error::new(error).context("the server cannot start"))),
    };
    let served = runtime.block_on(serve(args));
    // After a store's failure nothing may wait for a disk that does not answer.
    runtime.shutdown_background();
    match &served {
        Err(error) if error.is::<NoConfig>() => {
            complain(served);
            Exit::Refused
        }
        _ => complain(served),
    }
}

/// Prints an error with its causes; the code it ends with.
pub(crate) fn complain(outcome: anyhow::Result<()>) -> Exit {
    match outcome {
        Ok(()) => Exit::Ok,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "error: {error:#}");
            Exit::Failed
        }
    }
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
    let metrics = record_metrics()?;
    let mut signals = Signals::catch().context("signals cannot be caught")?;
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

    let stop = CancellationToken::new();
    let patience = Duration::from(config.server.drain_timeout);
    let serving = tokio::spawn(listener.serve(house.router(metrics), stop.clone(), patience));
    tokio::select! {
        name = signals.next() => tracing::info!(signal = name, "stopping: nothing more is admitted, running calls finish"),
        error = fatal => return Err(anyhow::Error::new(error).context("the store had to stop, and the server with it")),
    }
    stop_serving(house, serving, stop, signals).await?;
    if let Some(simulator) = simulator {
        simulator.stop().await;
    }
    Ok(())
}

async fn stop_serving(
    house: House,
    serving: tokio::task::JoinHandle<()>,
    stop: CancellationToken,
    mut signals: Signals,
) -> anyhow::Result<()> {
    stop.cancel();
    let drained = async {
        let left = house.drain().await;
        // Whoever was answered has its answer before the process goes.
        let _ = serving.await;
        left
    };
    let left = tokio::select! {
        left = drained => left,
        name = signals.next() => anyhow::bail!("stopped by a second {name} before running calls had finished"),
    };
    if left > 0 {
        tracing::warn!(
            calls = left,
            "still running after drain_timeout_ms; the next start calls them indeterminate"
        );
    }
    house.close().await
}

fn record_metrics() -> anyhow::Result<PrometheusHandle> {
    let handle = PrometheusBuilder::new()
        .set_buckets(&[
            0.001, 0.005, 0.025, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0,
        ])?
        .install_recorder()
        .context("metrics cannot be recorded")?;
    smoother_results::describe_metrics();
    let upkeep = handle.clone();
    tokio::spawn(async move {
        loop {
            tokio::time::sleep(UPKEEP_EVERY).await;
            upkeep.run_upkeep();
        }
    });
    Ok(handle)
}
