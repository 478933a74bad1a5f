//! The bound that laws are held against: one who sees the limiter's true state and lets go whatever it admits.

use crate::ids::CallNo;
use crate::ledger::tests::limiters::Limiter;
use crate::request::Priority;
use crate::scheduler::tests::world::{Job, START};
use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

/// Milliseconds between two looks.
const LOOK: u64 = 5;

/// Milliseconds from the first release to the last end, interactive requests first. `jobs` are in order of arrival.
pub(super) fn drain(mut limiter: Limiter, jobs: &[Job]) -> u64 {
    let mut lines = [VecDeque::new(), VecDeque::new()];
    let mut running = BinaryHeap::new();
    let (mut next, mut begun, mut ended) = (0, None, 0);
    let mut now = 0;
    while next < jobs.len() || lines.iter().any(|line| !line.is_empty()) || !running.is_empty() {
        while let Some(job) = jobs
            .get(next)
            .filter(|job| job.waiting.arrived_at.as_millis() <= START + now)
        {
            lines[usize::from(job.waiting.priority != Priority::Interactive)].push_back(next);
            next += 1;
        }
        while let Some(Reverse((at, index))) = running.peek().copied().filter(|Reverse((at, _))| *at <= now) {
            running.pop();
            let job: &Job = &jobs[index];
            limiter.settle(
                START + at,
                (job.waiting.id, CallNo::new(1)),
                job.charged,
                job.actual,
            );
            ended = at;
        }
        for line in &mut lines {
            while let Some(index) = line.front().copied() {
                let job = &jobs[index];
                if !limiter.admit(START + now, (job.waiting.id, CallNo::new(1)), job.charged) {
                    break;
                }
                line.pop_front();
                begun.get_or_insert(now);
                running.push(Reverse((now + job.lasts, index)));
            }
        }
        now += LOOK;
    }
    ended - begun.unwrap_or(0)
}
