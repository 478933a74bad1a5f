//! Configurations as users write them, rightly and wrongly.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use super::build::{build, gather};
use super::*;
use crate::breaker::BreakerConfig;
use crate::ids::{LaneId, ModelId, TenantId};
use crate::request::Priority;
use crate::units::{Millis, RequestsPerMinute, Tokens, TokensPerDay, TokensPerMinute};
use proptest::prelude::*;
use std::collections::BTreeSet;

const FULL: &str = include_str!("tests/full.toml");

fn env(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}

fn load(text: &str) -> Result<Config, ConfigErrors> {
    Config::load(Some(("smoother.toml", text)), Vec::new())
}

/// The report of a configuration that must be wrong.
fn wrong(text: &str, pairs: &[(&str, &str)]) -> String {
    Config::load(Some(("smoother.toml", text)), env(pairs))
        .expect_err("it is wrong")
        .to_string()
}

fn lane<'a>(config: &'a Config, name: &str) -> &'a LaneConfig {
    &config.lanes[&LaneId::new(name).unwrap()]
}

const SONNET: &str = "us.anthropic.claude-sonnet-4-5-20250929-v1:0";

fn one_lane(more: &str) -> String {
    format!(
        "[lanes.sonnet]\nmodel = \"{SONNET}\"\nregion = \"us-east-1\"\ntokens_per_minute = 300000\n{more}"
    )
}

#[test]
fn nothing_set_is_a_whole_configuration() {
    let config = Config::load(None, Vec::new()).unwrap();
    assert_eq!(config.server.listen.to_string(), "127.0.0.1:8080");
    assert_eq!(config.server.max_body_bytes, 20 << 20);
    assert_eq!(config.server.disconnect_grace, Millis::from_secs(30));
    assert!(!config.server.trust_tenant);
    assert_eq!(config.server.retention, Millis::from_secs(7 * 24 * 3600));
    assert_eq!(config.priorities, PriorityWeights::default());
    assert!(config.lanes.is_empty() && config.tenants.is_empty());
    assert_eq!(load("").unwrap(), config);
}

#[test]
fn every_key_of_a_file_counts() {
    let config = load(FULL).unwrap();
    assert_eq!(config.server.durability, Durability::Relaxed);
    assert_eq!(config.server.sync_timeout, Millis::new(60_000));
    assert!(config.server.trust_tenant);
    let sonnet = lane(&config, "sonnet");
    assert_eq!(sonnet.models.len(), 2);
    assert_eq!(sonnet.tokens_per_minute, TokensPerMinute::new(300_000));
    assert_eq!(sonnet.requests_per_minute, Some(RequestsPerMinute::new(600)));
    assert_eq!(sonnet.tokens_per_day, Some(TokensPerDay::new(100_000_000)));
    assert_eq!(sonnet.pacing, Pacing::Bucket { seconds: 12 });
    assert_eq!((sonnet.output_burndown, sonnet.max_output_tokens), (4, 1_000));
    assert_eq!((sonnet.max_concurrency, sonnet.max_tries), (8, 7));
    let haiku = lane(&config, "haiku");
    assert_eq!(
        (haiku.output_burndown, haiku.max_output_tokens),
        (1, 4_096),
        "by the model's id"
    );
    assert_eq!(haiku.pacing, Pacing::Auto);
    assert_eq!(config.priorities, PriorityWeights::new(60, 30, 10).unwrap());
    let acme = config.tenant(&TenantId::new("acme").unwrap());
    assert_eq!((acme.weight, acme.default_priority), (2, Priority::Batch));
    assert_eq!(acme.max_concurrency, Some(8));
    let model = ModelId::new(SONNET).unwrap();
    let serving: Vec<&LaneId> = config.lanes_of(&model).map(|lane| &lane.id).collect();
    assert_eq!(serving, [&sonnet.id], "a standby lane shares no load");
}

