//! Workloads and targets as their files say.

mod target;
mod workload;

use std::path::Path;

use anyhow::Context;

pub use target::{Speaks, Target, Wire};
pub use workload::{Burst, Class, Limiter, Measure, Phase, Trace, TraceRun, Workload};

/// Reads a workload; a quick run lays its `[quick]` over it.
///
/// # Errors
/// The file cannot be read or has an unknown or missing key.
pub fn workload(path: &Path, quick: bool) -> anyhow::Result<Workload> {
    let mut table: toml::Table = read(path)?;
    if quick && let Some(toml::Value::Table(over)) = table.get("quick").cloned() {
        lay_over(&mut table, over);
    }
    let setting = serde_json::to_value(setting(table.clone()))?;
    let mut workload: Workload = table.try_into().with_context(|| path.display().to_string())?;
    workload.setting = setting;
    Ok(workload)
}

/// What figures depend on, whatever they are of.
fn setting(mut table: toml::Table) -> toml::Table {
    table.retain(|key, _| !["title", "about", "goal", "targets", "quick"].contains(&key));
    if let Some(toml::Value::Table(measure)) = table.get_mut("measure") {
        measure.retain(|key, _| !["parallel", "seeds_of"].contains(&key));
    }
    table
}

/// Reads a target.
///
/// # Errors
/// As [`workload`].
pub fn target(path: &Path) -> anyhow::Result<Target> {
    read(path)?.try_into().with_context(|| path.display().to_string())
}

fn read(path: &Path) -> anyhow::Result<toml::Table> {
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    text.parse().with_context(|| path.display().to_string())
}

fn lay_over(base: &mut toml::Table, over: toml::Table) {
    for (key, value) in over {
        match (base.get_mut(&key), value) {
            (Some(toml::Value::Table(inner)), toml::Value::Table(value)) => lay_over(inner, value),
            (_, value) => drop(base.insert(key, value)),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn folder(name: &str) -> Vec<std::path::PathBuf> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
        std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect()
    }

    #[test]
    fn every_file_is_readable_and_every_target_that_is_named_exists() {
        let targets: Vec<String> = folder("targets")
            .iter()
            .map(|path| {
                target(path).unwrap();
                path.file_stem().unwrap().to_str().unwrap().to_owned()
            })
            .collect();
        for path in folder("workloads") {
            for quick in [false, true] {
                let workload = workload(&path, quick).unwrap();
                assert!(
                    workload.targets.iter().all(|name| targets.contains(name)),
                    "{}",
                    path.display()
                );
                let shares: f64 = match &workload.measure {
                    Measure::Trace(trace) => trace.priorities.iter().map(|each| each.share).sum(),
                    _ => workload.classes.iter().map(|class| class.share).sum(),
                };
                assert!(
                    (shares - 1.0).abs() < 1e-9,
                    "shares of {} add up to {shares}",
                    path.display()
                );
            }
        }
    }

    #[test]
    fn a_quick_run_changes_only_what_it_names() {
        let mut base: toml::Table = "a = 1\n[t]\nb = 2\nc = 3".parse().unwrap();
        lay_over(&mut base, "[t]\nc = 4".parse().unwrap());
        assert_eq!(base, "a = 1\n[t]\nb = 2\nc = 4".parse().unwrap());
    }
}
