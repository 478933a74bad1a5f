//! How far a batch is: a bar on a terminal, figures at the end.

use super::send::Outcome;
use crate::client::Teller;
use crate::commands::figures::{grouped, span};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};
use serde_json::{Value, json};
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// What became of the lines so far.
#[derive(Debug, Clone)]
pub struct Tally {
    answered: u64,
    submitted: u64,
    invalid: u64,
    refused: u64,
    unanswered: u64,
    since: Instant,
}

impl Tally {
    pub fn new() -> Self {
        Self {
            answered: 0,
            submitted: 0,
            invalid: 0,
            refused: 0,
            unanswered: 0,
            since: Instant::now(),
        }
    }

    pub const fn count(&mut self, outcome: &Outcome) {
        match outcome {
            Outcome::Answered(_) => self.answered += 1,
            Outcome::Submitted(_) => self.submitted += 1,
            Outcome::Invalid(_) => self.invalid += 1,
            Outcome::Refused { .. } => self.refused += 1,
            Outcome::Unanswered { .. } => self.unanswered += 1,
        }
    }

    /// Lines with an error in place of an answer.
    pub const fn errors(&self) -> u64 {
        self.invalid + self.refused + self.unanswered
    }

    const fn lines(&self) -> u64 {
        self.errors() + self.answered + self.submitted
    }

    fn ms(&self) -> u64 {
        u64::try_from(self.since.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    pub fn json(&self) -> Value {
        json!({
            "lines": self.lines(),
            "answered": self.answered,
            "submitted": self.submitted,
            "invalid": self.invalid,
            "refused": self.refused,
            "unanswered": self.unanswered,
            "elapsed_ms": self.ms(),
        })
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} lines in {}", grouped(self.lines()), span(self.ms()))?;
        for (count, what) in [
            (self.answered, "answered"),
            (self.submitted, "submitted"),
            (self.invalid, "not valid"),
            (self.refused, "refused by the server"),
            (self.unanswered, "ended without an answer"),
        ] {
            if count > 0 {
                write!(f, ", {} {what}", grouped(count))?;
            }
        }
        Ok(())
    }
}

/// Lines a second.
fn rate(state: &ProgressState, to: &mut dyn fmt::Write) {
    // A bar has nobody to tell of a failure.
    let _ = write!(to, "{:.1}/s", state.per_sec());
}

/// The bar.
#[derive(Debug)]
pub struct Progress(ProgressBar);

impl Progress {
    /// Of `lines`, if they are known; drawn only where a person sees it.
    pub fn new(lines: Option<u64>, live: bool) -> Self {
        let target = if live {
            ProgressDrawTarget::stderr_with_hz(5)
        } else {
            ProgressDrawTarget::hidden()
        };
        let bar = ProgressBar::with_draw_target(lines, target);
        let template = match lines {
            Some(_) => "{bar:30} {human_pos}/{human_len} lines  {rate}  {eta} left{msg}",
            None => "{spinner} {human_pos} lines  {rate}{msg}",
        };
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style.with_key("rate", rate));
        }
        bar.enable_steady_tick(Duration::from_millis(500));
        Self(bar)
    }

    pub fn show(&self, tally: &Tally, under_way: usize) {
        self.0.set_position(tally.lines());
        let errors = match tally.errors() {
            0 => String::new(),
            n => format!(", {} with errors", grouped(n)),
        };
        self.0.set_message(format!("  {under_way} under way{errors}"));
    }

    /// Says in the bar that nothing moves because of the server.
    pub fn teller(&self) -> Teller {
        let bar = self.0.clone();
        Arc::new(move |why, _| bar.set_message(format!("  waiting for the server: {why}")))
    }

    /// Takes the bar off the screen.
    pub fn finish(&self) {
        self.0.finish_and_clear();
    }
}
