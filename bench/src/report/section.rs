//! One workload's section.

use std::path::Path;
use std::process::Command;

use serde::{Deserialize, Serialize};

use super::plot::Plot;
use super::table::Table;
use crate::files::Workload;

/// What was measured.
#[derive(Debug, Clone, Default)]
pub struct Findings {
    /// Tables.
    pub tables: Vec<Table>,
    /// The same as pictures.
    pub plots: Vec<Plot>,
}

impl From<Vec<Table>> for Findings {
    fn from(tables: Vec<Table>) -> Self {
        Self {
            tables,
            plots: Vec::new(),
        }
    }
}

/// What one workload gave, kept between runs.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Section {
    /// The workload's, and of its pictures.
    name: String,
    title: String,
    about: String,
    goal: Option<String>,
    /// Which runs gave the figures.
    runs: Vec<Made>,
    tables: Vec<Table>,
    plots: Vec<Plot>,
    /// How it was measured, as the workload's file says.
    setting: serde_json::Value,
}

/// How figures came about.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Made {
    /// Of which targets, by their titles.
    pub targets: Vec<String>,
    /// The day.
    pub date: String,
    /// The commit.
    pub commit: String,
    /// The machine.
    pub machine: String,
    /// How long the measuring took.
    pub minutes: u64,
    /// What was called.
    pub command: String,
}

impl Section {
    /// Of what was measured just now.
    pub fn new(name: &str, workload: &Workload, made: Made, findings: Findings) -> Self {
        Self {
            name: name.to_owned(),
            title: workload.title.clone(),
            about: workload.about.clone(),
            goal: workload.goal.clone(),
            runs: vec![made],
            tables: findings.tables,
            plots: findings.plots,
            setting: workload.setting.clone(),
        }
    }

    /// The workload's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether it was measured so.
    pub fn has_setting(&self, setting: &serde_json::Value) -> bool {
        self.setting == *setting
    }

    /// Takes the figures of targets that were measured before, and not now, beside its own; all in the order of `titles`.
    pub fn join(&mut self, before: Self, titles: &[String]) {
        let measured: Vec<String> = self.runs.iter().flat_map(|run| run.targets.clone()).collect();
        let is_old = |title: &str| {
            titles.iter().any(|each| each == title) && !measured.iter().any(|each| each == title)
        };
        for before in before.tables {
            match self.tables.iter_mut().find(|table| table.is_like(&before)) {
                Some(table) => table.join(before, is_old, titles),
                // Of something that only those targets tell; remarks come last.
                None => {
                    let mut table = before.emptied();
                    table.join(before, is_old, titles);
                    self.tables.insert(self.tables.len().saturating_sub(1), table);
                }
            }
        }
        for (plot, before) in self.plots.iter_mut().zip(before.plots) {
            plot.join(before, is_old, titles);
        }
        let mut runs = before.runs;
        for run in &mut runs {
            run.targets.retain(|title| is_old(title));
        }
        runs.retain(|run| !run.targets.is_empty());
        self.runs.splice(0..0, runs);
    }

    /// In Markdown, with its pictures in the folder `pictures`.
    pub(super) fn markdown(&self, pictures: &str) -> String {
        let mut text = format!("## {}\n\n{}\n\n", self.title, self.about.trim());
        if let Some(goal) = &self.goal {
            text += &format!("Wanted: {}.\n\n", goal.trim());
        }
        for (number, _) in self.plots.iter().enumerate() {
            text += &format!("![{}]({pictures}/{})\n\n", self.title, self.picture(number));
        }
        for table in &self.tables {
            text += &table.markdown();
            text.push('\n');
        }
        let lines: Vec<String> = self.runs.iter().map(|run| self.line(run)).collect();
        text + &lines.join("\n")
    }

    /// How figures came about; of which targets, where they came about in several runs.
    fn line(&self, run: &Made) -> String {
        let of = if self.runs.len() > 1 {
            format!("{}: ", run.targets.join("; "))
        } else {
            String::new()
        };
        format!(
            "{of}{}, commit {}, in {} min, on {}: `{}`\n",
            run.date, run.commit, run.minutes, run.machine, run.command
        )
    }

    fn picture(&self, number: usize) -> String {
        match number {
            0 => format!("{}.svg", self.name),
            more => format!("{}-{more}.svg", self.name),
        }
    }

    /// Its pictures: file name and content.
    pub(super) fn pictures(&self) -> Vec<(String, String)> {
        let plots = self.plots.iter().enumerate();
        plots
            .map(|(number, plot)| (self.picture(number), plot.svg(&self.title)))
            .collect()
    }
}

/// The commit, marked where the tree has changes besides; the report's own do not count, which a run makes itself.
pub fn commit(root: &Path) -> String {
    let git = |arguments: &[&str]| {
        let output = Command::new("git")
            .args(arguments)
            .current_dir(root)
            .output()
            .ok()?;
        let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        output.status.success().then_some(text)
    };
    let Some(commit) = git(&["rev-parse", "--short", "HEAD"]) else {
        return "unknown".to_owned();
    };
    let changes = git(&[
        "status",
        "--porcelain",
        "--untracked-files=no",
        "--",
        ".",
        ":(exclude)docs/benchmarks.md",
        ":(exclude)docs/benchmarks",
    ]);
    match changes.as_deref() {
        Some("") => commit,
        _ => format!("{commit}-dirty"),
    }
}

#[cfg(test)]
pub(super) mod testing {
    use super::super::plot::{Axis, Group, Value};
    use super::*;

    /// Figures of a workload, one row and one bar for each target.
    pub fn section(name: &str, title: &str, targets: &[&str]) -> Section {
        let mut table = Table::new(["target", "limiter", "answered"]);
        for target in targets {
            table.row([(*target).to_owned(), "x".to_owned(), "1".to_owned()]);
        }
        Section {
            name: name.to_owned(),
            title: title.to_owned(),
            about: "About.".to_owned(),
            goal: None,
            runs: vec![Made {
                targets: targets.iter().map(|target| (*target).to_owned()).collect(),
                date: "2026-01-01".to_owned(),
                commit: "abc".to_owned(),
                machine: "a machine".to_owned(),
                minutes: 1,
                command: format!("bench {}", targets.join(",")),
            }],
            tables: vec![table],
            plots: vec![Plot {
                axes: vec![Axis::linear("answered", "%", 100.0)],
                groups: vec![Group {
                    title: "x".to_owned(),
                    bars: targets
                        .iter()
                        .map(|target| ((*target).to_owned(), vec![Value::Number(1.0)]))
                        .collect(),
                }],
            }],
            setting: serde_json::Value::Null,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::testing::section;

    #[test]
    fn a_run_of_some_targets_replaces_theirs_and_tells_which_run_gave_what() {
        let all = ["a", "b", "c"].map(str::to_owned);
        let mut now = section("n", "T", &["b"]);
        now.join(section("n", "T", &["c", "b", "gone"]), &all);
        let text = now.markdown("p");
        let rows: Vec<&str> = text.lines().filter(|line| line.ends_with("| x | 1 |")).collect();
        assert_eq!(rows, ["| b | x | 1 |", "| c | x | 1 |"]);
        assert!(text.contains("\nc: 2026-01-01, commit abc, in 1 min, on a machine: `bench c,b,gone`\n"));
        assert!(text.contains("\nb: 2026-01-01, commit abc, in 1 min, on a machine: `bench b`\n"));
        let svg = &now.pictures()[0].1;
        assert!(svg.contains(">c<") && !svg.contains(">gone<"));
    }
}
