//! `bedrock-sim`: a Bedrock-runtime simulator on 127.0.0.1.

use std::io::Write;

use anyhow::Context;
use bedrock_sim::Sim;
use bedrock_sim::cli::{SimArgs, first_line};
use clap::Parser;
use tokio::signal::unix::{SignalKind, signal};

/// Simulates Amazon Bedrock's bedrock-runtime on 127.0.0.1, quotas included. The first line of its
/// output names its address; SIGTERM and SIGINT end it.
#[derive(Debug, Parser)]
#[command(name = "bedrock-sim", version)]
struct Args {
    #[command(flatten)]
    sim: SimArgs,
    /// Print the first line as JSON
    #[arg(long)]
    json: bool,
    /// Threads that serve; one serves well over 10,000 calls a second
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=64))]
    threads: u16,
}

fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    let mut builder = if args.threads == 1 {
        tokio::runtime::Builder::new_current_thread()
    } else {
        tokio::runtime::Builder::new_multi_thread()
    };
    let runtime = builder
        .worker_threads(usize::from(args.threads))
        .enable_all()
        .build()?;
    runtime.block_on(run(args))
}

async fn run(args: Args) -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate()).context("cannot listen for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot listen for SIGINT")?;
    let sim = Sim::start(args.sim.into_config()?).await?;
    let mut out = std::io::stdout();
    writeln!(out, "{}", first_line(&sim, args.json))?;
    out.flush()?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    sim.stop().await;
    Ok(())
}
