#![allow(clippy::unwrap_used)]

use super::super::KEYS;
use super::*;
use std::collections::BTreeSet;

const FULL: &str = include_str!("full.toml");

const TWO: &str = "
[lanes.a]
model = \"m\"
region = \"us-east-1\"
tokens_per_minute = 1000
[lanes.b]
model = \"n\"
region = \"us-east-1\"
tokens_per_minute = 1000
";

fn load(text: &str) -> Config {
    Config::load(Some(("smoother.toml", text)), None).unwrap()
}

fn shown(old: &str, next: &str) -> Vec<String> {
    differences(&load(old), &load(next))
        .iter()
        .map(ToString::to_string)
        .collect()
}

fn refused(old: &str, next: &str) -> Vec<String> {
    let reasons = reload(&load(old), &load(next)).unwrap_err();
    reasons.iter().map(ToString::to_string).collect()
}

#[test]
fn the_same_meaning_written_otherwise_is_no_difference() {
    assert_eq!(
        shown(FULL, &FULL.replace("0x10000", "65_536")),
        Vec::<String>::new()
    );
    assert_eq!(
        shown(TWO, &TWO.replace("model = \"m\"", "models = [\"m\"]")),
        Vec::<String>::new()
    );
}

#[test]
fn every_key_is_compared() {
    let with_name = |path: &str| path.split('.').next_back().unwrap().to_owned();
    let compared: BTreeSet<String> = sections(&load(FULL))
        .into_iter()
        .flat_map(|(section, values)| {
            let kind = section.split('.').next().unwrap().to_owned();
            values.into_keys().map(move |key| format!("{kind} {key}"))
        })
        .collect();
    for key in KEYS {
        // `model` is read as `models`, minutes as hours where they are whole; auto_lanes is not available.
        if ["lanes.*.model", "server.retention_minutes", "auto_lanes"].contains(&key.path) {
            continue;
        }
        let section = key.path.split('.').next().unwrap();
        let name = format!("{section} {}", with_name(key.path));
        assert!(compared.contains(&name), "{} is not compared", key.path);
    }
}

#[test]
fn differences_are_named_with_both_values() {
    let next = TWO.replace(
        "tokens_per_minute = 1000\n[lanes.b]",
        "tokens_per_minute = 2000\n[lanes.c]",
    );
    let next = next.replace("\"n\"", "\"o\"")
        + "requests_per_minute = 5\n[tenants.acme]\nweight = 2\n[priorities]\nbatch = 6\n";
    assert_eq!(
        shown(TWO, &next),
        [
            "lanes.a.tokens_per_minute: 1000 → 2000",
            "lanes.b: removed",
            "lanes.c: added",
            "priorities.batch: 5 → 6",
            "tenants.acme: added",
        ]
    );
    let limited = TWO.replace("[lanes.b]", "requests_per_minute = 5\n[lanes.b]");
    assert_eq!(shown(TWO, &limited), ["lanes.a.requests_per_minute: not set → 5"]);
}

#[test]
fn a_long_value_is_cut_where_it_is_shown() {
    let with = |text: &str| TWO.replace("[lanes.b]", &format!("degraded_answer = \"{text}\"\n[lanes.b]"));
    let line = shown(&with(&"ä".repeat(200)), &with(&"ä".repeat(199))).remove(0);
    assert!(line.chars().count() < 220 && line.contains('…'), "{line}");
}

#[test]
fn what_is_read_at_the_start_refuses_the_whole_by_name() {
    let next =
        format!("[server]\nlisten = \"127.0.0.1:1\"\ndurability = \"relaxed\"\nretention_hours = 3\n{TWO}");
    assert_eq!(
        refused(TWO, &next),
        [
            "server.durability: strict → relaxed: needs a restart",
            "server.listen: 127.0.0.1:8080 → 127.0.0.1:1: needs a restart",
        ]
    );
    let fine = format!("[server]\nretention_hours = 3\ntrust_tenant = true\n{TWO}");
    let changes = reload(&load(TWO), &load(&fine)).unwrap();
    assert_eq!(changes[0].to_string(), "server.retention_hours: 168 → 3");
    assert_eq!(changes[1].to_string(), "server.trust_tenant: false → true");
}

#[test]
fn a_retention_is_told_in_the_unit_that_can_say_it() {
    let with = |key: &str| format!("[server]\n{key}\n{TWO}");
    let (hour, minutes) = (with("retention_hours = 1"), with("retention_minutes = 90"));
    assert_eq!(
        shown(&hour, &with("retention_minutes = 60")),
        Vec::<String>::new()
    );
    let changes = shown(&hour, &minutes);
    assert_eq!(
        changes,
        [
            "server.retention_hours: 1 → not set",
            "server.retention_minutes: not set → 90"
        ]
    );
    let both = Config::load(
        Some(("f", &with("retention_hours = 1\nretention_minutes = 5"))),
        None,
    );
    let said = both.unwrap_err().to_string();
    assert!(
        said.contains("f:3: server.retention_minutes: found 5; allowed: only one of"),
        "{said}"
    );
}

#[test]
fn a_quota_does_not_go_from_one_lane_to_another_at_once() {
    let renamed = TWO.replace("[lanes.a]", "[lanes.z]");
    let reasons = refused(TWO, &renamed);
    assert_eq!(reasons.len(), 1);
    assert!(
        reasons[0].starts_with("lanes.z: model m") && reasons[0].contains("lane a's quota"),
        "{reasons:?}"
    );
    let swapped = TWO.replace("\"m\"", "\"x\"").replace("\"n\"", "\"m\"");
    assert_eq!(refused(TWO, &swapped).len(), 1);
    // The same model elsewhere is another quota.
    let elsewhere = format!("{TWO}[lanes.c]\nmodel = \"m\"\nregion = \"eu-west-1\"\ntokens_per_minute = 1\n");
    assert!(reload(&load(TWO), &load(&elsewhere)).is_ok());
}
