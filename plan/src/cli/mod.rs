//! The command's flags, and what they come to. Reading and writing files is the root's business.

mod lane;
mod words;
mod work;

use crate::answer::{self, Target};
use crate::report::{Report, Series};
use crate::workload::{BandShares, PerBand};
use crate::{LimiterKind, Workload, page, replay, text};
use clap::Args;
use smoother_core::config::Config;
use smoother_core::{Millis, Priority, Tokens};
use std::path::PathBuf;
use words::{For, share};

/// Why nothing was played.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// The flags do not fit each other, or the configuration.
    #[error("{0}")]
    Usage(String),
    /// The trace, the mix or the settings are wrong.
    #[error("{0}")]
    Input(String),
}

/// `smoother plan`
#[derive(Debug, Clone, Args)]
pub struct PlanArgs {
    /// A trace to replay: comma-separated values whose first line names the columns: t_s (or TIMESTAMP),
    /// input_tokens (ContextTokens), output_tokens (GeneratedTokens), and where known tenant (client_id), priority,
    /// max_tokens, timeout_ms; `-` reads it from stdin
    #[arg(value_name = "TRACE", required_unless_present_any = ["mix", "streams"])]
    pub trace: Option<PathBuf>,
    /// A mix to draw, in TOML: docs/plan.md has its keys
    #[arg(long, value_name = "FILE", conflicts_with_all = ["trace", "streams"])]
    pub mix: Option<PathBuf>,
    /// A stream of the mix, as in its file: 'priority="batch", per_minute=60, input=1000, output={mean=300}'; may be
    /// given several times
    #[arg(long = "stream", value_name = "KEYS", conflicts_with_all = ["trace", "mix"])]
    pub streams: Vec<String>,
    /// How long the requests of --stream come
    #[arg(long, value_name = "MINUTES", default_value_t = 10.0, requires = "streams")]
    pub minutes: f64,
    /// Of everything that is drawn; the same seed draws the same
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    pub seed: u64,
    /// Also write a report with plots: one page that loads nothing
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
    /// Priorities of requests that name none: one for all, or shares to draw by, interactive=20,batch=80
    #[arg(
        long,
        value_name = "SHARES",
        default_value = "normal",
        help_heading = "What requests do not say"
    )]
    pub priorities: BandShares,
    /// Tenants among which requests that name none are drawn, the n-th with 1/n of the first's
    #[arg(
        long, value_name = "COUNT", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=100_000),
        help_heading = "What requests do not say"
    )]
    pub tenants: u32,
    /// max_tokens of requests that name none: one for all, or by priority, interactive=256,batch=4096 [default: the
    /// model's maximum is reserved]
    #[arg(long, value_name = "TOKENS", value_parser = words::tokens, help_heading = "What requests do not say")]
    pub max_tokens: Option<PerBand<Tokens>>,
    /// Deadlines of requests that name none: one for all, or by priority, interactive=30s,batch=1h [default: none]
    #[arg(long, value_name = "SPAN", value_parser = words::spans, help_heading = "What requests do not say")]
    pub timeout: Option<PerBand<Millis>>,
    /// The lane and its quota.
    #[command(flatten)]
    pub lane: LaneArgs,
    /// The upstream.
    #[command(flatten)]
    pub upstream: UpstreamArgs,
    /// Find the quota, and the max_tokens, at which requests wait no longer than this
    #[arg(long, value_name = "SPAN", value_parser = crate::span::parse, help_heading = "Questions")]
    pub target_wait: Option<Millis>,
    /// Whose wait that is: interactive, normal, batch or all
    #[arg(
        long = "for",
        value_name = "PRIORITY",
        default_value = "all",
        requires = "target_wait",
        help_heading = "Questions"
    )]
    pub of: For,
    /// For how many percent of them
    #[arg(
        long, value_name = "PERCENT", default_value_t = 95.0, value_parser = share, requires = "target_wait",
        help_heading = "Questions"
    )]
    pub percentile: f64,
}

