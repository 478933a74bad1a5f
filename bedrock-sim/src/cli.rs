//! The simulator's flags, for the binary and for commands that bundle it.

use std::path::{Path, PathBuf};

use crate::fault::FaultRule;
use crate::object::Object;
use crate::script::{Script, ScriptError};
use crate::server::{RunningSim, SimConfig};
use crate::settings::{LimiterKind, Oversize, Settings, SettingsError};

/// Flags that set up a simulator. What a flag leaves out comes from `--settings`, else the default.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct SimArgs {
    /// Port on 127.0.0.1; 0 takes a free one
    #[arg(long, default_value_t = 9000)]
    pub port: u16,
    /// JSON file of settings, in the shape that GET /control prints
    #[arg(long, value_name = "FILE")]
    pub settings: Option<PathBuf>,
    /// Tokens per minute of each model [default: unlimited]
    #[arg(long, value_name = "TOKENS")]
    pub tokens_per_minute: Option<u64>,
    /// Requests per minute of each model [default: unlimited]
    #[arg(long, value_name = "REQUESTS")]
    pub requests_per_minute: Option<u64>,
    /// Tokens per day of each model [default: unlimited]
    #[arg(long, value_name = "TOKENS")]
    pub tokens_per_day: Option<u64>,
    /// Calls at once of each model [default: unlimited]
    #[arg(long, value_name = "CALLS")]
    pub max_concurrency: Option<u32>,
    /// How limits per minute are counted [default: bucket]
    #[arg(long)]
    pub limiter: Option<LimiterKind>,
    /// Capacity of the bucket limiter, in seconds of its refill [default: 10]
    #[arg(long, value_name = "SECONDS")]
    pub bucket_seconds: Option<f64>,
    /// How far into its minute the fixed limiter is at the start [default: 0]
    #[arg(long, value_name = "MS")]
    pub window_phase_ms: Option<u64>,
    /// How far into its day the daily limit is at the start [default: 0]
    #[arg(long, value_name = "MS")]
    pub day_phase_ms: Option<u64>,
    /// Calls larger than a limit can ever hold [default: refuse]
    #[arg(long)]
    pub oversize: Option<Oversize>,
    /// How often an output token counts [default: 5 for Claude 3.7 and later, else 1]
    #[arg(long, value_name = "FACTOR")]
    pub output_burndown: Option<u32>,
    /// The most tokens a model generates, reserved when a call asks for no number [default: 64000]
    #[arg(long, value_name = "TOKENS")]
    pub max_output_tokens: Option<u64>,
    /// The longest input a model takes [default: any]
    #[arg(long, value_name = "TOKENS")]
    pub max_input_tokens: Option<u64>,
    /// A model that exists; with none given any id does. May be repeated
    #[arg(long = "model", value_name = "ID")]
    pub models: Vec<String>,
    /// The Region of calls whose signature names none [default: us-east-1]
    #[arg(long, value_name = "REGION")]
    pub default_region: Option<String>,
    /// Say in a stream's head when its call came, for measuring what lies between; Bedrock does not
    #[arg(long)]
    pub stamp_arrival: bool,
    /// Milliseconds until the first token [default: 0]
    #[arg(long, value_name = "MS")]
    pub base_ms: Option<f64>,
    /// Milliseconds for each output token [default: 0]
    #[arg(long, value_name = "MS")]
    pub per_token_ms: Option<f64>,
    /// Tokens in one streamed event [default: 4]
    #[arg(long, value_name = "TOKENS")]
    pub tokens_per_event: Option<u32>,
    /// A fault and its share of the calls, as in 503=0.02 or cut-after=0.1@5000..9000. May be repeated
    #[arg(long = "fault", value_name = "FAULT=SHARE")]
    pub faults: Vec<FaultRule>,
    /// Decides which calls the faults strike [default: 0]
    #[arg(long, value_name = "NUMBER")]
    pub fault_seed: Option<u64>,
    /// Share of the limits per minute that another client takes, 0 to 1 [default: 0]
    #[arg(long, value_name = "SHARE")]
    pub external_load: Option<f64>,
    /// TOML or JSON file that says what goes wrong when, as PUT /script takes it
    #[arg(long, value_name = "FILE")]
    pub script: Option<PathBuf>,
    /// How many calls GET /calls remembers
    #[arg(long, value_name = "CALLS", default_value_t = 0)]
    pub call_log: usize,
}

