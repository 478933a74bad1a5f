//! The command line.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use clap::{Parser, Subcommand};
use tokio::time::Instant;

use crate::driver::Bench;
use crate::files::{Measure, Workload};
use crate::report::{Section, machine, pictures, report};
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
    /// Only targets whose name holds one of these
    #[arg(long, value_delimiter = ',')]
    targets: Vec<String>,
    /// Shorter runs and fewer seeds
    #[arg(long)]
    quick: bool,
    /// Install what targets need into bench/installed; without it, targets that are not installed are left out
    #[arg(long)]
    install: bool,
    /// The folder of recorded traces; without it, workloads that replay one are left out
    #[arg(long)]
    traces: Option<PathBuf>,
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
        let traces = self.traces.as_deref().map(std::path::absolute).transpose()?;
        let bench = Bench::new(&self.root, self.install, traces)?;
        let mut sections = Vec::new();
        let mut failed = Vec::new();
        for path in workloads(&bench.root)? {
            let name = path
                .file_stem()
                .and_then(|name| name.to_str())
                .context("a workload without a name")?;
            let file = bench.root.join("bench/out").join(format!("{name}.json"));
            if asked_for(&self.only, name)
                && let Err(error) = self.measure(&bench, name, &path, &file).await
            {
                eprint_progress(&format!("{name}: {error:#}"));
                failed.push(name.to_owned());
            }
            if let Ok(kept) = std::fs::read(&file) {
                sections.push(serde_json::from_slice(&kept).with_context(|| file.display().to_string())?);
            }
        }
        self.write(&bench, &sections)?;
        if !failed.is_empty() {
            bail!(
                "{} could not be measured; what it said stands above",
                failed.join(", ")
            );
        }
        Ok(std::fs::remove_dir_all(&bench.scratch)?)
    }

    /// Measures one workload and keeps what it gave.
    async fn measure(&self, bench: &Bench, name: &str, path: &Path, file: &Path) -> anyhow::Result<()> {
        let mut workload = files::workload(path, self.quick)?;
        workload.targets.retain(|target| asked_for(&self.targets, target));
        if let Some(missing) = lacks(bench, &workload) {
            eprint_progress(&format!("{name}: left out: {missing}"));
            return Ok(());
        }
        eprint_progress(&format!("{name} …"));
        let begun = Instant::now();
        let findings = measure::run(bench, &workload).await?;
        let section = Section::new(
            &bench.root,
            name,
            &workload,
            self.command(name, &workload),
            begun.elapsed(),
            findings,
        );
        Ok(std::fs::write(file, serde_json::to_vec_pretty(&section)?)?)
    }

    /// The command that measures a workload again; where a trace lies is the reader's own.
    fn command(&self, name: &str, workload: &Workload) -> String {
        let mut command = format!("target/release/smoother-bench run --install --only {name}");
        if !self.targets.is_empty() {
            command += &format!(" --targets {}", self.targets.join(","));
        }
        if matches!(workload.measure, Measure::Trace(_)) {
            command += " --traces DIR";
        }
        if self.quick {
            command += " --quick";
        }
        command
    }

    fn write(&self, bench: &Bench, sections: &[Section]) -> anyhow::Result<()> {
        let out = bench.root.join(&self.out);
        let folder = out.with_extension("");
        let name = folder
            .file_name()
            .and_then(|name| name.to_str())
            .context("the report needs a name")?;
        std::fs::create_dir_all(&folder)?;
        for (file, picture) in pictures(sections) {
            std::fs::write(folder.join(file), picture)?;
        }
        let text = report(&machine(&bench.scratch)?, sections, name);
        std::fs::write(&out, text).with_context(|| out.display().to_string())?;
        eprint_progress(&format!("wrote {}", out.display()));
        Ok(())
    }
}

fn asked_for(parts: &[String], name: &str) -> bool {
    parts.is_empty() || parts.iter().any(|part| name.contains(part))
}

/// What a workload needs and is not there.
fn lacks(bench: &Bench, workload: &Workload) -> Option<String> {
    if workload.targets.is_empty() {
        return Some("none of its targets is asked for".to_owned());
    }
    let Measure::Trace(trace) = &workload.measure else {
        return None;
    };
    let Some(folder) = &bench.traces else {
        return Some("no folder of traces is named (make bench TRACES=DIR, or --traces DIR)".to_owned());
    };
    let file = folder.join(&trace.file);
    (!file.is_file()).then(|| format!("there is no {}", file.display()))
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
