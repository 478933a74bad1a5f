//! The machine, as far as figures depend on it.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::time::Instant;

use crate::stats::Sample;

/// Syncs measured.
const SYNCS: usize = 200;

/// This machine in a few words; measures the disk under `scratch`.
///
/// # Errors
/// The disk cannot be written.
pub fn machine(scratch: &Path) -> anyhow::Result<String> {
    let cpu = value("/proc/cpuinfo", "model name").unwrap_or_else(|| "unknown processor".to_owned());
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let memory = value("/proc/meminfo", "MemTotal").unwrap_or_default();
    let kilobytes: u64 = memory.trim_end_matches(" kB").parse().unwrap_or_default();
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let syncs = syncs(scratch)?;
    Ok(format!(
        "{cpu}, {cores} cores, {} GB memory, Linux {}, syncs of {:.2} ms (p50) and {:.2} ms (p99)",
        kilobytes / 1_000_000,
        kernel.trim(),
        syncs.permille(500).unwrap_or_default(),
        syncs.permille(990).unwrap_or_default(),
    ))
}

fn value(file: &str, key: &str) -> Option<String> {
    let text = fs::read_to_string(file).ok()?;
    let line = text.lines().find(|line| line.starts_with(key))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

/// Milliseconds of one appended block made durable.
fn syncs(scratch: &Path) -> anyhow::Result<Sample> {
    let path = scratch.join("sync");
    let mut file = fs::File::create(&path)?;
    let mut times = Vec::with_capacity(SYNCS);
    for _ in 0..SYNCS {
        let begun = Instant::now();
        file.write_all(&[7; 4096])?;
        file.sync_data()?;
        times.push(begun.elapsed().as_secs_f64() * 1e3);
    }
    fs::remove_file(path)?;
    Ok(Sample::of(times))
}