#[test]
fn a_lane_says_where_its_requests_go_on_and_when_it_is_left_alone() {
    let config = Config::load(Some(("full", FULL)), Vec::new()).unwrap();
    let (sonnet, west) = (lane(&config, "sonnet"), lane(&config, "west"));
    let names: Vec<&str> = sonnet.fallback.lanes.iter().map(LaneId::as_str).collect();
    assert_eq!(names, ["west", "haiku"]);
    assert!(sonnet.fallback.degraded_answer.is_some() && !sonnet.fallback.standby);
    assert_eq!((west.fallback.standby, west.fallback.lanes.len()), (true, 0));
    assert_eq!(
        west.fallback.call_model.as_ref().map(ModelId::as_str),
        Some("anthropic.claude-sonnet-4-5-20250929-v1:0")
    );
    let breaker = BreakerConfig {
        window: Millis::new(10_000),
        least_calls: 5,
        failure_percent: 40,
        slow_percent: 60,
        slow_call: Millis::new(9_000),
        open_for: Millis::new(700),
        probes: 2,
    };
    assert_eq!(
        (sonnet.breaker, west.breaker),
        (breaker, BreakerConfig::default())
    );
}

#[test]
fn a_chain_names_other_lanes_once() {
    let lanes = "[lanes.a]\nmodel = \"m\"\nregion = \"us-east-1\"\ntokens_per_minute = 1\n\
                 [lanes.b]\nmodel = \"m\"\nregion = \"us-west-2\"\ntokens_per_minute = 1\n";
    for chain in ["[\"a\"]", "[\"b\", \"b\"]", "[\"c\"]", "[]"] {
        let report = wrong(
            &lanes.replacen("[lanes.b]", &format!("fallback = {chain}\n[lanes.b]"), 1),
            &[],
        );
        assert!(report.contains("lanes.a.fallback"), "{chain}: {report}");
    }
    Config::load(Some(("two", lanes)), Vec::new()).unwrap();
}

/// The table, the reading and the file that sets everything speak of the same keys.
#[test]
fn the_table_holds_exactly_the_keys_that_are_read() {
    let reader = gather(Some(("full", FULL)), Vec::new()).unwrap();
    build(&reader);
    let table: BTreeSet<&str> = KEYS.iter().map(|key| key.path).collect();
    assert_eq!(table.len(), KEYS.len(), "no key stands twice");
    assert_eq!(reader.asked(), table);
    let set: BTreeSet<String> = reader
        .settings
        .values
        .keys()
        .map(|path| match path.as_slice() {
            [section, _, key] => format!("{section}.*.{key}"),
            other => other.join("."),
        })
        // Only one of the two units can be set.
        .chain(["server.retention_minutes".to_owned()])
        .collect();
    assert_eq!(
        set,
        table.iter().map(|path| (*path).to_owned()).collect(),
        "full.toml sets every key"
    );
    for key in KEYS {
        assert!(
            key.help.ends_with('.') && !key.kind.to_string().is_empty(),
            "{}",
            key.path
        );
    }
}

#[test]
fn a_tenants_own_bound_stands_before_every_tenants() {
    let config = load(FULL).unwrap();
    let acme = config.tenant(&TenantId::new("acme").unwrap()).max_waiting;
    assert_eq!(acme.requests, Some(3_000));
    assert_eq!(
        config.limits.of(Priority::Batch).tokens,
        Some(Tokens::new(7_000_000))
    );
    let own = Bound {
        requests: Some(5),
        tokens: None,
    };
    let both = own.or(config.limits.tenant);
    assert_eq!(
        (both.requests, both.tokens),
        (Some(5), Some(Tokens::new(2_000_000)))
    );
    let none = load("").unwrap().limits;
    assert!(!Priority::ALL.into_iter().any(|priority| none.bound(priority)));
}

#[test]
fn every_default_is_a_value_its_key_allows() {
    for key in KEYS {
        let (Preset::Value(preset), false) = (key.preset, key.path.contains('*')) else {
            continue;
        };
        Config::load(None, env(&[(&key.env(), preset)])).unwrap();
    }
}

