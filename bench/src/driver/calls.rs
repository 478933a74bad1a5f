//! The calls of a run, drawn from a seed: the same seed gives the same calls.

use std::fmt::Write;

use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

use crate::files::{Class, Trace};
use crate::plan::Call;
use crate::trace::Row;

/// The model of all runs: its output counts five times.
pub const MODEL: &str = "us.anthropic.claude-sonnet-4-5-20250929-v1:0";

/// English of everyday length; the simulator counts four characters a token, as English has on average.
const WORDS: [&str; 24] = [
    "river", "quota", "answer", "the", "of", "a", "morning", "and", "report", "with", "station", "to",
    "small", "in", "careful", "draft", "green", "is", "window", "letter", "for", "summary", "old", "market",
];

/// When calls are due.
#[derive(Debug, Clone, Copy)]
pub enum Schedule {
    /// Evenly, so many a second.
    Rate(u64),
    /// Evenly, one in so many microseconds.
    Every(u64),
    /// At random moments within so many seconds.
    Uniform(u64),
}

/// `count` calls of these classes.
pub fn calls(classes: &[Class], count: u64, schedule: Schedule, seed: u64) -> Vec<Call> {
    let mut rng = SmallRng::seed_from_u64(seed);
    let mut due: Vec<u64> = (0..count)
        .map(|number| match schedule {
            Schedule::Rate(rate) => number * 1_000_000 / rate.max(1),
            Schedule::Every(micros) => number * micros,
            Schedule::Uniform(seconds) => rng.random_range(0..seconds.max(1) * 1_000_000),
        })
        .collect();
    due.sort_unstable();
    let drawn = due
        .into_iter()
        .map(|at_us| call(pick(classes, |class| class.share, &mut rng), at_us, &mut rng));
    numbered(drawn)
}

/// A call that costs next to nothing.
pub(super) fn small_call() -> Call {
    Call {
        model: MODEL.to_owned(),
        class: "normal".to_owned(),
        prompt: "[[sim out=1]]".to_owned(),
        max_tokens: 1,
        ..Call::default()
    }
}

/// The rows of a trace at the workload's speed, with priorities drawn from the workload's seed.
pub fn replay(trace: &Trace, rows: &[Row], max_tokens: u64) -> Vec<Call> {
    let mut rng = SmallRng::seed_from_u64(trace.seed);
    numbered(rows.iter().map(|row| {
        let priority = pick(&trace.priorities, |priority| priority.share, &mut rng);
        let output_tokens = row.output_tokens.min(max_tokens);
        Call {
            at_us: row.at_us / trace.speed.max(1),
            model: MODEL.to_owned(),
            class: priority.name.clone(),
            tenant: row.tenant.clone(),
            input_tokens: row.input_tokens,
            output_tokens,
            prompt: prompt(&priority.name, row.input_tokens, output_tokens, &mut rng),
            max_tokens,
            ..Call::default()
        }
    }))
}

fn numbered(calls: impl Iterator<Item = Call>) -> Vec<Call> {
    calls
        .enumerate()
        .map(|(number, call)| Call { number, ..call })
        .collect()
}

fn pick<'a, T>(from: &'a [T], share: impl Fn(&T) -> f64, rng: &mut SmallRng) -> &'a T {
    let mut left: f64 = rng.random();
    let mut chosen = &from[0];
    for each in from {
        chosen = each;
        left -= share(each);
        if left < 0.0 {
            break;
        }
    }
    chosen
}

fn call(class: &Class, at_us: u64, rng: &mut SmallRng) -> Call {
    let output_tokens = vary(class.output_tokens, class.spread, rng).min(class.max_tokens);
    let input_tokens = vary(class.input_tokens, class.spread, rng);
    Call {
        at_us,
        model: MODEL.to_owned(),
        class: class.name.clone(),
        input_tokens,
        output_tokens,
        prompt: prompt(&class.name, input_tokens, output_tokens, rng),
        max_tokens: class.max_tokens,
        stream: class.stream,
        ..Call::default()
    }
}

/// Within `spread` of the average, uniformly, in steps of a thousandth.
fn vary(average: u64, spread: f64, rng: &mut SmallRng) -> u64 {
    let thousandths = (0..=1000_u64)
        .take_while(|step| (*step as f64) <= spread * 1000.0)
        .last()
        .unwrap_or(0);
    let factor = rng.random_range(1000 - thousandths..=1000 + thousandths);
    (average * factor / 1000).max(1)
}

/// A text that the simulator takes for so many tokens, with its marks.
fn prompt(priority: &str, input_tokens: u64, output: u64, rng: &mut SmallRng) -> String {
    let mut text = String::new();
    // Writing to a String cannot fail.
    let _ = write!(text, "[[sim out={output} prio={priority}]]");
    while (text.len() as u64) < input_tokens * 4 {
        text.push(' ');
        text.push_str(WORDS[rng.random_range(0..WORDS.len())]);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn class(name: &str, share: f64) -> Class {
        Class {
            name: name.to_owned(),
            share,
            input_tokens: 200,
            max_tokens: 256,
            output_tokens: 60,
            spread: 0.5,
            stream: false,
            deadline_seconds: None,
        }
    }

    #[test]
    fn a_seed_gives_the_same_calls_in_their_shares_and_in_order_of_time() {
        let classes = [class("interactive", 0.2), class("batch", 0.8)];
        let drawn = calls(&classes, 2_000, Schedule::Uniform(30), 7);
        let again = calls(&classes, 2_000, Schedule::Uniform(30), 7);
        assert_eq!(drawn.len(), 2_000);
        assert!(
            drawn
                .iter()
                .zip(&again)
                .all(|(a, b)| a.prompt == b.prompt && a.at_us == b.at_us)
        );
        assert!(drawn.is_sorted_by_key(|call| call.at_us));
        assert!(drawn.iter().all(|call| call.at_us < 30_000_000));
        let interactive = drawn.iter().filter(|call| call.class == "interactive").count();
        assert!((330..470).contains(&interactive), "{interactive}");
    }

    #[test]
    fn lengths_vary_around_their_average() {
        let drawn = calls(&[class("batch", 1.0)], 500, Schedule::Rate(100), 1);
        let mean = drawn.iter().map(|call| call.prompt.len()).sum::<usize>() / 500;
        assert!((780..860).contains(&mean), "{mean} characters for 200 tokens");
        assert!(drawn.iter().any(|call| call.prompt.len() < 500));
        assert_eq!(drawn[100].at_us, 1_000_000);
    }
}
