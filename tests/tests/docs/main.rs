//! The documents say what is true: the configuration table is that of the code, the map names what is there.

#![allow(clippy::unwrap_used)]

use smoother_core::config::KEYS;
use smoother_core::metrics::{ALL as METRICS, Metric};
use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn readme() -> String {
    fs::read_to_string(root().join("README.md")).unwrap()
}

/// The table as README.md must hold it, made from the keys that the parser knows.
fn table() -> String {
    let cell = |text: String| text.replace('|', "\\|");
    let row = |key: &smoother_core::config::Key| {
        let (kind, preset) = (cell(key.kind.to_string()), cell(key.preset.to_string()));
        format!(
            "| `{}` | {kind} | {preset} | {} |",
            key.path,
            cell(key.help.to_owned())
        )
    };
    let rows: Vec<String> = KEYS.iter().map(row).collect();
    format!(
        "| key | value | default | what it is |\n|---|---|---|---|\n{}\n",
        rows.join("\n")
    )
}

#[test]
fn the_configuration_table_is_that_of_the_code() {
    let table = table();
    assert!(
        readme().contains(&table),
        "README.md must hold this table:\n{table}"
    );
}

/// The table as README.md must hold it, made from the metrics that the code names.
fn metrics() -> String {
    let row = |metric: &Metric| {
        let kind = format!("{:?}", metric.kind).to_lowercase();
        let (labels, help) = (metric.labels.join(", "), metric.help.replace('|', "\\|"));
        format!("| `{}` | {kind} | {labels} | {help} |", metric.name)
    };
    let rows: Vec<String> = METRICS.iter().map(row).collect();
    format!(
        "| metric | kind | labels | what it is |\n|---|---|---|---|\n{}\n",
        rows.join("\n")
    )
}

#[test]
fn the_table_of_metrics_is_that_of_the_code() {
    let table = metrics();
    assert!(
        readme().contains(&table),
        "README.md must hold this table:\n{table}"
    );
}

#[test]
fn the_map_names_every_folder() {
    let readme = readme();
    for entry in fs::read_dir(root()).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        let tracked = fs::read_dir(entry.path()).is_ok_and(|mut inside| inside.next().is_some());
        let made = ["target", "node_modules", "smoother-data"].contains(&name.as_str());
        if tracked && !made && !name.starts_with('.') {
            assert!(
                readme.contains(&format!("`{name}/`")),
                "README.md does not name {name}/"
            );
        }
    }
}

#[test]
fn links_inside_the_repository_lead_somewhere() {
    for document in [
        "README.md",
        "CONTRIBUTING.md",
        "docs/architecture.md",
        "docs/plan.md",
        "bedrock-sim/README.md",
    ] {
        let path = root().join(document);
        let text = fs::read_to_string(&path).unwrap();
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let target = link.split('#').next().unwrap();
            if target.is_empty() || target.contains("://") {
                continue;
            }
            assert!(
                path.parent().unwrap().join(target).exists(),
                "{document} links to {link}, which is not there"
            );
        }
    }
}
