//! What a process has used, as /proc tells (Linux).

use std::time::Duration;

use anyhow::Context;

/// What a process has used so far.
#[derive(Debug, Clone, Copy, Default)]
pub struct Usage {
    /// Processor time.
    pub cpu: Duration,
    /// The most memory it held at a time, in bytes.
    pub peak_bytes: u64,
}

impl Usage {
    /// Of this process.
    ///
    /// # Errors
    /// It is gone, or this is not Linux.
    pub fn of(pid: u32) -> anyhow::Result<Self> {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
        Ok(Self {
            cpu: cpu(&stat).context("no times in /proc/PID/stat")?,
            peak_bytes: memory(pid, "VmHWM:")?,
        })
    }
}

/// What all processors of the machine have done so far, in ticks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Processors {
    busy: u64,
    all: u64,
}

impl Processors {
    /// Now; none where /proc does not tell.
    pub fn now() -> Option<Self> {
        Self::of(&std::fs::read_to_string("/proc/stat").ok()?)
    }

    /// The first line sums user, nice, system, idle, iowait, irq, softirq and steal; what follows is part of user. What runs
    /// at a lower priority (nice) gives way to the runs, and counts as idle.
    fn of(stat: &str) -> Option<Self> {
        let fields = stat.lines().next()?.strip_prefix("cpu ")?;
        let ticks: Vec<u64> = fields
            .split_ascii_whitespace()
            .take(8)
            .map(|field| field.parse().ok())
            .collect::<Option<_>>()?;
        let all = ticks.iter().sum();
        let idle = ticks.get(1)? + ticks.get(3)? + ticks.get(4)?;
        Some(Self {
            busy: all - idle,
            all,
        })
    }

    /// The share of the time since `before` in which they were busy.
    pub fn busy_since(self, before: Self) -> Option<f64> {
        let all = self.all.saturating_sub(before.all);
        (all > 0).then(|| self.busy.saturating_sub(before.busy) as f64 / all as f64)
    }
}

/// The command's name, in parentheses, may hold blanks: fields are counted after it. utime and stime are the 14th and
/// 15th of all, in ticks, which Linux fixes at 100 a second towards user space.
fn cpu(stat: &str) -> Option<Duration> {
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_ascii_whitespace().skip(11);
    let ticks: u64 = fields.next()?.parse::<u64>().ok()? + fields.next()?.parse::<u64>().ok()?;
    Some(Duration::from_millis(ticks * 10))
}

/// A line of /proc/PID/status that counts kilobytes, in bytes.
pub(super) fn memory(pid: u32, line: &str) -> anyhow::Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let found = status
        .lines()
        .find_map(|each| each.strip_prefix(line))
        .with_context(|| format!("no {line} in /proc/PID/status"))?;
    let kilobytes: u64 = found.trim().trim_end_matches(" kB").parse()?;
    Ok(kilobytes * 1024)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn times_stand_behind_a_name_that_may_hold_anything() {
        let stat = "7 (a ) b) S 1 2 3 4 5 6 7 8 9 10 150 50 0 0 20";
        assert_eq!(cpu(stat), Some(Duration::from_secs(2)));
        assert_eq!(cpu("7 (a) S 1"), None);
    }

    #[test]
    fn processors_are_busy_when_they_neither_idle_nor_wait_for_a_disk_nor_give_way() {
        let at = |line: &str| Processors::of(&format!("{line}\ncpu0 1 2 3\n")).unwrap();
        let (before, after) = (
            at("cpu  10 5 10 80 0 0 0 0 5 0"),
            at("cpu  50 15 20 120 20 5 5 0 9 0"),
        );
        assert_eq!(after.busy_since(before), Some(60.0 / 130.0));
        assert_eq!(before.busy_since(before), None);
    }

    #[test]
    fn the_most_memory_is_no_less_than_what_is_held_now() {
        let pid = std::process::id();
        // Read first: other tests allocate meanwhile.
        let held = memory(pid, "VmRSS:").unwrap();
        assert!(Usage::of(pid).unwrap().peak_bytes >= held);
    }
}