#[test]
fn every_mistake_is_reported_at_once_with_its_line() {
    let text = include_str!("tests/wrong.toml");
    let report = wrong(
        text,
        &[
            ("SMOOTHER__SERVER__MAX_BODY_BYTES", "many"),
            ("SMOOTHER__SEVER__LISTEN", "x"),
        ],
    );
    let expected = include_str!("tests/wrong.txt");
    assert_eq!(report.trim_end(), expected.trim_end(), "\n{report}\n");
}

#[test]
fn a_file_that_is_no_toml_is_reported_line_by_line() {
    let report = wrong("[server]\nlisten = \n\n[lanes.a\nregion = \"x\"\n", &[]);
    let lines: Vec<&str> = report.lines().collect();
    assert!(
        lines
            .iter()
            .any(|line| line.starts_with("smoother.toml:2: not TOML: ")),
        "{report}"
    );
    assert!(
        lines
            .iter()
            .any(|line| line.starts_with("smoother.toml:4: not TOML: ")),
        "{report}"
    );
    assert!(
        lines.iter().all(|line| line.contains("not TOML")),
        "no consequences: {report}"
    );
}

#[test]
fn the_environment_overrides_the_file() {
    let config = Config::load(
        Some((
            "smoother.toml",
            &one_lane("[lanes.haiku-3]\nregion = \"us-east-1\"\ntokens_per_minute = 5\nmodel = \"m\""),
        )),
        env(&[
            ("SMOOTHER__SERVER__LISTEN", "127.0.0.1:9"),
            ("smoother__lanes__Sonnet__tokens_per_minute", "400_000"),
            ("SMOOTHER__LANES__HAIKU_3__MAX_CONCURRENCY", "3"),
            ("SMOOTHER__LANES__NOVA__MODELS", "a, b"),
            ("SMOOTHER__LANES__NOVA__REGION", "eu-west-1"),
            ("SMOOTHER__LANES__NOVA__TOKENS_PER_MINUTE", "1000"),
            ("SMOOTHER__TENANTS__ACME__WEIGHT", "9"),
            ("SMOOTHER_CONFIG", "elsewhere.toml"),
            ("PATH", "/bin"),
        ]),
    )
    .unwrap();
    assert_eq!(config.server.listen.port(), 9);
    assert_eq!(
        lane(&config, "sonnet").tokens_per_minute,
        TokensPerMinute::new(400_000)
    );
    assert_eq!(lane(&config, "haiku-3").max_concurrency, 3);
    assert_eq!(lane(&config, "nova").models.len(), 2);
    assert_eq!(config.tenant(&TenantId::new("acme").unwrap()).weight, 9);
}

#[test]
fn a_list_in_the_environment_may_be_toml() {
    let models = |text: &str| {
        Config::load(
            Some(("f", &one_lane(""))),
            env(&[("SMOOTHER__LANES__SONNET__MODELS", text)]),
        )
    };
    // The file's `model` stays beside it, and that is a mistake of its own.
    assert!(
        models("[\"a\", \"b\"]")
            .unwrap_err()
            .to_string()
            .contains("only one of")
    );
    let pairs = [
        ("SMOOTHER__LANES__A__MODELS", "[\"a\", \"b\"]"),
        ("SMOOTHER__LANES__A__REGION", "us-east-1"),
        ("SMOOTHER__LANES__A__TOKENS_PER_MINUTE", "1"),
    ];
    assert_eq!(
        lane(&Config::load(None, env(&pairs)).unwrap(), "a").models.len(),
        2
    );
    for bad in ["", "a,,b", "[1]", "[\"a\"", "[\"a\"]\nx = 1"] {
        let mut pairs = pairs;
        pairs[0].1 = bad;
        let report = Config::load(None, env(&pairs)).unwrap_err().to_string();
        assert!(
            report.starts_with("SMOOTHER__LANES__A__MODELS: lanes.a.models: found "),
            "{report}"
        );
    }
}

