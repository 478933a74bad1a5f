//! The lane and the upstream that the flags name: a configured lane under the flags, or the flags alone.

use super::{PlanArgs, PlanError};
use crate::replay::{RightSized, Setup};
use crate::round::whole;
use crate::upstream::{Latency, Upstream};
use crate::workload::Workload;
use smoother_core::config::{Config, LaneConfig};
use smoother_core::scheduler::SchedulerConfig;
use smoother_core::{LaneId, RequestsPerMinute, Tokens, TokensPerMinute};

/// What stands for a lane that only flags describe: the numbers are those of a Claude model from 3.7 on.
const PLAIN: &str = "[lanes.plan]\nregion = \"us-east-1\"\ntokens_per_minute = 1\n\
                     model = \"us.anthropic.claude-sonnet-4-5-20250929-v1:0\"\n";

impl PlanArgs {
    pub(super) fn setup(&self, config: Option<&Config>, workload: &Workload) -> Result<Setup, PlanError> {
        let plain = loaded(PLAIN)?;
        let config = config.unwrap_or(&plain);
        let mut lane = self.chosen(config)?;
        self.overlay(&mut lane)?;
        let model_most = Tokens::new(lane.max_output_tokens);
        if let Some(load) = self.lane.load {
            let demand = workload.demand(lane.output_burndown, model_most).a_minute();
            lane.tokens_per_minute = TokensPerMinute::new(whole(demand as f64 * 100.0 / load).max(1));
        }
        let (upstream, model) = (&self.upstream, lane.models.first().cloned());
        Ok(Setup {
            scheduler: SchedulerConfig::of(config, &lane),
            model: model.ok_or_else(|| PlanError::Input(format!("lane {} names no model", lane.id)))?,
            upstream: Upstream {
                limiter: upstream.limiter,
                tokens_per_minute: upstream.upstream_tokens_per_minute.map(TokensPerMinute::new),
                requests_per_minute: None,
                latency: Latency {
                    base: upstream.latency,
                    per_token_ms: upstream.per_token_ms,
                },
                round_trip: upstream.round_trip,
            },
            most: None,
            right_sized: self.right_sized(config),
            seed: self.seed,
        })
    }

    /// Everybody's requests where the flag says so, else those of the tenants that the configuration names for it.
    fn right_sized(&self, config: &Config) -> RightSized {
        if self.lane.right_size {
            return RightSized::Everybody;
        }
        let tenants = config.tenants.iter().filter(|(_, tenant)| tenant.right_size);
        RightSized::Of(tenants.map(|(id, _)| id.clone()).collect())
    }

    fn chosen(&self, config: &Config) -> Result<LaneConfig, PlanError> {
        let names = || {
            config
                .lanes
                .keys()
                .map(LaneId::as_str)
                .collect::<Vec<_>>()
                .join(", ")
        };
        let wrong = |what: String| Err(PlanError::Usage(what));
        match (&self.lane.lane, config.lanes.len()) {
            (_, 0) => wrong(
                "no lane is configured: give the quota with --tokens-per-minute or --load, or a --config"
                    .to_owned(),
            ),
            (Some(name), _) => match config.lanes.values().find(|lane| lane.id.as_str() == name) {
                Some(lane) => Ok(lane.clone()),
                None => wrong(format!(
                    "--lane {name}: there is no such lane; configured are {}",
                    names()
                )),
            },
            (None, 1) => config
                .lanes
                .values()
                .next()
                .cloned()
                .map_or_else(|| wrong(String::new()), Ok),
            (None, _) => wrong(format!(
                "several lanes are configured; name one with --lane: {}",
                names()
            )),
        }
    }

    /// The flags go before the configuration.
    fn overlay(&self, lane: &mut LaneConfig) -> Result<(), PlanError> {
        let flags = &self.lane;
        if let Some(quota) = flags.tokens_per_minute {
            lane.tokens_per_minute = TokensPerMinute::new(quota);
        }
        if let Some(requests) = flags.requests_per_minute {
            lane.requests_per_minute = Some(RequestsPerMinute::new(requests));
        }
        lane.max_concurrency = flags.max_concurrency.unwrap_or(lane.max_concurrency);
        lane.output_burndown = flags.output_burndown.unwrap_or(lane.output_burndown);
        lane.max_output_tokens = flags.max_output_tokens.unwrap_or(lane.max_output_tokens);
        if let Some(pacing) = &flags.pacing {
            lane.pacing = pacing_of(pacing, flags.bucket_seconds)?;
        }
        Ok(())
    }
}

fn loaded(text: &str) -> Result<Config, PlanError> {
    Config::load(Some(("the flags", text)), []).map_err(|error| PlanError::Input(error.to_string()))
}

/// Read as the configuration reads it, so that the same words are allowed.
fn pacing_of(word: &str, seconds: Option<u64>) -> Result<smoother_core::config::Pacing, PlanError> {
    let seconds = seconds.map_or(String::new(), |seconds| format!("bucket_seconds = {seconds}\n"));
    let config = loaded(&format!("{PLAIN}pacing = {word:?}\n{seconds}"))?;
    let lane = config.lanes.values().next();
    lane.map(|lane| lane.pacing)
        .ok_or_else(|| PlanError::Input("no lane was read".to_owned()))
}
