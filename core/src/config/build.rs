//! The configuration, out of what was set.
//!
//! Everything is built even after a mistake, with a stand-in for what was not understood, so that the rest is
//! checked too; the result counts only if there was none.

use super::check;
use super::limits::{Admission, Bound, Limits};
use super::mistake::{ConfigErrors, Mistake};
use super::read::Reader;
use super::settings::{Settings, dotted};
use super::types::{Config, Durability, PriorityWeights, ServerConfig, TenantConfig};
use super::{env, file, lanes};
use crate::ids::{IdError, TenantId};
use crate::request::Priority;
use crate::units::{Millis, Tokens};
use std::collections::BTreeMap;
use std::net::SocketAddr;

impl Config {
    /// The configuration of a file (its name for messages, and its text) and of the environment, which overrides
    /// it. Without a file the defaults and the environment count. Of the environment only names that begin with
    /// `SMOOTHER__` are looked at.
    ///
    /// # Errors
    /// Every mistake at once, each with its line or variable, what was found and what is allowed. A file that is
    /// no TOML is reported as that alone.
    pub fn load(
        file: Option<(&str, &str)>,
        env: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, ConfigErrors> {
        let reader = gather(file, env).map_err(ConfigErrors::sorted)?;
        let config = build(&reader);
        match ConfigErrors::of(reader.into_mistakes()) {
            Some(errors) => Err(errors),
            None => Ok(config),
        }
    }
}

/// Everything that was set, with the mistakes met so far; or why the file cannot be read at all.
pub(super) fn gather(
    file: Option<(&str, &str)>,
    env: impl IntoIterator<Item = (String, String)>,
) -> Result<Reader, Vec<Mistake>> {
    let (mut settings, mut mistakes) = match file {
        Some((name, text)) => file::read(name, text)?,
        None => (Settings::default(), Vec::new()),
    };
    mistakes.extend(env::overlay(&mut settings, env));
    Ok(Reader::new(settings, mistakes))
}

/// What the reader says, as a configuration.
pub(super) fn build(reader: &Reader) -> Config {
    if let Some(found) = reader.flag("auto_lanes", None).filter(|found| found.value) {
        let allowed = "false; lanes for models that none names are not available yet, give each model a lane";
        reader.refuse(&found, "true", allowed);
    }
    Config {
        server: server(reader),
        lanes: lanes::all(reader),
        priorities: priorities(reader),
        limits: limits(reader),
        tenants: tenants(reader),
    }
}

fn server(reader: &Reader) -> ServerConfig {
    let millis = |key: &str| Millis::new(reader.number(key, None).unwrap_or(1));
    ServerConfig {
        listen: listen(reader),
        data_dir: reader
            .text("server.data_dir", None, |_| true)
            .map(|found| found.value)
            .unwrap_or_default(),
        durability: match reader.word("server.durability", None) {
            Some(found) if found.value == "relaxed" => Durability::Relaxed,
            _ => Durability::Strict,
        },
        max_body_bytes: reader.number("server.max_body_bytes", None).unwrap_or(1),
        sync_timeout: millis("server.sync_timeout_ms"),
        disconnect_grace: millis("server.disconnect_grace_ms"),
        drain_timeout: millis("server.drain_timeout_ms"),
        trust_tenant: reader
            .flag("server.trust_tenant", None)
            .is_some_and(|found| found.value),
        retention: retention(reader),
    }
}

/// In hours, or in minutes where those are set.
fn retention(reader: &Reader) -> Millis {
    let hours = reader.number("server.retention_hours", None).unwrap_or(1);
    let minutes = reader.number("server.retention_minutes", None);
    if let Some(minutes) = minutes.filter(|_| reader.is_set("server.retention_hours", "")) {
        let place = vec!["server".to_owned(), "retention_minutes".to_owned()];
        if let Some(set) = reader.settings.values.get(&place) {
            let what = format!("found {minutes}; allowed: only one of retention_hours and retention_minutes");
            reader.report(&set.source, dotted(&place), &what);
        }
    }
    Millis::from_secs(minutes.unwrap_or(hours.saturating_mul(60)).saturating_mul(60))
}

fn listen(reader: &Reader) -> SocketAddr {
    let is_address = |text: &str| text.parse::<SocketAddr>().is_ok();
    let nowhere = SocketAddr::from(([127, 0, 0, 1], 0));
    let Some(found) = reader.text("server.listen", None, is_address) else {
        return nowhere;
    };
    check::loopback(&found.value).unwrap_or_else(|| {
        let allowed = "a loopback address such as 127.0.0.1:8080; no key exists, so another machine's callers \
                       could not be told apart";
        reader.refuse(&found, &format!("{:?}", found.value), allowed);
        nowhere
    })
}

fn priorities(reader: &Reader) -> PriorityWeights {
    let weight = |key: &str| reader.small(key, None).unwrap_or(1);
    let (interactive, normal) = (weight("priorities.interactive"), weight("priorities.normal"));
    PriorityWeights::new(interactive, normal, weight("priorities.batch")).unwrap_or_default()
}

fn limits(reader: &Reader) -> Limits {
    Limits {
        lane: bound(reader, ["limits.waiting", "limits.waiting_tokens"], None),
        bands: [
            ["limits.interactive_waiting", "limits.interactive_waiting_tokens"],
            ["limits.normal_waiting", "limits.normal_waiting_tokens"],
            ["limits.batch_waiting", "limits.batch_waiting_tokens"],
        ]
        .map(|keys| bound(reader, keys, None)),
        tenant: bound(
            reader,
            ["limits.tenant_waiting", "limits.tenant_waiting_tokens"],
            None,
        ),
        shed: reader.flag("limits.shed", None).is_some_and(|found| found.value),
        admission: match reader.word("limits.admission", None) {
            Some(found) if found.value == "flag" => Admission::Flag,
            _ => Admission::Refuse,
        },
    }
}

fn bound(reader: &Reader, [requests, tokens]: [&str; 2], name: Option<&str>) -> Bound {
    Bound {
        requests: reader.number(requests, name),
        tokens: reader.number(tokens, name).map(Tokens::new),
    }
}

fn tenants(reader: &Reader) -> BTreeMap<TenantId, TenantConfig> {
    named(reader, "tenants", TenantId::new)
        .into_iter()
        .map(|(name, id)| (id, tenant(reader, &name)))
        .collect()
}

fn tenant(reader: &Reader, name: &str) -> TenantConfig {
    let priority = |key: &str| reader.word(key, Some(name));
    let highest = priority("tenants.*.highest_priority");
    let highest = highest
        .and_then(|found| Priority::parse(found.value))
        .unwrap_or(Priority::Interactive);
    // Priorities order from the highest down.
    let mut default = Priority::default().max(highest);
    if let Some(found) = priority("tenants.*.default_priority") {
        default = Priority::parse(found.value).unwrap_or_default();
        if default < highest {
            let allowed = format!("no priority above its highest_priority, {:?}", highest.as_str());
            reader.refuse(&found, &format!("{:?}", found.value), &allowed);
        }
    }
    TenantConfig {
        weight: reader.small("tenants.*.weight", Some(name)).unwrap_or(1),
        default_priority: default,
        highest_priority: highest,
        max_concurrency: reader.small("tenants.*.max_concurrency", Some(name)),
        max_waiting: bound(
            reader,
            ["tenants.*.max_waiting", "tenants.*.max_waiting_tokens"],
            Some(name),
        ),
        right_size: reader
            .flag("tenants.*.right_size", Some(name))
            .is_some_and(|found| found.value),
    }
}

/// The sections below `section`, by the user's names; a name that is none is reported.
pub(super) fn named<T>(
    reader: &Reader,
    section: &str,
    parse: impl Fn(&str) -> Result<T, IdError>,
) -> Vec<(String, T)> {
    let mut all = Vec::new();
    for (path, source) in &reader.settings.sections {
        let [of, name] = path.as_slice() else { continue };
        if of != section {
            continue;
        }
        match parse(name) {
            Ok(id) => all.push((name.clone(), id)),
            Err(error) => reader.report(source, dotted(path), &error.to_string()),
        }
    }
    all
}