#[test]
fn two_variables_for_one_key_are_a_mistake() {
    let report = wrong(
        "",
        &[
            ("SMOOTHER__SERVER__LISTEN", "127.0.0.1:1"),
            ("smoother__server__listen", "127.0.0.1:2"),
        ],
    );
    assert_eq!(
        report,
        "smoother__server__listen: SMOOTHER__SERVER__LISTEN sets the same key; keep one of them"
    );
    let lanes = format!("{}\n[lanes.SONNET]\n", one_lane(""));
    let report = wrong(&lanes, &[("SMOOTHER__LANES__SONNET__MAX_TRIES", "2")]);
    assert!(
        report.contains("may mean any of lanes.SONNET, lanes.sonnet"),
        "{report}"
    );
}

#[test]
fn eager_pacing_is_taken() {
    let config = load(&one_lane("pacing = \"eager\"")).unwrap();
    assert_eq!(lane(&config, "sonnet").pacing, Pacing::Eager);
}

#[test]
fn what_is_not_there_yet_is_refused_with_its_reason() {
    let report = wrong(&one_lane(""), &[("SMOOTHER__AUTO_LANES", "true")]);
    assert!(
        report.contains("SMOOTHER__AUTO_LANES: auto_lanes: found true"),
        "{report}"
    );
    let report = wrong("[server]\nlisten = \"0.0.0.0:8080\"", &[]);
    assert!(
        report.starts_with("smoother.toml:2: server.listen: found \"0.0.0.0:8080\""),
        "{report}"
    );
    assert!(report.contains("no key exists"), "{report}");
}

#[test]
fn a_tenant_that_may_ask_for_less_defaults_to_less() {
    let config = load("[tenants.a]\nhighest_priority = \"batch\"\nright_size = true").unwrap();
    let tenant = config.tenant(&TenantId::new("a").unwrap());
    assert_eq!(
        (tenant.default_priority, tenant.right_size),
        (Priority::Batch, true)
    );
    assert!(!config.tenant(&TenantId::new("b").unwrap()).right_size);
    let report = wrong(
        "[tenants.a]\nhighest_priority = \"batch\"\ndefault_priority = \"normal\"",
        &[],
    );
    assert!(
        report.contains("smoother.toml:3: tenants.a.default_priority"),
        "{report}"
    );
}

proptest! {
    #[test]
    fn no_text_and_no_variable_panics(text in "(?s).{0,200}", name in "(?i)SMOOTHER__.{0,40}", value in "(?s).{0,60}") {
        let _ = Config::load(Some(("f", &text)), [(name, value)]);
    }

    /// Near-misses reach further into the reading than noise does.
    #[test]
    fn no_spoilt_file_panics(at in 0usize..FULL.len(), length in 0usize..40, with in "[\\PC\n]{0,6}") {
        let mut text = FULL.as_bytes().to_vec();
        text.splice(at..(at + length).min(FULL.len()), with.bytes());
        let text = String::from_utf8_lossy(&text).into_owned();
        if let Err(errors) = load(&text) {
            prop_assert_eq!(errors.to_string().lines().count(), errors.mistakes().len());
        }
    }
}

#[test]
fn what_was_found_is_shown_at_a_readable_length() {
    let long = "m".repeat(5_000);
    let both = one_lane(&format!("models = [\"{long}\"]"));
    let error = Config::load(
        Some(("f", &both)),
        env(&[("SMOOTHER__LANES__SONNET__MODEL", &long)]),
    );
    let said = error.unwrap_err().to_string();
    assert!(said.contains("only one of") && said.len() < 300, "{said}");
}

#[test]
fn what_is_no_toml_at_every_letter_is_told_a_few_times() {
    let text = format!("[lanes.a]\nrole_arn = {}", "truerole_arn=".repeat(500));
    let errors = Config::load(Some(("f", &text)), None).unwrap_err();
    assert!(errors.mistakes().len() <= 20, "{}", errors.mistakes().len());
    assert!(errors.to_string().starts_with("f:2: not TOML"), "{errors}");
}
