//! How long a step takes with a million requests waiting. Not run by default: the figure is the machine's.
//! `cargo test --release -p smoother-core --lib speed -- --ignored --nocapture`
#![allow(clippy::disallowed_methods)]

use super::world::{Dice, at, config, id, lane, tenant, waiting};
use super::{ended, released, scheduler, started, wake};
use crate::config::Pacing;
use crate::request::Priority;
use crate::scheduler::{Event, Scheduler};
use std::time::Instant;

const WAITING: u64 = 1_000_000;

fn arrival(dice: &mut Dice, number: u64, tenants: u64, ms: u64) -> Event {
    let mut one = waiting(
        number,
        ms,
        Priority::ALL[dice.below(3) as usize],
        500 + dice.below(5_000),
    );
    one.tenant = tenant(&format!("t{}", dice.below(tenants)));
    if dice.below(4) == 0 {
        one.deadline = Some(at(86_400_000 + dice.below(86_400_000)));
    }
    Event::Arrived(one)
}

/// Events a second as a busy lane has them, each release started and ended; the mean of a step.
fn mean_step(mut scheduler: Scheduler, tenants: u64, mut dice: Dice) -> f64 {
    let mut commands = Vec::new();
    let (mut steps, mut number, mut now) = (0u32, WAITING, 100_000);
    let began = Instant::now();
    while steps < 200_000 {
        commands.clear();
        now += 1;
        number += 1;
        scheduler.step_into(at(now), arrival(&mut dice, number, tenants, now), &mut commands);
        scheduler.step_into(at(now), Event::Tick, &mut commands);
        steps += 2;
        let mut todo = released(&commands);
        while let Some((request, call)) = todo.pop() {
            commands.clear();
            scheduler.step_into(at(now), started(request, call, now), &mut commands);
            scheduler.step_into(at(now), ended(request, call, 700, now), &mut commands);
            todo.extend(released(&commands));
            steps += 2;
        }
    }
    began.elapsed().as_secs_f64() * 1e6 / f64::from(steps)
}

#[test]
#[ignore = "measures; run it with --release"]
fn a_step_with_a_million_waiting() {
    for (tenants, quota) in [(1, 60_000_000), (10_000, 60_000_000), (10_000, 3_000_000_000)] {
        let mut dice = Dice(1);
        let mut scheduler = scheduler(config(lane(quota, Some(600_000), Pacing::Auto)));
        let mut commands = Vec::new();
        let began = Instant::now();
        for number in 0..WAITING {
            scheduler.step_into(
                at(number / 20),
                arrival(&mut dice, number, tenants, number / 20),
                &mut commands,
            );
            commands.clear();
        }
        let arriving = began.elapsed().as_secs_f64() * 1e6 / WAITING as f64;
        let began = Instant::now();
        let mut asked = 0u32;
        for number in (0..WAITING).step_by(997) {
            asked += u32::from(scheduler.forecast(at(100_000), id(number)).is_some());
        }
        let forecast = began.elapsed().as_secs_f64() * 1e6 / f64::from(asked.max(1));
        let began = Instant::now();
        assert!(wake(&scheduler.step(at(100_000), Event::Tick)).is_some());
        drop(scheduler.view(at(100_000)));
        let view = began.elapsed().as_secs_f64() * 1e6;
        let step = mean_step(scheduler, tenants, dice);
        println!(
            "{tenants} tenants, quota {quota}: arrival {arriving:.2} µs, step {step:.2} µs, \
             forecast {forecast:.2} µs of {asked}, view {view:.0} µs"
        );
        assert!(step < 20.0, "{step}");
    }
}
