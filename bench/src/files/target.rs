//! What a target's file says.

use std::collections::BTreeMap;

use serde::Deserialize;

/// What stands between the client and the simulator, or another client.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Target {
    /// Its name in the tables.
    pub title: String,
    /// What it cannot do, or how it is set up, as far as a reader of its figures must know: one sentence each.
    #[serde(default)]
    pub remarks: Vec<String>,
    /// How much of the room for runs at once one of it takes: about the processors it keeps busy, in eighths.
    #[serde(default = "light")]
    pub weight: usize,
    /// Packages to install for it; none: it is there.
    #[serde(default)]
    pub install: Option<Install>,
    /// How it is spoken to; Bedrock's Converse if it does not say.
    #[serde(default)]
    pub wire: Wire,
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
    /// How long that may take.
    #[serde(default = "a_minute")]
    pub ready_seconds: u64,
    /// Small calls that are made before anything is counted, for a server that is slow at its first.
    #[serde(default)]
    pub warm_up_calls: usize,
    /// The path at which it tells of itself as a smoother does; none: it is not asked.
    #[serde(default)]
    pub metrics: Option<String>,
    /// Its environment, beside that of a dummy AWS account, with `${…}` places.
    #[serde(default)]
    pub environment: BTreeMap<String, String>,
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

/// Packages that the benchmark installs into a folder of its own, `bench/installed/<folder>`, which is `${installed}`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Install {
    /// The folder; targets that need the same packages share one.
    pub folder: String,
    /// From PyPI by pip, into a Python environment in `venv`.
    #[serde(default)]
    pub pip: Vec<String>,
    /// From npm, into `node_modules`.
    #[serde(default)]
    pub npm: Vec<String>,
}

/// How a target is spoken to.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wire {
    /// The form of a body.
    #[serde(default)]
    pub speaks: Speaks,
    /// The path, with `${…}` places; Bedrock's own if it does not say.
    #[serde(default)]
    pub path: Option<String>,
    /// Headers of every call. Beside the places of a run, they may hold `${priority}` and `${tenant}`; one that comes out
    /// empty is left out.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// Laid over every body.
    #[serde(default)]
    pub body: serde_json::Map<String, serde_json::Value>,
    /// Laid over the bodies of a priority.
    #[serde(default)]
    pub body_of: BTreeMap<String, serde_json::Map<String, serde_json::Value>>,
}

/// The form of a body.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Speaks {
    /// Bedrock's Converse.
    #[default]
    Converse,
    /// OpenAI's chat completions; whole answers only.
    OpenAi,
}

const fn a_minute() -> u64 {
    60
}

const fn light() -> usize {
    1
}
