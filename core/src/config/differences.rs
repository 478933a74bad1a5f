//! What another configuration would change, and whether a running server can take it.
//!
//! Compared is what the configurations mean, key by key, not how they are written. Two things are for a restart: what
//! a process does once, at its start, and nothing else of the file is taken then; a configuration is in force as a
//! whole or not at all. And a quota does not go from one lane to another in one step: the new lane's ledger would
//! know nothing of what the old one has spent and is still spending.

use super::limits::{Admission, Bound};
use super::settings::dotted;
use super::types::{Config, Durability, LaneConfig, Pacing, TenantConfig};
use crate::ids::{LaneId, ModelId};
use crate::units::Millis;
use std::collections::BTreeMap;
use std::fmt;

/// What is read once, when the process starts.
const AT_START: [&str; 3] = ["server.listen", "server.data_dir", "server.durability"];

/// The longest part of a value that is shown.
const SHOWN: usize = 80;

/// A key, or a whole lane or tenant, that is not as it was: `lanes.sonnet.max_tries: 3 → 5`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// The key's path, or that of the section.
    pub key: String,
    /// What it was; `None` where it was not there.
    pub old: Option<String>,
    /// What it would be; `None` where it would be gone.
    pub new: Option<String>,
}

impl Difference {
    /// Whether only a process that starts with it can take it.
    pub fn needs_restart(&self) -> bool {
        AT_START.contains(&self.key.as_str())
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.old, &self.new) {
            (None, Some(new)) if new.is_empty() => write!(f, "{}: added", self.key),
            (Some(old), None) if old.is_empty() => write!(f, "{}: removed", self.key),
            (old, new) => {
                let shown = |value: &Option<String>| value.clone().unwrap_or_else(|| "not set".to_owned());
                write!(f, "{}: {} → {}", self.key, shown(old), shown(new))
            }
        }
    }
}

/// Why a running server cannot take a configuration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CannotReload {
    /// Read once, at the start.
    #[error("{0}: needs a restart")]
    NeedsRestart(Difference),
    /// A quota would go from one lane to another.
    #[error(
        "lanes.{to}: model {model} at this Region, endpoint and role is lane {from}'s quota; take it out of lanes.{from} \
         in one reload and name it in lanes.{to} in another, a minute after the last request of {from} is over"
    )]
    QuotaMoves {
        /// The model.
        model: ModelId,
        /// Whose quota it is.
        from: LaneId,
        /// Whose it would be.
        to: LaneId,
    },
}

/// Everything that `next` has otherwise than `running`, or every reason why it cannot be taken while the process
/// runs. `running` may hold lanes that are on their way out, whose quotas are still in use.
///
/// # Errors
/// All reasons at once; at least one.
pub fn reload(running: &Config, next: &Config) -> Result<Vec<Difference>, Vec<CannotReload>> {
    let changes = differences(running, next);
    let at_start = changes.iter().filter(|change| change.needs_restart());
    let mut refused: Vec<CannotReload> = at_start.cloned().map(CannotReload::NeedsRestart).collect();
    refused.extend(moved_quotas(running, next));
    if refused.is_empty() {
        Ok(changes)
    } else {
        Err(refused)
    }
}

/// Everything that `next` has otherwise, in the order of the keys. A lane or tenant that comes or goes is one
/// difference.
pub fn differences(old: &Config, next: &Config) -> Vec<Difference> {
    let (old, next) = (sections(old), sections(next));
    let mut all = Vec::new();
    let names: std::collections::BTreeSet<&String> = old.keys().chain(next.keys()).collect();
    for name in names {
        match (old.get(name), next.get(name)) {
            (Some(old), Some(next)) => all.extend(within(name, old, next)),
            (was, is) => all.push(Difference {
                key: name.clone(),
                old: was.map(|_| String::new()),
                new: is.map(|_| String::new()),
            }),
        }
    }
    all
}

type Values = BTreeMap<&'static str, String>;

