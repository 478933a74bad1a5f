//! What stands once for all crates: edition, licence, Rust version, lints.

use std::fs;
use std::path::Path;

use crate::graph::{METADATA, member};

/// It stands in for functions of the C library, which takes unsafe code.
const UNSAFE: &str = "smoother-broken-disk";

#[test]
fn every_crate_inherits_the_lints_of_the_workspace() {
    let packages = METADATA.workspace_packages();
    for package in packages
        .into_iter()
        .filter(|package| package.name.as_str() != UNSAFE)
    {
        let manifest = fs::read_to_string(&package.manifest_path).expect("a manifest is readable");
        let manifest: toml::Table = manifest.parse().expect("a manifest is TOML");
        let inherits = manifest
            .get("lints")
            .and_then(|lints| lints.get("workspace"))
            .and_then(toml::Value::as_bool);
        assert_eq!(
            inherits,
            Some(true),
            "{} has `[lints] workspace = true`",
            package.manifest_path
        );
    }
}

#[test]
fn the_one_crate_with_unsafe_code_keeps_every_other_lint() {
    let table = |path: &Path| -> toml::Table {
        let text = fs::read_to_string(path).expect("a manifest is readable");
        text.parse().expect("a manifest is TOML")
    };
    let workspace = table(&METADATA.workspace_root.join("Cargo.toml").into_std_path_buf());
    let mut expected = workspace["workspace"]["lints"].clone();
    expected["rust"]["unsafe_code"] = "allow".into();
    let clippy = expected["clippy"].as_table_mut().expect("clippy's lints");
    clippy.insert("undocumented_unsafe_blocks".to_owned(), "deny".into());
    let own = table(member(UNSAFE).manifest_path.as_std_path());
    assert_eq!(own["lints"], expected);
}

/// One record that panics fails alone, and its process goes on: that takes unwinding in every build.
#[test]
fn no_profile_ends_the_process_at_a_panic() {
    let path = METADATA.workspace_root.join("Cargo.toml");
    let text = fs::read_to_string(path).expect("a manifest is readable");
    let manifest: toml::Table = text.parse().expect("a manifest is TOML");
    for (name, profile) in manifest["profile"].as_table().expect("profiles") {
        let panic = profile.get("panic").and_then(toml::Value::as_str);
        assert!(matches!(panic, None | Some("unwind")), "profile {name}");
    }
}

#[test]
fn every_crate_has_the_edition_licence_and_rust_version_of_the_workspace() {
    for package in METADATA.workspace_packages() {
        let name = &package.name;
        assert_eq!(package.edition.as_str(), "2024", "{name}");
        assert_eq!(package.license.as_deref(), Some("MIT OR Apache-2.0"), "{name}");
        assert_eq!(
            package.publish.as_deref(),
            Some(&[][..]),
            "{name} is not for publishing"
        );
        assert!(package.description.is_some(), "{name} says what it is");
        assert!(package.rust_version.is_some(), "{name}");
    }
}

#[test]
fn rust_version_is_no_lower_than_any_dependency_asks_for() {
    let ours = METADATA.workspace_packages()[0]
        .rust_version
        .as_ref()
        .expect("a rust-version");
    for package in &METADATA.packages {
        if let Some(theirs) = &package.rust_version {
            assert!(
                theirs <= ours,
                "{} {} needs Rust {theirs}",
                package.name,
                package.version
            );
        }
    }
}

#[test]
fn the_toolchain_is_the_users_own_and_the_lock_file_is_kept() {
    let root = METADATA.workspace_root.as_std_path();
    for pinned in ["rust-toolchain", "rust-toolchain.toml"] {
        assert!(
            !root.join(pinned).exists(),
            "{pinned} would override the user's toolchain"
        );
    }
    let ignored = fs::read_to_string(root.join(".gitignore")).unwrap_or_default();
    assert!(!ignored.lines().any(|line| line.trim_matches('/') == "Cargo.lock"));
    assert!(Path::new(root).join("Cargo.lock").exists());
    for licence in ["LICENSE-MIT", "LICENSE-APACHE"] {
        assert!(root.join(licence).exists(), "{licence}");
    }
}

/// Adapters and roots end the bans on clocks, environment and chance by a file of their own; nothing else may.
#[test]
fn only_adapters_and_roots_lift_the_bans() {
    for package in METADATA.workspace_packages() {
        let folder = package
            .manifest_path
            .parent()
            .expect("a manifest lies in a folder");
        let pure = [
            "smoother-core",
            "smoother-ingest",
            "smoother-prioritizer",
            "smoother-worker",
            "smoother-results",
            "smoother-plan",
        ]
        .contains(&package.name.as_str());
        if pure {
            assert!(
                !folder.join("clippy.toml").exists(),
                "{} must keep the bans",
                package.name
            );
        }
    }
}
