//! Who may use whom. The stages and the adapters meet in the roots only, and the AWS SDK stays out of
//! everything that decides: their tests must build in seconds.

use std::collections::BTreeSet;

use cargo_metadata::DependencyKind;

use crate::graph::{closure, member, members};

/// A package and the packages of the workspace that it may name, in its code or its tests.
const MAY_USE: [(&str, &[&str]); 11] = [
    ("smoother-core", &[]),
    ("smoother-ingest", &["smoother-core"]),
    ("smoother-prioritizer", &["smoother-core"]),
    ("smoother-worker", &["smoother-core"]),
    ("smoother-results", &["smoother-core"]),
    ("smoother-bedrock", &["smoother-core"]),
    ("smoother-embedded", &["smoother-core"]),
    // The simulator stands for Bedrock: it must not share a mistake with the smoother.
    ("bedrock-sim", &[]),
    ("smoother-bench", &[]),
    (
        "smoother",
        &[
            "smoother-core",
            "smoother-ingest",
            "smoother-prioritizer",
            "smoother-worker",
            "smoother-results",
            "smoother-bedrock",
            "smoother-embedded",
            "bedrock-sim",
        ],
    ),
    // Tests over the whole house may look at every part of it.
    (
        "smoother-tests",
        &[
            "smoother-core",
            "smoother-ingest",
            "smoother-prioritizer",
            "smoother-worker",
            "smoother-results",
            "smoother-bedrock",
            "smoother-embedded",
            "bedrock-sim",
        ],
    ),
];

/// Packages of which tests may use the simulator besides: it is their upstream.
const SIMULATOR_IN_TESTS: [&str; 1] = ["smoother-bedrock"];

/// Packages of which tests may stand on the real store and channels of one machine.
const EMBEDDED_IN_TESTS: [&str; 2] = ["smoother-prioritizer", "smoother-worker"];

#[test]
fn every_package_uses_only_what_it_may() {
    let workspace = members();
    for (name, allowed) in MAY_USE {
        for dependency in &member(name).dependencies {
            let used = dependency.name.as_str();
            let simulator = used == "bedrock-sim"
                && dependency.kind == DependencyKind::Development
                && SIMULATOR_IN_TESTS.contains(&name);
            let embedded = used == "smoother-embedded"
                && dependency.kind == DependencyKind::Development
                && EMBEDDED_IN_TESTS.contains(&name);
            assert!(
                !workspace.contains(used) || allowed.contains(&used) || simulator || embedded,
                "{name} must not depend on {used}"
            );
        }
    }
}

#[test]
fn every_package_of_the_workspace_has_a_rule() {
    let ruled: BTreeSet<&str> = MAY_USE.iter().map(|(name, _)| *name).collect();
    assert_eq!(ruled, members());
}

#[test]
fn what_decides_builds_and_tests_without_the_aws_sdk() {
    for name in [
        "smoother-core",
        "smoother-ingest",
        "smoother-prioritizer",
        "smoother-worker",
        "smoother-results",
    ] {
        let sdk: Vec<_> = closure(name, true)
            .into_iter()
            .filter(|package| {
                package.starts_with("aws-sdk-") || ["aws-config", "aws-smithy-runtime"].contains(package)
            })
            .collect();
        assert!(sdk.is_empty(), "{name} builds {sdk:?}");
    }
    // The rule above can fail: the adapter does build it.
    assert!(closure("smoother-bedrock", false).contains("aws-sdk-bedrockruntime"));
}

#[test]
fn core_has_neither_runtime_nor_transport() {
    let core = closure("smoother-core", false);
    for banned in [
        "tokio",
        "hyper",
        "axum",
        "rusqlite",
        "reqwest",
        "rand",
        "tracing-subscriber",
    ] {
        assert!(!core.contains(banned), "smoother-core builds {banned}");
    }
}
