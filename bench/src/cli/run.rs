//! `smoother-bench run`: measures what is asked for, and keeps it beside what was measured before.

use std::path::{Path, PathBuf};

use anyhow::bail;
use tokio::time::Instant;

use super::{Place, eprint_progress, name, workloads};
use crate::driver::Bench;
use crate::files::{Measure, Workload};
use crate::report::{Made, Report, Section, commit, machine};
use crate::{files, measure};

#[derive(Debug, clap::Args)]
pub(super) struct Run {
    #[command(flatten)]
    place: Place,
    /// Only workloads whose file name holds one of these; the report keeps the others' last figures
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// Only targets whose name holds one of these; the report keeps the others' last figures
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

/// What is the same for all workloads of a run.
struct Session {
    bench: Bench,
    report: Report,
    machine: String,
    commit: String,
}

impl Run {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        let traces = self.traces.as_deref().map(std::path::absolute).transpose()?;
        let bench = Bench::new(&self.place.root, self.install, traces)?;
        let session = Session {
            report: self.place.report()?,
            machine: machine(&bench.scratch)?,
            commit: commit(&bench.root),
            bench,
        };
        let mut failed = Vec::new();
        for path in workloads(&session.bench.root)? {
            let name = name(&path)?;
            if asked_for(&self.only, name)
                && let Err(error) = self.measure(&session, name, &path).await
            {
                eprint_progress(&format!("{name}: {error:#}"));
                failed.push(name.to_owned());
            }
        }
        self.place.write(&session.report)?;
        if !failed.is_empty() {
            bail!(
                "{} could not be measured; what it said stands above",
                failed.join(", ")
            );
        }
        Ok(std::fs::remove_dir_all(&session.bench.scratch)?)
    }

    /// Measures one workload and keeps what it gave.
    async fn measure(&self, session: &Session, name: &str, path: &Path) -> anyhow::Result<()> {
        let bench = &session.bench;
        let mut workload = files::workload(path, self.quick)?;
        let all = workload.targets.clone();
        workload.targets.retain(|target| asked_for(&self.targets, target));
        if let Some(missing) = lacks(bench, &workload) {
            eprint_progress(&format!("{name}: left out: {missing}"));
            return Ok(());
        }
        let before = session.report.section(name)?;
        let beside = before.filter(|_| workload.targets.len() < all.len());
        if let Some(before) = &beside {
            joins(before, &workload)?;
        }
        eprint_progress(&format!("{name} …"));
        let begun = Instant::now();
        let findings = measure::run(bench, &workload).await?;
        let made = Made {
            targets: titles(bench, &workload.targets)?,
            date: chrono::Local::now().format("%Y-%m-%d").to_string(),
            commit: session.commit.clone(),
            machine: session.machine.clone(),
            minutes: begun.elapsed().as_secs().div_ceil(60),
            command: self.command(name, &workload),
        };
        let mut section = Section::new(name, &workload, made, findings);
        if let Some(before) = beside {
            section.join(before, &titles(bench, &all)?);
        }
        session.report.keep(&section)
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
}

fn titles(bench: &Bench, targets: &[String]) -> anyhow::Result<Vec<String>> {
    targets
        .iter()
        .map(|target| Ok(bench.target(target)?.title))
        .collect()
}

/// Refuses a run of some targets whose figures could not stand beside those of the others, which it would else replace.
fn joins(before: &Section, workload: &Workload) -> anyhow::Result<()> {
    let remedy = "run all its targets, or write another report (--out, make bench OUT=FILE)";
    if matches!(workload.measure, Measure::Open { .. } | Measure::Degrading { .. }) {
        bail!("its targets are told against each other within one run: {remedy}");
    }
    if !before.has_setting(&workload.setting) {
        bail!("the figures of its other targets were measured with other settings: {remedy}");
    }
    Ok(())
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
