//! `crash`: kills the server again and again under load, and audits what it had promised. `crash run --help`.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use clap::{Args, Parser, Subcommand};
use smoother_tests::crash::client::Client;
use smoother_tests::crash::driver::{self, Programs};
use smoother_tests::crash::plan::Plan;
use smoother_tests::crash::report;

/// Kills `smoother serve` under load and audits what it had promised.
#[derive(Debug, Parser)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// A whole run; ends with 1 where a fault was found
    Run(Run),
    /// Judges the records that a run with faults has left
    Audit {
        /// Its records.json
        records: PathBuf,
    },
    /// A client of a run
    #[command(hide = true)]
    Client(ClientArgs),
    /// Another program, ending with the process that started it
    #[command(hide = true)]
    Under {
        parent: u32,
        program: PathBuf,
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
}

#[derive(Debug, Clone, Copy, Args)]
struct PlanArgs {
    /// How often to kill
    #[arg(long, default_value_t = 50)]
    kills: u64,
    /// How many requests to make meanwhile
    #[arg(long, default_value_t = 1_000)]
    requests: u64,
    /// Client processes
    #[arg(long, default_value_t = 4)]
    clients: u64,
    /// The schedule of load and kills [default: by chance; it is printed]
    #[arg(long)]
    seed: Option<u64>,
    /// Seconds that a request may take before it is given up
    #[arg(long, default_value_t = 300)]
    patience_s: u64,
}

#[derive(Debug, Args)]
struct Run {
    #[command(flatten)]
    plan: PlanArgs,
    /// A page of the figures, where no fault is found
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// The command that the page names
    #[arg(long, default_value = "crash run")]
    named: String,
}

#[derive(Debug, Args)]
struct ClientArgs {
    #[command(flatten)]
    plan: PlanArgs,
    #[arg(long)]
    number: u64,
    #[arg(long)]
    url: String,
    #[arg(long)]
    told: PathBuf,
}

impl PlanArgs {
    fn plan(self) -> Plan {
        Plan {
            seed: self.seed.unwrap_or_else(|| rand::random_range(0..1_000_000)),
            kills: self.kills,
            requests: self.requests,
            clients: self.clients.max(1),
        }
    }

    const fn patience(self) -> Duration {
        Duration::from_secs(self.patience_s)
    }
}

fn main() -> anyhow::Result<ExitCode> {
    let cli = Cli::parse();
    if let Command::Under {
        parent,
        program,
        arguments,
    } = &cli.command
    {
        driver::under(*parent, program, arguments)?;
    }
    // One thread: what ends with its parent ends with the thread that started it.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        match cli.command {
            Command::Run(run) => whole(run).await,
            Command::Audit { records } => judge(&records),
            Command::Client(client) => {
                let made = Client {
                    plan: client.plan.plan(),
                    number: client.number,
                    url: client.url,
                    told: client.told,
                    patience: client.plan.patience(),
                };
                made.run().await.map(|()| ExitCode::SUCCESS)
            }
            Command::Under { .. } => Ok(ExitCode::FAILURE),
        }
    })
}

async fn whole(run: Run) -> anyhow::Result<ExitCode> {
    let own = std::env::current_exe().context("this program's own place is unknown")?;
    let programs = Programs::beside(&own)?;
    let outcome = driver::run(run.plan.plan(), &programs, run.plan.patience()).await?;
    let mut terminal = std::io::stdout();
    for (what, count) in report::lines(&outcome) {
        writeln!(terminal, "{what}: {count}")?;
    }
    let Some(folder) = &outcome.folder else {
        if let Some(page) = &run.out {
            std::fs::write(page, report::page(&outcome, &run.named)?)?;
        }
        return Ok(ExitCode::SUCCESS);
    };
    writeln!(terminal, "\n{}", outcome.histories)?;
    writeln!(
        terminal,
        "seed {}: {} faults; records in {}",
        outcome.plan.seed,
        outcome.faults.len(),
        folder.display()
    )?;
    Ok(ExitCode::FAILURE)
}

fn judge(records: &std::path::Path) -> anyhow::Result<ExitCode> {
    let (counts, faults, histories) = driver::judge(records)?;
    writeln!(
        std::io::stdout(),
        "{counts:#?}\n{histories}\n{} faults",
        faults.len()
    )?;
    Ok(if faults.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
