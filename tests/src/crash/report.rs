//! The run in words: for the terminal, and as docs/crash.md.

use std::fmt::Write;
use std::fs;

use super::driver::Outcome;

/// The counts, one a line.
pub fn lines(outcome: &Outcome) -> Vec<(&'static str, String)> {
    let counts = &outcome.counts;
    let states: Vec<String> = counts
        .states
        .iter()
        .map(|(state, n)| format!("{n} {state}"))
        .collect();
    vec![
        (
            "kills",
            format!(
                "{} by SIGKILL ({} before it was ready, {} while it drained), and {} clean stops between them",
                counts.kills, counts.kills_starting, counts.kills_draining, counts.stops
            ),
        ),
        ("requests made", counts.asked.to_string()),
        (
            "jobs acknowledged to a client",
            format!(
                "{}; missing in the end: {}",
                counts.acknowledged,
                outcome.faults_of("Lost")
            ),
        ),
        (
            "synchronous answers to their last byte",
            counts.answered.to_string(),
        ),
        (
            "jobs in the store",
            format!("{}: {}", counts.jobs, states.join(", ")),
        ),
        (
            "calls upstream",
            format!("{}, of them throttled {}", counts.upstream, counts.throttled),
        ),
        (
            "call numbers used twice, results changed or lost",
            (outcome.faults_of("CallTwice") + outcome.faults_of("Changed") + outcome.faults_of("Result"))
                .to_string(),
        ),
        (
            "calls INDETERMINATE",
            format!(
                "{}; in flight at kills: {}",
                counts.indeterminate, counts.in_flight_at_kills
            ),
        ),
        (
            "fullest minute upstream",
            format!(
                "{}.{} % of its quota",
                counts.fullest_minute_permille / 10,
                counts.fullest_minute_permille % 10
            ),
        ),
        ("faults", outcome.faults.len().to_string()),
    ]
}

impl Outcome {
    fn faults_of(&self, kind: &str) -> usize {
        self.faults
            .iter()
            .filter(|fault| format!("{:?}", fault.kind) == kind)
            .count()
    }
}

/// The page that the long run writes.
///
/// # Errors
/// /proc cannot be read: this is not Linux.
pub fn page(outcome: &Outcome, command: &str) -> anyhow::Result<String> {
    let mut text = format!(
        "# Killed and started again\n\n\
         Written by `{command}` on {}.\n\
         What is done and judged: the module documentation of [tests/src/crash](../tests/src/crash/mod.rs).\n\n\
         Machine: {}. Build: {}. Seed {}, {} client processes, upstream limiter\n\
         `{}`; it took {} s.\n\n\
         | what | counted |\n|---|---|\n",
        chrono::Utc::now().format("%Y-%m-%d"),
        machine()?,
        if cfg!(debug_assertions) { "dev" } else { "release" },
        outcome.plan.seed,
        outcome.plan.clients,
        outcome.plan.limiter(),
        outcome.took.as_secs()
    );
    for (what, count) in lines(outcome) {
        writeln!(text, "| {what} | {count} |")?;
    }
    Ok(text)
}

fn machine() -> anyhow::Result<String> {
    let cpu = value("/proc/cpuinfo", "model name")?;
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let memory = value("/proc/meminfo", "MemTotal")?;
    let kilobytes: u64 = memory.trim_end_matches(" kB").parse()?;
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease")?;
    Ok(format!(
        "{cpu}, {cores} cores, {} GB memory, Linux {}",
        kilobytes / 1_000_000,
        kernel.trim()
    ))
}

fn value(file: &str, key: &str) -> anyhow::Result<String> {
    let text = fs::read_to_string(file)?;
    let line = text.lines().find_map(|line| line.strip_prefix(key));
    Ok(line
        .and_then(|line| line.split_once(':'))
        .map_or("unknown", |(_, value)| value.trim())
        .to_owned())
}