fn within(section: &str, old: &Values, next: &Values) -> Vec<Difference> {
    let keys: std::collections::BTreeSet<_> = old.keys().chain(next.keys()).collect();
    keys.into_iter()
        .filter(|key| old.get(*key) != next.get(*key))
        .map(|key| Difference {
            key: format!("{section}.{key}"),
            old: old.get(key).map(|value| cut(value)),
            new: next.get(key).map(|value| cut(value)),
        })
        .collect()
}

fn cut(value: &str) -> String {
    match value.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &value[..end]),
        None => value.to_owned(),
    }
}

/// Every value by its section and its key; what is not set is left out.
fn sections(config: &Config) -> BTreeMap<String, Values> {
    let named = |section: &str, name: &str| dotted(&[section.to_owned(), name.to_owned()]);
    let fixed = [
        ("server".to_owned(), server(config)),
        ("priorities".to_owned(), priorities(config)),
        ("limits".to_owned(), limits(config)),
    ];
    let lanes = config
        .lanes
        .iter()
        .map(|(id, lane)| (named("lanes", id.as_str()), of_lane(lane)));
    let tenants = config
        .tenants
        .iter()
        .map(|(id, tenant)| (named("tenants", id.as_str()), of_tenant(tenant)));
    fixed.into_iter().chain(lanes).chain(tenants).collect()
}

fn server(config: &Config) -> Values {
    let server = &config.server;
    let durability = match server.durability {
        Durability::Strict => "strict",
        Durability::Relaxed => "relaxed",
    };
    Values::from([
        ("listen", server.listen.to_string()),
        ("data_dir", server.data_dir.clone()),
        ("durability", durability.to_owned()),
        ("max_body_bytes", server.max_body_bytes.to_string()),
        ("sync_timeout_ms", server.sync_timeout.get().to_string()),
        ("disconnect_grace_ms", server.disconnect_grace.get().to_string()),
        ("drain_timeout_ms", server.drain_timeout.get().to_string()),
        ("trust_tenant", server.trust_tenant.to_string()),
        retention(server.retention),
    ])
}

/// By the key that can say it.
fn retention(time: Millis) -> (&'static str, String) {
    const MINUTE: u64 = 60 * 1_000;
    if time.get().is_multiple_of(60 * MINUTE) {
        ("retention_hours", (time.get() / (60 * MINUTE)).to_string())
    } else {
        ("retention_minutes", (time.get() / MINUTE).to_string())
    }
}

fn priorities(config: &Config) -> Values {
    let weight = |priority| config.priorities.of(priority).to_string();
    crate::request::Priority::ALL
        .into_iter()
        .map(|priority| (priority.as_str(), weight(priority)))
        .collect()
}

fn limits(config: &Config) -> Values {
    let limits = &config.limits;
    let [interactive, normal, batch] = limits.bands;
    let admission = match limits.admission {
        Admission::Refuse => "refuse",
        Admission::Flag => "flag",
    };
    let bounds = [
        (["waiting", "waiting_tokens"], limits.lane),
        (["interactive_waiting", "interactive_waiting_tokens"], interactive),
        (["normal_waiting", "normal_waiting_tokens"], normal),
        (["batch_waiting", "batch_waiting_tokens"], batch),
        (["tenant_waiting", "tenant_waiting_tokens"], limits.tenant),
    ]
    .into_iter()
    .flat_map(|(keys, of)| bound(keys, of));
    let rest = [
        ("shed", limits.shed.to_string()),
        ("admission", admission.to_owned()),
    ];
    bounds.chain(rest).collect()
}

