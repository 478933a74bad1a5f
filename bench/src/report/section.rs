//! One workload's section, and all of them together.

use std::path::Path;
use std::process::Command;

use serde::{Deserialize, Serialize};

use super::table::Table;
use crate::files::Workload;

/// What one workload gave, kept between runs.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Section {
    title: String,
    about: String,
    goal: Option<String>,
    command: String,
    date: String,
    commit: String,
    tables: Vec<Table>,
}

impl Section {
    /// Of tables measured just now.
    pub fn new(root: &Path, name: &str, workload: &Workload, quick: bool, tables: Vec<Table>) -> Self {
        let quick = if quick { " --quick" } else { "" };
        Self {
            title: workload.title.clone(),
            about: workload.about.clone(),
            goal: workload.goal.clone(),
            command: format!("target/release/smoother-bench run --only {name}{quick}"),
            date: chrono::Local::now().format("%Y-%m-%d").to_string(),
            commit: commit(root),
            tables,
        }
    }

    fn markdown(&self) -> String {
        let mut text = format!("## {}\n\n{}\n\n", self.title, self.about.trim());
        if let Some(goal) = &self.goal {
            text += &format!("Wanted: {}.\n\n", goal.trim());
        }
        for table in &self.tables {
            text += &table.markdown();
            text.push('\n');
        }
        text += &format!("{}, commit {}: `{}`\n", self.date, self.commit, self.command);
        text
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

/// The whole report.
pub fn markdown(machine: &str, sections: &[Section]) -> String {
    let mut text = format!(
        "# Benchmarks\n\n\
         Written by `make bench` (`make bench QUICK=1` for a short run); do not edit. Workloads are \
         `bench/workloads/*.toml`, targets `bench/targets/*.toml`.\n\n\
         {machine}\n\n\
         Client processes, the smoother and the simulator share this machine's cores: in the closed loop they \
         take them from each other, so a machine of its own for each would show higher rates. The simulator \
         stands for Bedrock; nothing here was measured against Bedrock itself.\n"
    );
    for section in sections {
        text.push('\n');
        text += &section.markdown();
    }
    text
}
