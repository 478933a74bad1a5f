//! The resolved graph of packages, as `cargo metadata --locked` tells it.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;
use std::sync::LazyLock;

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand, Package, PackageId};

/// The graph, read once for all tests.
pub static METADATA: LazyLock<Metadata> = LazyLock::new(|| {
    MetadataCommand::new()
        .manifest_path(concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.toml"))
        .other_options(["--locked".to_owned()])
        .exec()
        .expect("cargo metadata answers")
});

/// The package with this name in the workspace.
pub fn member(name: &str) -> &'static Package {
    METADATA
        .workspace_packages()
        .into_iter()
        .find(|package| package.name.as_str() == name)
        .unwrap_or_else(|| panic!("the workspace has no package {name}"))
}

/// Names of the workspace's packages.
pub fn members() -> BTreeSet<&'static str> {
    METADATA
        .workspace_packages()
        .iter()
        .map(|package| package.name.as_str())
        .collect()
}

/// Every package that a build of `name` by itself compiles. Unlike [`closure`] it leaves out what only other packages
/// of the workspace switch on in a dependency they share.
pub fn built_alone(name: &str) -> BTreeSet<String> {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let tree = Command::new(cargo)
        .args(["tree", "--locked", "--edges", "normal,build", "--prefix", "none"])
        .args(["--package", name, "--format", "{p}"])
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
        .output()
        .expect("cargo tree runs");
    assert!(
        tree.status.success(),
        "cargo tree: {}",
        String::from_utf8_lossy(&tree.stderr)
    );
    let lines = String::from_utf8_lossy(&tree.stdout).into_owned();
    lines
        .lines()
        .filter_map(|line| line.split_whitespace().next())
        .map(str::to_owned)
        .collect()
}

/// Every package that a build of `name` needs, itself included; with the dependencies of its own tests
/// where `with_tests` says so (other packages' tests are never built with it).
pub fn closure(name: &str, with_tests: bool) -> BTreeSet<&'static str> {
    let nodes: BTreeMap<&PackageId, _> = METADATA
        .resolve
        .as_ref()
        .expect("metadata has a resolved graph")
        .nodes
        .iter()
        .map(|node| (&node.id, node))
        .collect();
    let root = &member(name).id;
    let mut seen = BTreeSet::from([root]);
    let mut open = vec![root];
    while let Some(id) = open.pop() {
        for dependency in &nodes[id].deps {
            let built = dependency
                .dep_kinds
                .iter()
                .any(|kind| kind.kind != DependencyKind::Development || (with_tests && id == root));
            if built && seen.insert(&dependency.pkg) {
                open.push(&dependency.pkg);
            }
        }
    }
    METADATA
        .packages
        .iter()
        .filter(|package| seen.contains(&package.id))
        .map(|package| package.name.as_str())
        .collect()
}