/// The lane and its quota.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Lane")]
pub struct LaneArgs {
    /// Configuration file with the lane [default: smoother.toml, if no quota is given]
    #[arg(long, value_name = "FILE", env = "SMOOTHER_CONFIG")]
    pub config: Option<PathBuf>,
    /// Which of its lanes [default: the only one]
    #[arg(long, value_name = "LANE")]
    pub lane: Option<String>,
    /// The quota, instead of the configured one
    #[arg(long, value_name = "TOKENS", value_parser = clap::value_parser!(u64).range(1..))]
    pub tokens_per_minute: Option<u64>,
    /// The quota of which the requests' mean demand is so many percent
    #[arg(long, value_name = "PERCENT", value_parser = words::load, conflicts_with = "tokens_per_minute")]
    pub load: Option<f64>,
    /// The quota of requests
    #[arg(long, value_name = "REQUESTS", value_parser = clap::value_parser!(u64).range(1..))]
    pub requests_per_minute: Option<u64>,
    /// Calls at once [default: the configured number, or 64]
    #[arg(long, value_name = "CALLS", value_parser = clap::value_parser!(u32).range(1..))]
    pub max_concurrency: Option<u32>,
    /// Tokens of quota that one output token costs [default: the configured number, or 5]
    #[arg(long, value_name = "TOKENS", value_parser = clap::value_parser!(u64).range(1..=1_000))]
    pub output_burndown: Option<u64>,
    /// What is reserved where max_tokens is not set [default: the configured number, or 64000]
    #[arg(long, value_name = "TOKENS", value_parser = clap::value_parser!(u64).range(1..))]
    pub max_output_tokens: Option<u64>,
    /// How releases are paced, as in the configuration
    #[arg(long, value_name = "PACING")]
    pub pacing: Option<String>,
    /// The bucket of --pacing bucket
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=60), requires = "pacing")]
    pub bucket_seconds: Option<u64>,
    /// Send a smaller max_tokens as soon as a tenant's answers teach it, as the server does for tenants with
    /// right_size = true, and call again what it cuts short [default: those tenants of the configuration]
    #[arg(long)]
    pub right_size: bool,
}

/// The model and its limiter.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Upstream")]
pub struct UpstreamArgs {
    /// How the limiter upstream counts: bucket-10, bucket-60 (seconds of quota), fixed, sliding or none
    #[arg(long, value_name = "LIMITER", default_value = "bucket-10")]
    pub limiter: LimiterKind,
    /// What it admits, if that is not the lane's quota: a wrong quota, or others on it
    #[arg(long, value_name = "TOKENS", value_parser = clap::value_parser!(u64).range(1..))]
    pub upstream_tokens_per_minute: Option<u64>,
    /// How long a call takes to its first token
    #[arg(long, value_name = "SPAN", default_value = "300ms", value_parser = crate::span::parse)]
    pub latency: Millis,
    /// How long each token of an answer takes
    #[arg(long, value_name = "MS", default_value_t = 8.0, value_parser = words::per_token)]
    pub per_token_ms: f64,
    /// To the limiter and back
    #[arg(long, value_name = "SPAN", default_value = "10ms", value_parser = crate::span::parse)]
    pub round_trip: Millis,
}

/// What comes of a plan, in three forms.
#[derive(Debug, Clone)]
pub struct Planned {
    /// The figures; JSON is this.
    pub report: Report,
    /// For a terminal.
    pub text: String,
    series: Series,
}

impl Planned {
    /// A page with plots.
    pub fn html(&self) -> String {
        page(&self.report, &self.series)
    }
}

impl PlanArgs {
    /// The file that has to be read first: the trace or the mix.
    pub fn source(&self) -> Option<&PathBuf> {
        self.trace.as_ref().or(self.mix.as_ref())
    }

    /// Whether the lane is a configured one; otherwise the flags are all there is of it.
    pub fn wants_config(&self) -> bool {
        let lane = &self.lane;
        lane.config.is_some()
            || lane.lane.is_some()
            || (lane.tokens_per_minute.is_none() && lane.load.is_none())
    }

    /// Plays it: `content` is what [`Self::source`] holds, `config` the configuration where one is wanted.
    ///
    /// # Errors
    /// What is wrong with the flags, the content or the settings.
    pub fn play(&self, content: &[u8], config: Option<&Config>) -> Result<Planned, PlanError> {
        let workload = self.workload(content)?;
        let setup = self.setup(config, &workload)?;
        let played = replay(&workload, &setup);
        let mut report = Report::of(&workload, &setup, &played);
        if let Some(wait) = self.target_wait {
            let target = Target {
                wait,
                band: self.of.0,
                percent: self.percentile,
            };
            self.can_ask(&workload)?;
            report.answers.push(answer::quota(&workload, &setup, &target));
            report
                .answers
                .push(answer::max_tokens(&workload, &setup, &target));
        }
        Ok(Planned {
            text: text(&report),
            series: Series::of(&workload, &played),
            report,
        })
    }

    fn can_ask(&self, workload: &Workload) -> Result<(), PlanError> {
        match self.of.0 {
            Some(band) if workload.jobs().iter().all(|job| job.priority != band) => {
                let bands = Priority::ALL
                    .into_iter()
                    .filter(|band| workload.jobs().iter().any(|job| job.priority == *band));
                let there: Vec<&str> = bands.map(Priority::as_str).collect();
                let there = there.join(", ");
                Err(PlanError::Usage(format!(
                    "--for {band}: there is no such request, only {there}; assign some with --priorities"
                )))
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests;