fn bound([requests, tokens]: [&'static str; 2], of: Bound) -> impl Iterator<Item = (&'static str, String)> {
    let requests = of.requests.map(|most| (requests, most.to_string()));
    let tokens = of.tokens.map(|most| (tokens, most.get().to_string()));
    requests.into_iter().chain(tokens)
}

fn of_lane(lane: &LaneConfig) -> Values {
    let listed = |names: Vec<&str>| names.join(", ");
    let mut values = Values::from([
        (
            "models",
            listed(lane.models.iter().map(ModelId::as_str).collect()),
        ),
        ("region", lane.region.clone()),
        ("tokens_per_minute", lane.tokens_per_minute.get().to_string()),
        ("max_concurrency", lane.max_concurrency.to_string()),
        ("output_burndown", lane.output_burndown.to_string()),
        ("max_output_tokens", lane.max_output_tokens.to_string()),
        ("chunk_timeout_ms", lane.chunk_timeout.get().to_string()),
        ("call_timeout_ms", lane.call_timeout.get().to_string()),
        ("max_tries", lane.max_tries.to_string()),
        ("standby", lane.fallback.standby.to_string()),
        ("breaker_window_ms", lane.breaker.window.get().to_string()),
        ("breaker_min_calls", lane.breaker.least_calls.to_string()),
        (
            "breaker_failure_percent",
            lane.breaker.failure_percent.to_string(),
        ),
        ("breaker_slow_percent", lane.breaker.slow_percent.to_string()),
        ("breaker_slow_call_ms", lane.breaker.slow_call.get().to_string()),
        ("breaker_open_ms", lane.breaker.open_for.get().to_string()),
        ("breaker_probes", lane.breaker.probes.to_string()),
    ]);
    let (pacing, seconds) = match lane.pacing {
        Pacing::Auto => ("auto", None),
        Pacing::Eager => ("eager", None),
        Pacing::Window => ("window", None),
        Pacing::Bucket { seconds } => ("bucket", Some(seconds.to_string())),
    };
    values.insert("pacing", pacing.to_owned());
    let fallback = &lane.fallback.lanes;
    let chain = (!fallback.is_empty()).then(|| listed(fallback.iter().map(LaneId::as_str).collect()));
    let optional = [
        ("bucket_seconds", seconds),
        ("endpoint", lane.endpoint.clone()),
        ("role_arn", lane.role_arn.clone()),
        (
            "requests_per_minute",
            lane.requests_per_minute.map(|limit| limit.get().to_string()),
        ),
        (
            "tokens_per_day",
            lane.tokens_per_day.map(|limit| limit.get().to_string()),
        ),
        ("fallback", chain),
        (
            "call_model",
            lane.fallback
                .call_model
                .as_ref()
                .map(|model| model.as_str().to_owned()),
        ),
        ("degraded_answer", lane.fallback.degraded_answer.clone()),
    ];
    values.extend(
        optional
            .into_iter()
            .filter_map(|(key, value)| Some((key, value?))),
    );
    values
}

fn of_tenant(tenant: &TenantConfig) -> Values {
    let mut values = Values::from([
        ("weight", tenant.weight.to_string()),
        ("default_priority", tenant.default_priority.as_str().to_owned()),
        ("highest_priority", tenant.highest_priority.as_str().to_owned()),
        ("right_size", tenant.right_size.to_string()),
    ]);
    values.extend(
        tenant
            .max_concurrency
            .map(|most| ("max_concurrency", most.to_string())),
    );
    values.extend(bound(["max_waiting", "max_waiting_tokens"], tenant.max_waiting));
    values
}

/// A model at its Region, endpoint and role.
type Quota = (ModelId, String, Option<String>, Option<String>);

fn quotas(config: &Config) -> BTreeMap<Quota, &LaneId> {
    let of_lane = |lane: &LaneConfig| {
        let place = (lane.region.clone(), lane.endpoint.clone(), lane.role_arn.clone());
        let quota = |model: &ModelId| (model.clone(), place.0.clone(), place.1.clone(), place.2.clone());
        lane.models.iter().map(quota).collect::<Vec<_>>()
    };
    let lanes = config.lanes.values();
    lanes
        .flat_map(|lane| of_lane(lane).into_iter().map(move |quota| (quota, &lane.id)))
        .collect()
}

fn moved_quotas(running: &Config, next: &Config) -> Vec<CannotReload> {
    let owners = quotas(running);
    quotas(next)
        .into_iter()
        .filter_map(|(quota, to)| {
            let from = owners.get(&quota).filter(|from| **from != to)?;
            Some(CannotReload::QuotaMoves {
                model: quota.0,
                from: (*from).clone(),
                to: to.clone(),
            })
        })
        .collect()
}

#[cfg(test)]
#[path = "tests/differences.rs"]
mod tests;
