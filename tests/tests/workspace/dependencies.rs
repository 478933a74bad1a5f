//! Who may use whom. The stages and the adapters meet in the roots only, and the AWS SDK stays out of
//! everything that decides: their tests must build in seconds.

use std::collections::BTreeSet;

use cargo_metadata::DependencyKind;

use crate::graph::{built_alone, closure, member, members};

/// A package and the packages of the workspace that it may name, in its code or its tests.
const MAY_USE: [(&str, &[&str]); 15] = [
    ("smoother-core", &[]),
    ("smoother-ingest", &["smoother-core"]),
    ("smoother-prioritizer", &["smoother-core"]),
    ("smoother-worker", &["smoother-core"]),
    ("smoother-results", &["smoother-core"]),
    // The planner plays with core's scheduler, and with nothing else of the house.
    ("smoother-plan", &["smoother-core"]),
    ("smoother-bedrock", &["smoother-core"]),
    ("smoother-embedded", &["smoother-core"]),
    ("smoother-aws", &["smoother-core"]),
    // The simulator stands for Bedrock: it must not share a mistake with the smoother.
    ("bedrock-sim", &[]),
    ("smoother-bench", &[]),
    // It is loaded below the server as it is, and knows nothing of it but its files' names.
    ("smoother-broken-disk", &[]),
    (
        "smoother",
        &[
            "smoother-core",
            "smoother-ingest",
            "smoother-prioritizer",
            "smoother-worker",
            "smoother-results",
            "smoother-plan",
            "smoother-bedrock",
            "smoother-embedded",
            "bedrock-sim",
        ],
    ),
    (
        "smoother-bootstrap",
        &[
            "smoother-core",
            "smoother-ingest",
            "smoother-prioritizer",
            "smoother-worker",
            "smoother-results",
            "smoother-bedrock",
            "smoother-embedded",
            "smoother-aws",
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
            "smoother-aws",
            "bedrock-sim",
        ],
    ),
];

/// What a package's tests may use besides: a real neighbour instead of a mock. None of them brings the AWS SDK
/// into a stage's tests, as the rule below holds.
const TESTS_MAY_USE: [(&str, &str); 6] = [
    ("smoother-bedrock", "bedrock-sim"),
    ("smoother-ingest", "smoother-embedded"),
    ("smoother-prioritizer", "smoother-embedded"),
    ("smoother-worker", "smoother-embedded"),
    ("smoother-results", "smoother-embedded"),
    ("smoother-aws", "smoother-embedded"),
];

#[test]
fn every_package_uses_only_what_it_may() {
    let workspace = members();
    for (name, allowed) in MAY_USE {
        for dependency in &member(name).dependencies {
            let used = dependency.name.as_str();
            let in_tests =
                dependency.kind == DependencyKind::Development && TESTS_MAY_USE.contains(&(name, used));
            assert!(
                !workspace.contains(used) || allowed.contains(&used) || in_tests,
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
        "smoother-plan",
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
    let core = built_alone("smoother-core");
    assert!(core.contains("serde"), "the list is that of core's packages");
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
