//! What a workload's file says.

use std::collections::BTreeMap;

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
    /// Kinds of calls; none where a trace has them.
    #[serde(default)]
    pub classes: Vec<Class>,
    /// Settings of the simulator, in the shape of its settings file.
    #[serde(default = "empty_object")]
    pub simulator: serde_json::Value,
    /// Values for a target's files: `${tokens_per_minute}` and so on.
    #[serde(default)]
    pub lane: BTreeMap<String, toml::Value>,
    /// All of the above as the file says it, without its texts, its targets and how many runs there are at once: figures
    /// may stand in one table where this is the same.
    #[serde(skip)]
    pub setting: serde_json::Value,
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
    Burst(Burst),
    /// A recorded trace.
    Trace(Trace),
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

/// Many calls within a short time, over a quota.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Burst {
    /// Calls.
    pub calls: u64,
    /// Over how long they are spread, uniformly.
    pub seconds: u64,
    /// Client processes.
    pub processes: usize,
    /// One run for each.
    pub seeds: Vec<u64>,
    /// Targets that run with other seeds than these.
    #[serde(default)]
    pub seeds_of: BTreeMap<String, Vec<u64>>,
    /// Room for runs at once, which a target takes by its weight: a burst mostly waits.
    pub parallel: usize,
    /// Calls that are not answered so long after the last was due are given up.
    pub patience_seconds: u64,
    /// Patches to the simulator's settings by name; every target runs under every one.
    pub limiters: Vec<Limiter>,
}

/// A recorded trace: arrivals and the model's times are divided by `speed`, and the quota is multiplied by it. Limiters,
/// and the targets' own timers, keep their real time: above 1 a burst holds more calls than it would.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Trace {
    /// Its file, in the folder that the command line names.
    pub file: String,
    /// So many minutes of it, from its beginning.
    pub minutes: u64,
    /// How many times as fast it passes.
    pub speed: u64,
    /// Mean demand (input, and output times its burndown) as a share of what of the quota is left for it.
    pub load: f64,
    /// `max_tokens` of all calls; a run with each.
    pub max_tokens: Vec<u64>,
    /// Shares of the quota that another client takes; a run with each. The quota is larger by as much.
    pub other_clients: Vec<f64>,
    /// Runs beside those.
    #[serde(default)]
    pub more: Vec<TraceRun>,
    /// The limiter.
    pub limiter: Limiter,
    /// Client processes.
    pub processes: usize,
    /// What the priorities are drawn from; no trace has any.
    pub seed: u64,
    /// The priorities, their shares, and by when an answer is wanted, in the trace's time.
    pub priorities: Vec<Priority>,
    /// Room for runs at once, which a target takes by its weight: calls mostly wait.
    pub parallel: usize,
    /// Calls that are not answered so long after the last was due, in real time, are given up.
    pub patience_seconds: u64,
}

/// One more run of a trace, with what it has of its own.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TraceRun {
    /// `max_tokens` of all calls.
    pub max_tokens: u64,
    /// As the trace's.
    pub load: f64,
    /// The share of the quota that another client takes.
    pub other_clients: f64,
}

/// A priority of a trace's calls.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Priority {
    /// Its name.
    pub name: String,
    /// Its share of the calls; shares add up to 1.
    pub share: f64,
    /// By when, after its arrival, an answer is wanted.
    pub deadline_seconds: u64,
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
    /// By when, after its arrival, an answer is wanted.
    #[serde(default)]
    pub deadline_seconds: Option<u64>,
}
