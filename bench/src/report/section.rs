//! One workload's section, and all of them together.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

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
    title: String,
    about: String,
    goal: Option<String>,
    command: String,
    date: String,
    commit: String,
    /// How long the measuring took.
    #[serde(default)]
    minutes: Option<u64>,
    /// The name of its pictures.
    #[serde(default)]
    name: String,
    tables: Vec<Table>,
    #[serde(default)]
    plots: Vec<Plot>,
}

impl Section {
    /// Of what was measured just now, by `command` within `took`.
    pub fn new(
        root: &Path,
        name: &str,
        workload: &Workload,
        command: String,
        took: Duration,
        findings: Findings,
    ) -> Self {
        Self {
            title: workload.title.clone(),
            about: workload.about.clone(),
            goal: workload.goal.clone(),
            command,
            date: chrono::Local::now().format("%Y-%m-%d").to_string(),
            commit: commit(root),
            minutes: Some(took.as_secs().div_ceil(60)),
            name: name.to_owned(),
            tables: findings.tables,
            plots: findings.plots,
        }
    }

    /// In Markdown, with its pictures in the folder `pictures`.
    fn markdown(&self, pictures: &str) -> String {
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
        let took = self
            .minutes
            .map_or_else(String::new, |minutes| format!(", in {minutes} min"));
        text += &format!(
            "{}, commit {}{took}: `{}`\n",
            self.date, self.commit, self.command
        );
        text
    }

    fn picture(&self, number: usize) -> String {
        match number {
            0 => format!("{}.svg", self.name),
            more => format!("{}-{more}.svg", self.name),
        }
    }
}

/// The commit, marked where the tree has changes besides.
fn commit(root: &Path) -> String {
    Command::new("git")
        .args(["describe", "--always", "--dirty", "--exclude=*"])
        .current_dir(root)
        .output()
        .ok()
        .filter(|output| output.status.success())
        .map_or_else(
            || "unknown".to_owned(),
            |output| String::from_utf8_lossy(&output.stdout).trim().to_owned(),
        )
}

/// The whole report; its pictures lie in the folder `pictures` beside it.
pub fn report(machine: &str, sections: &[Section], pictures: &str) -> String {
    let mut text = format!(
        "# Benchmarks\n\n\
         Written by `make bench` (`make bench QUICK=1` for a short run); do not edit. Workloads are \
         `bench/workloads/*.toml`, targets `bench/targets/*.toml`: [how to add one](../bench/README.md).\n\n\
         {machine}\n\n\
         Client processes, the targets and the simulator share this machine's cores: in the closed loop they \
         take them from each other, so a machine of its own for each would show higher rates. The simulator \
         stands for Bedrock; nothing here was measured against Bedrock itself.\n"
    );
    for section in sections {
        text.push('\n');
        text += &section.markdown(pictures);
    }
    text
}

/// All pictures: file name and content.
pub fn pictures(sections: &[Section]) -> Vec<(String, String)> {
    let of = |section: &Section| -> Vec<(String, String)> {
        let plots = section.plots.iter().enumerate();
        plots
            .map(|(number, plot)| (section.picture(number), plot.svg(&section.title)))
            .collect()
    };
    sections.iter().flat_map(of).collect()
}
