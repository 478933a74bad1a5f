//! `fuzz`: mutates the corpus of every target for a while, and keeps what breaks something. `fuzz --help`.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use clap::Parser;
use smoother_tests::fuzz::guard::Bounds;
use smoother_tests::fuzz::run::{Budget, Campaign};
use smoother_tests::fuzz::{corpus, report, targets};

/// Feeds the house what nobody would send on purpose; ends with 1 where that broke something.
#[derive(Debug, Parser)]
struct Cli {
    /// For how long, all targets together
    #[arg(long, default_value_t = 10)]
    minutes: u64,
    /// Only this target
    #[arg(long)]
    target: Option<String>,
    /// The source of all chance [default: by chance; it is printed]
    #[arg(long)]
    seed: Option<u64>,
    /// A page of the figures
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// The command that the page names
    #[arg(long, default_value = "fuzz")]
    named: String,
}

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    let cli = Cli::parse();
    let own = std::env::current_exe().context("this program's own place is unknown")?;
    let mut targets = targets::all(own.parent().context("a program lies in a folder")?).await?;
    if let Some(wanted) = &cli.target {
        targets.retain(|target| target.name() == wanted);
        anyhow::ensure!(
            !targets.is_empty(),
            "no target is named {wanted}; tests/fuzz-corpus has a folder for each"
        );
    }
    let count = u32::try_from(targets.len()).unwrap_or(u32::MAX).max(1);
    let each = Duration::from_secs(cli.minutes.saturating_mul(60)) / count;
    let campaign = Campaign {
        seed: cli.seed.unwrap_or_else(|| rand::random_range(0..1_000_000)),
        budget: Budget::Time(each),
        home: corpus::home(),
        keep: true,
        bounds: Bounds::default(),
    };
    let mut terminal = std::io::stdout();
    let mut outcomes = Vec::new();
    for target in targets {
        let outcome = campaign.run(target).await?;
        writeln!(terminal, "{}", report::line(&outcome))?;
        if !outcome.findings.is_empty() {
            writeln!(terminal, "{}", outcome.shown())?;
        }
        outcomes.push(outcome);
    }
    if let Some(page) = &cli.out {
        let today = chrono::Utc::now().format("%Y-%m-%d").to_string();
        std::fs::write(page, report::page(&outcomes, &cli.named, &today)?)?;
    }
    let clean = outcomes.iter().all(|outcome| outcome.findings.is_empty());
    Ok(if clean {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
