//! How long single decisions take, the slow ones too; what a waiting request weighs; how long a lane takes to start:
//! `cargo bench -p smoother-core --bench latency -- --out docs/scheduler.md`.
#![allow(
    missing_docs,
    clippy::expect_used,
    clippy::cast_possible_truncation,
    clippy::print_stdout
)]
#![allow(clippy::disallowed_methods, reason = "it measures")]

mod lane;
mod page;

use lane::{Decision, Dice, Lane, PER_MILLISECOND, SIZES, moment, request, settings};
use page::{Page, Quantiles, resident_bytes};
use smoother_core::scheduler::{Event, Scheduler, Waiting};
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// Of each decision, after as many that do not count.
const ROUNDS: usize = 100_000;

fn main() {
    let mut arguments = std::env::args()
        .skip_while(|argument| argument != "--out")
        .skip(1);
    let out = arguments.next().map(PathBuf::from);
    let most = SIZES[SIZES.len() - 1];
    // First, while the memory is that of a process that has just begun.
    let weight = weight(most);
    let page = Page {
        weight,
        start: start(most),
        decisions: SIZES.map(|size| (size, quantiles(size))).into(),
    };
    println!("{}", page.table());
    // Cargo runs benchmarks in the crate's folder; the page is named from the repository's.
    if let Some(out) = out {
        page.write(&PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..").join(out));
    }
}

fn quantiles(size: usize) -> Vec<(Decision, Quantiles)> {
    let mut lane = Lane::with(size);
    for _ in 0..ROUNDS {
        lane.round();
    }
    let mut taken = Decision::ALL.map(|decision| (decision, Vec::with_capacity(ROUNDS)));
    for _ in 0..ROUNDS {
        for ((_, times), (_, took)) in taken.iter_mut().zip(lane.round()) {
            times.push(took);
        }
    }
    taken
        .into_iter()
        .map(|(decision, times)| (decision, Quantiles::of(times)))
        .collect()
}

/// So many requests as a process that starts finds them.
fn found(count: usize) -> Vec<Waiting> {
    let mut dice = Dice(2);
    let one = |number| request(&mut dice, number, moment(number / PER_MILLISECOND));
    (0..count as u64).map(one).collect()
}

/// How long until a lane has taken in so many requests and lets the first go.
fn start(count: usize) -> Duration {
    let waiting = found(count);
    let mut commands = Vec::new();
    let began = Instant::now();
    let mut scheduler = Scheduler::new(settings(), moment(0));
    scheduler.restore(moment(100_000), waiting, &[], None);
    scheduler.step_into(moment(100_000), Event::Tick, &mut commands);
    let took = began.elapsed();
    assert!(!commands.is_empty(), "a lane with requests lets some go");
    took
}

/// The memory of each of so many requests. Whoever found them keeps them: what the lane has of them is all that is added.
fn weight(count: usize) -> Option<u64> {
    let waiting = found(count);
    let before = resident_bytes()?;
    let mut scheduler = Scheduler::new(settings(), moment(0));
    for one in &waiting {
        scheduler.restore(moment(100_000), vec![one.clone()], &[], None);
    }
    let added = resident_bytes()?.saturating_sub(before);
    drop(scheduler);
    Some(added / count as u64)
}
