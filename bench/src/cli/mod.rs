//! The command line.

mod run;

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use clap::{Parser, Subcommand};
use tokio::signal::unix::{SignalKind, signal};

use crate::files;
use crate::report::{Kept, Report};

/// Measures Bedrock Smoother.
#[derive(Debug, Parser)]
#[command(name = "smoother-bench", version)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run workloads, keep their figures and write the report
    Run(run::Run),
    /// Write the report again from the figures that are kept beside it
    Report(Place),
    /// Run one plan from stdin (started by `run`)
    Client,
}

/// Where the repository and the report are.
#[derive(Debug, clap::Args)]
struct Place {
    /// The repository
    #[arg(long, default_value = ".")]
    root: PathBuf,
    /// Where the report goes; its figures and pictures lie in the folder of the same name beside it
    #[arg(long, default_value = "docs/benchmarks.md")]
    out: PathBuf,
}

impl Args {
    /// Does what was asked for.
    ///
    /// # Errors
    /// A run fails as a whole, or the report cannot be written.
    pub fn run(self) -> anyhow::Result<()> {
        match self.command {
            Command::Client => crate::client::run(),
            Command::Report(place) => place.write(&place.report()?),
            Command::Run(run) => {
                let runtime = tokio::runtime::Builder::new_multi_thread()
                    .worker_threads(1)
                    .enable_all()
                    .build()?;
                runtime.block_on(unless_told_to_end(run.run()))
            }
        }
    }
}

/// Leaves off at SIGINT or SIGTERM: what is dropped ends the processes that it has started.
async fn unless_told_to_end(run: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        done = run => done,
        asked = tokio::signal::ctrl_c() => {
            asked?;
            bail!("interrupted; what was measured whole before is kept")
        }
        _ = terminate.recv() => bail!("told to end; what was measured whole before is kept"),
    }
}

impl Place {
    fn report(&self) -> anyhow::Result<Report> {
        Report::at(std::path::absolute(&self.root)?.join(&self.out))
    }

    /// Writes the report: each workload's figures where they are kept, else what the report says of it so far.
    fn write(&self, report: &Report) -> anyhow::Result<()> {
        let mut sections = Vec::new();
        for path in workloads(&self.root)? {
            let title = files::workload(&path, false)?.title;
            sections.push(match report.section(name(&path)?)? {
                Some(section) => Kept::Figures(Box::new(section)),
                None => Kept::Text { title },
            });
        }
        report.write(&sections)?;
        eprint_progress(&format!("wrote {}", report.page().display()));
        Ok(())
    }
}

fn name(workload: &Path) -> anyhow::Result<&str> {
    workload
        .file_stem()
        .and_then(|name| name.to_str())
        .context("a workload without a name")
}

fn workloads(root: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let folder = root.join("bench/workloads");
    let entries = std::fs::read_dir(&folder).with_context(|| folder.display().to_string())?;
    let mut paths = entries
        .map(|entry| Ok(entry?.path()))
        .collect::<std::io::Result<Vec<_>>>()?;
    paths.retain(|path| path.extension().is_some_and(|end| end == "toml"));
    paths.sort();
    Ok(paths)
}

/// Progress is for whoever waits: on stderr, and lost without harm where that is closed.
fn eprint_progress(line: &str) {
    use std::io::Write;
    let _ = writeln!(std::io::stderr(), "{line}");
}
