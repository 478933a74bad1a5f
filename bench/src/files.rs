//! Workloads and targets as their files say.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Context;
use serde::Deserialize;

/// What is asked for, and of which simulator.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Workload {
    /// Heading of its section.
    pub title: String,
    /// What is measured and how, in plain sentences.
    pub about: String,
    /// What is wanted of the smoother; none where the figures stand for themselves.
    #[serde(default)]
    pub goal: Option<String>,
    /// Names of the targets, in the order of the table.
    pub targets: Vec<String>,
    /// How it is measured.
    pub measure: Measure,
    /// Kinds of calls.
    pub classes: Vec<Class>,
    /// Settings of the simulator, in the shape of its settings file.
    #[serde(default = "empty_object")]
    pub simulator: serde_json::Value,
    /// Values for a target's files: `${tokens_per_minute}` and so on.
    #[serde(default)]
    pub lane: BTreeMap<String, toml::Value>,
    /// Laid over all of the above for a quick run; read before this struct is.
    #[serde(default, rename = "quick")]
    _quick: Option<toml::Table>,
}

fn empty_object() -> serde_json::Value {
    serde_json::Value::Object(serde_json::Map::new())
}

/// How a workload is measured.
#[derive(Debug, Clone, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Measure {
    /// Open loop at a fixed rate; every target in turn, round after round.
    Open {
        /// Calls a second.
        rate: u64,
        /// Length of a round.
        seconds: u64,
        /// Rounds, pooled.
        rounds: u64,
    },
    /// Closed loop.
    Closed {
        /// Connections.
        connections: usize,
        /// Calls before counting.
        warmup: usize,
        /// Calls counted, each round.
        count: usize,
        /// Rounds; the table has the median.
        rounds: usize,
    },
    /// Many calls within a short time, over a quota.
    Burst {
        /// Calls.
        calls: u64,
        /// Over how long they are spread, uniformly.
        seconds: u64,
        /// Client processes.
        processes: usize,
        /// One run for each.
        seeds: Vec<u64>,
        /// Runs at once: a burst mostly waits.
        parallel: usize,
        /// Patches to the simulator's settings by name; each of `targets` runs under the first, and those of
        /// `under_all` under every one.
        limiters: Vec<Limiter>,
        /// Targets that run under every limiter.
        under_all: Vec<String>,
    },
    /// An upstream that gets worse and well again.
    Degrading {
        /// Calls a minute, evenly spaced.
        calls_per_minute: u64,
        /// The phases pass so many times as fast; everything else stays as it is.
        speed: u64,
        /// What happens upstream, one after the other. The first is calm, the last is when it is well again.
        phases: Vec<Phase>,
    },
    /// Many jobs waiting.
    Jobs {
        /// Jobs.
        count: usize,
        /// Connections that submit.
        connections: usize,
        /// Over how long the release rate is counted, at most.
        release_seconds: u64,
        /// Values laid over `lane` once the jobs are to go out.
        release_lane: BTreeMap<String, toml::Value>,
    },
}

/// A part of a run over which something is wrong upstream, or nothing.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Phase {
    /// Its name in the table.
    pub name: String,
    /// Its length, before `speed`.
    pub seconds: u64,
    /// Spans of a simulator's script, their times counted from the phase's beginning; one without an end lasts as
    /// long as the phase.
    #[serde(default)]
    pub spans: Vec<serde_json::Value>,
}

/// A limiter to run under.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limiter {
    /// Its name in the table.
    pub name: String,
    /// Patch to the simulator's settings.
    pub settings: serde_json::Value,
    /// Whether each seed begins at another point of the limiter's minute.
    #[serde(default)]
    pub shift_by_seed: bool,
}

/// A kind of call.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Class {
    /// Its priority.
    pub name: String,
    /// Its share of the calls; shares add up to 1.
    pub share: f64,
    /// Input, on average.
    pub input_tokens: u64,
    /// max_tokens.
    pub max_tokens: u64,
    /// Output, on average.
    pub output_tokens: u64,
    /// Inputs and outputs vary uniformly by this share around their averages.
    #[serde(default)]
    pub spread: f64,
    /// Whether answers are streamed.
    #[serde(default)]
    pub stream: bool,
}

/// What stands between the client and the simulator, or another client.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Target {
    /// Its name in the tables.
    pub title: String,
    /// A server in front of the simulator; none: the client calls the simulator itself.
    #[serde(default)]
    pub server: Option<ServerFile>,
    /// Another client than the load generator: a command that speaks the plan protocol.
    #[serde(default)]
    pub client: Option<ClientFile>,
}

/// A server to start.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServerFile {
    /// Its command line, with `${…}` places.
    pub command: Vec<String>,
    /// A path that answers 200 once it is ready.
    pub ready: String,
    /// Files to write beside it, with `${…}` places.
    #[serde(default)]
    pub files: BTreeMap<String, String>,
}

/// A client to start.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClientFile {
    /// Its command line, with `${…}` places.
    pub command: Vec<String>,
    /// Processes; none: as many as the workload says.
    #[serde(default)]
    pub processes: Option<usize>,
}

/// Reads a workload; a quick run lays its `[quick]` over it.
///
/// # Errors
/// The file cannot be read or has an unknown or missing key.
pub fn workload(path: &Path, quick: bool) -> anyhow::Result<Workload> {
    let mut table: toml::Table = read(path)?;
    if quick && let Some(toml::Value::Table(over)) = table.get("quick").cloned() {
        lay_over(&mut table, over);
    }
    table.try_into().with_context(|| path.display().to_string())
}

/// Reads a target.
///
/// # Errors
/// As [`workload`].
pub fn target(path: &Path) -> anyhow::Result<Target> {
    read(path)?.try_into().with_context(|| path.display().to_string())
}

fn read(path: &Path) -> anyhow::Result<toml::Table> {
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    text.parse().with_context(|| path.display().to_string())
}

fn lay_over(base: &mut toml::Table, over: toml::Table) {
    for (key, value) in over {
        match (base.get_mut(&key), value) {
            (Some(toml::Value::Table(inner)), toml::Value::Table(value)) => lay_over(inner, value),
            (_, value) => drop(base.insert(key, value)),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn folder(name: &str) -> Vec<std::path::PathBuf> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
        std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect()
    }

    #[test]
    fn every_file_is_readable_and_every_target_that_is_named_exists() {
        let targets: Vec<String> = folder("targets")
            .iter()
            .map(|path| {
                target(path).unwrap();
                path.file_stem().unwrap().to_str().unwrap().to_owned()
            })
            .collect();
        for path in folder("workloads") {
            for quick in [false, true] {
                let workload = workload(&path, quick).unwrap();
                assert!(
                    workload.targets.iter().all(|name| targets.contains(name)),
                    "{}",
                    path.display()
                );
                let shares: f64 = workload.classes.iter().map(|class| class.share).sum();
                assert!(
                    (shares - 1.0).abs() < 1e-9,
                    "shares of {} add up to {shares}",
                    path.display()
                );
            }
        }
    }

    #[test]
    fn a_quick_run_changes_only_what_it_names() {
        let mut base: toml::Table = "a = 1\n[t]\nb = 2\nc = 3".parse().unwrap();
        lay_over(&mut base, "[t]\nc = 4".parse().unwrap());
        assert_eq!(base, "a = 1\n[t]\nb = 2\nc = 4".parse().unwrap());
    }
}
