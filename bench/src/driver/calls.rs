//! The calls of a run, drawn from a seed: the same seed gives the same calls.

use std::fmt::Write;

use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use serde_json::json;

use crate::files::Class;
use crate::plan::Call;

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
    due.into_iter()
        .map(|at_us| call(pick(classes, &mut rng), at_us, &mut rng))
        .collect()
}

/// The body of `POST /v1/jobs` for a call.
pub fn job(call: &Call) -> String {
    let body: serde_json::Value = serde_json::from_str(&call.body).unwrap_or_default();
    json!({ "model": call.model, "operation": "converse", "body": body }).to_string()
}

fn pick<'a>(classes: &'a [Class], rng: &mut SmallRng) -> &'a Class {
    let mut left: f64 = rng.random();
    let mut chosen = &classes[0];
    for class in classes {
        chosen = class;
        left -= class.share;
        if left < 0.0 {
            break;
        }
    }
    chosen
}

fn call(class: &Class, at_us: u64, rng: &mut SmallRng) -> Call {
    let output = vary(class.output_tokens, class.spread, rng).min(class.max_tokens);
    let prompt = prompt(class, output, vary(class.input_tokens, class.spread, rng), rng);
    let body = json!({
        "messages": [{ "role": "user", "content": [{ "text": prompt }] }],
        "inferenceConfig": { "maxTokens": class.max_tokens },
    });
    let operation = if class.stream {
        "converse-stream"
    } else {
        "converse"
    };
    Call {
        at_us,
        path: format!("/model/{MODEL}/{operation}"),
        model: MODEL.to_owned(),
        class: class.name.clone(),
        prompt,
        max_tokens: class.max_tokens,
        stream: class.stream,
        body: body.to_string(),
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

fn prompt(class: &Class, output: u64, input_tokens: u64, rng: &mut SmallRng) -> String {
    let mut text = String::new();
    // Writing to a String cannot fail.
    let _ = write!(text, "[[sim out={output} prio={}]]", class.name);
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
                .all(|(a, b)| a.body == b.body && a.at_us == b.at_us)
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
