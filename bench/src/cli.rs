//! The command line.

use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::{Parser, Subcommand};

use crate::driver::Bench;
use crate::report::{Section, machine, markdown};
use crate::{files, measure};

/// Measures Bedrock Smoother.
#[derive(Debug, Parser)]
#[command(name = "smoother-bench", version)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run workloads and write the report
    Run(Run),
    /// Run one plan from stdin (started by `run`)
    Client,
}

#[derive(Debug, clap::Args)]
struct Run {
    /// The repository
    #[arg(long, default_value = ".")]
    root: PathBuf,
    /// Where the report goes
    #[arg(long, default_value = "docs/benchmarks.md")]
    out: PathBuf,
    /// Only workloads whose file name holds one of these; the report keeps the others' last figures
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// Shorter runs and fewer seeds
    #[arg(long)]
    quick: bool,
}

impl Args {
    /// Does what was asked for.
    ///
    /// # Errors
    /// A run fails as a whole, or the report cannot be written.
    pub fn run(self) -> anyhow::Result<()> {
        match self.command {
            Command::Client => crate::client::run(),
            Command::Run(run) => {
                let runtime = tokio::runtime::Builder::new_multi_thread()
                    .worker_threads(1)
                    .enable_all()
                    .build()?;
                runtime.block_on(run.run())
            }
        }
    }
}

impl Run {
    async fn run(self) -> anyhow::Result<()> {
        let bench = Bench::new(&self.root)?;
        let kept = bench.root.join("bench/out");
        let mut sections = Vec::new();
        for path in workloads(&bench.root)? {
            let name = path
                .file_stem()
                .and_then(|name| name.to_str())
                .context("a workload without a name")?;
            let file = kept.join(format!("{name}.json"));
            if self.only.is_empty() || self.only.iter().any(|part| name.contains(part)) {
                eprint_progress(&format!("{name} …"));
                let workload = files::workload(&path, self.quick)?;
                let tables = measure::run(&bench, &workload)
                    .await
                    .with_context(|| name.to_owned())?;
                let section = Section::new(&bench.root, name, &workload, self.quick, tables);
                std::fs::write(&file, serde_json::to_vec_pretty(&section)?)?;
            }
            if let Ok(kept) = std::fs::read(&file) {
                sections.push(serde_json::from_slice(&kept).with_context(|| file.display().to_string())?);
            }
        }
        let report = markdown(&machine(&bench.scratch)?, &sections);
        let out = bench.root.join(&self.out);
        if let Some(folder) = out.parent() {
            std::fs::create_dir_all(folder)?;
        }
        std::fs::write(&out, report).with_context(|| out.display().to_string())?;
        std::fs::remove_dir_all(&bench.scratch)?;
        eprint_progress(&format!("wrote {}", out.display()));
        Ok(())
    }
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