/// Flags that make no simulator.
#[derive(Debug, thiserror::Error)]
pub enum ArgsError {
    /// A file cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The settings file is not valid.
    #[error("{}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong in it.
        source: SettingsError,
    },
    /// The script cannot be played.
    #[error("{}: {source}", path.display())]
    Script {
        /// The file.
        path: PathBuf,
        /// What is wrong in it.
        source: Box<ScriptError>,
    },
    /// A flag is out of its range.
    #[error(transparent)]
    Settings(#[from] SettingsError),
}

impl SimArgs {
    /// Reads the settings file and lays the flags over it.
    ///
    /// # Errors
    /// The file cannot be read or is not valid, or a value is out of its range.
    pub fn into_config(self) -> Result<SimConfig, ArgsError> {
        let mut settings = self.file()?;
        let script = self.script.as_deref().map(script).transpose()?;
        let (port, call_log) = (self.port, self.call_log);
        self.overlay(&mut settings);
        settings.check()?;
        Ok(SimConfig {
            port,
            call_log,
            settings,
            script,
        })
    }

    fn file(&self) -> Result<Settings, ArgsError> {
        let Some(path) = self.settings.clone() else {
            return Ok(Settings::default());
        };
        let text = read(&path)?;
        let read = serde_json::from_slice::<Object<Settings>>(&text);
        read.map(|object| object.0).map_err(|error| ArgsError::File {
            path,
            source: error.into(),
        })
    }

    fn overlay(self, settings: &mut Settings) {
        fn set<T>(target: &mut T, flag: Option<T>) {
            if let Some(value) = flag {
                *target = value;
            }
        }
        let quota = &mut settings.quota;
        quota.tokens_per_minute = self.tokens_per_minute.or(quota.tokens_per_minute);
        quota.requests_per_minute = self.requests_per_minute.or(quota.requests_per_minute);
        quota.tokens_per_day = self.tokens_per_day.or(quota.tokens_per_day);
        quota.max_concurrency = self.max_concurrency.or(quota.max_concurrency);
        set(&mut quota.limiter, self.limiter);
        set(&mut quota.bucket_seconds, self.bucket_seconds);
        set(&mut quota.window_phase_ms, self.window_phase_ms);
        set(&mut quota.day_phase_ms, self.day_phase_ms);
        set(&mut quota.oversize, self.oversize);
        settings.output_burndown = self.output_burndown.or(settings.output_burndown);
        settings.max_input_tokens = self.max_input_tokens.or(settings.max_input_tokens);
        set(&mut settings.max_output_tokens, self.max_output_tokens);
        set(&mut settings.latency.base_ms, self.base_ms);
        set(&mut settings.latency.per_token_ms, self.per_token_ms);
        set(&mut settings.latency.tokens_per_event, self.tokens_per_event);
        set(&mut settings.external_load, self.external_load);
        set(&mut settings.default_region, self.default_region);
        settings.stamp_arrival |= self.stamp_arrival;
        set(&mut settings.faults.seed, self.fault_seed);
        settings.faults.rules.extend(self.faults);
        settings.only_known_models |= !self.models.is_empty();
        for model in self.models {
            settings.models.entry(model).or_default();
        }
    }
}

fn read(path: &Path) -> Result<Vec<u8>, ArgsError> {
    std::fs::read(path).map_err(|source| ArgsError::Read {
        path: path.to_owned(),
        source,
    })
}

fn script(path: &Path) -> Result<Script, ArgsError> {
    Script::read(&read(path)?).map_err(|source| ArgsError::Script {
        path: path.to_owned(),
        source: source.into(),
    })
}

/// What a command prints first: where the simulator listens, for people or for programs.
pub fn first_line(sim: &RunningSim, json: bool) -> String {
    if json {
        let line = serde_json::json!({ "url": sim.url(), "addr": sim.addr(), "pid": std::process::id() });
        return line.to_string();
    }
    format!("bedrock-sim listens on {}", sim.url())
}
