//! Licences of the dependencies and banned packages, by the lists in deny.toml.

use std::collections::BTreeSet;
use std::fs;

use crate::graph::METADATA;

fn rules() -> toml::Table {
    let path = METADATA.workspace_root.join("deny.toml");
    fs::read_to_string(path)
        .expect("deny.toml is readable")
        .parse()
        .expect("deny.toml is TOML")
}

fn allowed() -> BTreeSet<String> {
    let rules = rules();
    let list = rules["licenses"]["allow"]
        .as_array()
        .expect("licenses.allow is a list");
    list.iter()
        .filter_map(|name| name.as_str().map(str::to_owned))
        .collect()
}

/// Whether an SPDX expression can be met with allowed licences alone. `AND` binds tighter than `OR`;
/// `/` is how old manifests write `OR`; `WITH` belongs to the name before it.
fn permitted(expression: &str, allowed: &BTreeSet<String>) -> bool {
    let spaced = expression
        .replace('(', " ( ")
        .replace(')', " ) ")
        .replace('/', " OR ");
    let words: Vec<&str> = spaced.split_ascii_whitespace().collect();
    let (met, used) = any(&words, 0, allowed);
    met && used == words.len()
}

fn any(words: &[&str], start: usize, allowed: &BTreeSet<String>) -> (bool, usize) {
    let (mut met, mut at) = all(words, start, allowed);
    while words.get(at) == Some(&"OR") {
        let (next, end) = all(words, at + 1, allowed);
        (met, at) = (met || next, end);
    }
    (met, at)
}

fn all(words: &[&str], start: usize, allowed: &BTreeSet<String>) -> (bool, usize) {
    let (mut met, mut at) = one(words, start, allowed);
    while words.get(at) == Some(&"AND") {
        let (next, end) = one(words, at + 1, allowed);
        (met, at) = (met && next, end);
    }
    (met, at)
}

fn one(words: &[&str], start: usize, allowed: &BTreeSet<String>) -> (bool, usize) {
    match words.get(start..) {
        Some(["(", ..]) => {
            let (met, end) = any(words, start + 1, allowed);
            (met && words.get(end) == Some(&")"), end + 1)
        }
        Some([name, "WITH", exception, ..]) => {
            (allowed.contains(&format!("{name} WITH {exception}")), start + 3)
        }
        Some([name, ..]) => (allowed.contains(*name), start + 1),
        _ => (false, start),
    }
}

#[test]
fn expressions_are_read_as_spdx_means_them() {
    let allowed: BTreeSet<String> = ["MIT", "ISC", "A WITH B"].map(str::to_owned).into();
    for (expression, expected) in [
        ("MIT", true),
        ("GPL-3.0", false),
        ("MIT/GPL-3.0", true),
        ("GPL-3.0 OR MIT", true),
        ("MIT AND GPL-3.0", false),
        ("GPL-3.0 OR MIT AND ISC", true),
        ("(GPL-3.0 OR MIT) AND LGPL-2.1", false),
        ("(GPL-3.0 OR MIT) AND ISC", true),
        ("A WITH B", true),
        ("A", false),
        ("(MIT", false),
        ("", false),
    ] {
        assert_eq!(permitted(expression, &allowed), expected, "{expression:?}");
    }
}

#[test]
fn every_dependency_comes_under_an_allowed_licence() {
    let allowed = allowed();
    let refused: Vec<_> = METADATA
        .packages
        .iter()
        .filter(|package| !permitted(package.license.as_deref().unwrap_or_default(), &allowed))
        .map(|package| format!("{} {}: {:?}", package.name, package.version, package.license))
        .collect();
    assert!(
        refused.is_empty(),
        "not under a licence of deny.toml's list: {refused:#?}"
    );
}

#[test]
fn no_banned_package_is_in_the_graph() {
    let rules = rules();
    for ban in rules["bans"]["deny"].as_array().expect("bans.deny is a list") {
        let banned = ban["crate"].as_str().expect("a ban names a crate");
        let found = METADATA
            .packages
            .iter()
            .find(|package| package.name.as_str() == banned);
        assert!(found.is_none(), "{banned} is in the graph: {}", ban["reason"]);
    }
}

/// Versions that come from elsewhere than a registry are not reviewed by anybody.
#[test]
fn every_dependency_comes_from_a_registry() {
    for package in METADATA
        .packages
        .iter()
        .filter(|package| package.source.is_some())
    {
        let source = package
            .source
            .as_ref()
            .map(|source| source.repr.clone())
            .unwrap_or_default();
        assert!(
            source.starts_with("registry+"),
            "{} comes from {source}",
            package.name
        );
    }
}
