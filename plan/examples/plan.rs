//! `smoother plan` without the rest of the command, which takes long to build:
//! `cargo run --release -p smoother-plan --example plan -- TRACE --load 85`. Says on stderr how long it took.
#![allow(clippy::print_stdout, clippy::print_stderr, clippy::disallowed_methods)]

use clap::Parser;
use smoother_core::config::Config;
use smoother_plan::cli::PlanArgs;
use std::time::Instant;

#[derive(Debug, Parser)]
struct Line {
    #[command(flatten)]
    plan: PlanArgs,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let Line { plan, json } = Line::parse();
    let begun = Instant::now();
    let config = match &plan.lane.config {
        Some(path) => Some(Config::load(
            Some((&path.display().to_string(), &std::fs::read_to_string(path)?)),
            [],
        )?),
        None => None,
    };
    let content = plan.source().map(std::fs::read).transpose()?.unwrap_or_default();
    let planned = plan.play(&content, config.as_ref())?;
    if let Some(path) = &plan.html {
        std::fs::write(path, planned.html())?;
    }
    if json {
        println!("{}", serde_json::to_string(&planned.report)?);
    } else {
        print!("{}", planned.text);
    }
    eprintln!("{:?}", begun.elapsed());
    Ok(())
}
