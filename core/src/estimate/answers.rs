//! What is known of the answers under one key.

use super::average::Average;
use super::lengths::Lengths;
use super::lessons::Lesson;
use super::right_size::{self, Trial, right_size};
use crate::units::{Timestamp, Tokens};
use serde::{Deserialize, Serialize};

/// Averages are kept in thousandths of a token.
const SCALE: u64 = 1_000;
/// Answers after which a tenant's own average is trusted.
pub(super) const ENOUGH: u64 = 8;
/// The share of answers that an estimate covers, in thousandths. In three recorded traces (Azure 2023, ServeGen) the
/// mean is the length that 64 to 80 % of the answers stay within.
const USUAL: u16 = 750;
/// Answers between two looks at the quantiles.
const LOOK_EVERY: u64 = 16;

/// The answers to requests that are alike.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Answers {
    average: Average,
    lengths: Lengths,
    #[serde(default)]
    trial: Trial,
    last_at: Timestamp,
    /// Read off the lengths now and then: a request's estimate costs no sketch.
    #[serde(skip)]
    figures: Figures,
}

#[derive(Debug, Clone, Copy, Default)]
struct Figures {
    /// Answers when they were read off; 0 where they never were.
    samples: u64,
    usual: Option<Tokens>,
    size: Option<Tokens>,
}

/// How much answers have told of the size that would do for their like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Grasp {
    /// Too little.
    Nothing,
    /// A size that is large, to be safe.
    Guess,
    /// The size, if any is smaller than what is allowed.
    Sure,
}

impl Answers {
    pub(super) fn take(&mut self, lesson: &Lesson) {
        let Lesson {
            output, cut_short, ..
        } = *lesson;
        self.average = self.average.updated(output.get().saturating_mul(SCALE));
        self.lengths.observe(output, lesson.at);
        self.last_at = self.last_at.max(lesson.at);
        let trial = cut_short.map_or(self.trial, |cut| self.trial.updated(cut));
        let samples = self.average.samples();
        let due = samples == right_size::ENOUGH || samples.saturating_sub(self.figures.samples) >= LOOK_EVERY;
        let other_trial = trial != self.trial && cut_short == Some(true);
        self.trial = trial;
        if due || other_trial {
            self.look();
        }
    }

    /// Samples of the running mean.
    pub(super) fn samples(&self) -> u64 {
        self.average.samples()
    }

    pub(super) fn mean(&self) -> Option<Tokens> {
        self.average.mean().map(|mean| Tokens::new(mean.div_ceil(SCALE)))
    }

    /// What most answers stay within; `None` while few are known.
    pub(super) fn usual(&self) -> Option<Tokens> {
        self.figures.usual
    }

    pub(super) fn right_size(&self) -> Option<Tokens> {
        self.figures.size
    }

    pub(super) fn grasp(&self) -> Grasp {
        match (self.figures.size, self.figures.usual) {
            (_, Some(_)) => Grasp::Sure,
            (Some(_), None) => Grasp::Guess,
            (None, None) => Grasp::Nothing,
        }
    }

    pub(super) fn last_at(&self) -> Timestamp {
        self.last_at
    }

    /// With what another process has seen.
    pub(super) fn merge(&mut self, other: &Self) {
        if other.average.samples() > self.average.samples() {
            self.average = other.average;
            self.trial = other.trial;
        }
        self.lengths.merge(&other.lengths);
        self.last_at = self.last_at.max(other.last_at);
        self.look();
    }

    /// Reads the figures off the lengths.
    pub(super) fn look(&mut self) {
        let known = self.lengths.samples() >= right_size::ENOUGH;
        self.figures = Figures {
            samples: self.average.samples(),
            usual: self
                .lengths
                .within([USUAL])
                .map(|[usual]| usual)
                .filter(|_| known),
            size: right_size(&self.lengths, self.trial),
        };
    }
}
