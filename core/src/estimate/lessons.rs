//! Learning where each of several processes sees only some of the answers.
//!
//! A process that sees all of them keeps [`super::Outputs`] in memory and writes down what it knows. Several cannot: of
//! two such values one would take the place of the other, or the same answers would count twice. So each hands on what
//! it *saw*, and what is known of a key stands in one place ([`SharedAnswers`]), to which every lesson is added in turn.

use super::answers::{Answers, Grasp};
use super::outputs::{Answered, OutputKey};
use crate::units::{Millis, Timestamp, Tokens};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;

/// Where enough is known of a key, what a process saw of it is handed on no more often than this, unless there is
/// [`MUCH`] of it: a key costs one read and one write each time, however many answers there were.
const OFTEN: Millis = Millis::from_secs(60);
const MUCH: usize = 256;
/// Keys of which something is remembered; beyond them all is forgotten, which costs some lessons and writes.
const MOST_KEYS: usize = 20_000;

/// What one answer teaches of one key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lesson {
    /// How long the answer was.
    pub output: Tokens,
    /// Where a call was sent right-sized: whether that cut it short. Said to the tenant's own key only.
    pub cut_short: Option<bool>,
    /// When it was learned.
    pub at: Timestamp,
    /// Its request may be sent right-sized: then its like, too, may gain by it.
    pub may_be_sized: bool,
}

/// Lessons that are not handed on yet.
#[derive(Debug, Default)]
pub struct Lessons {
    keys: HashMap<OutputKey, Slate>,
}

#[derive(Debug, Default)]
struct Slate {
    lessons: Vec<Lesson>,
    handed_on_at: Timestamp,
    /// Enough is known.
    may_wait: bool,
}

impl Lessons {
    /// Notes an answer; `may_be_sized` where its request may be sent right-sized.
    pub fn note(&mut self, answered: &Answered<'_>, may_be_sized: bool, now: Timestamp) {
        if self.keys.len() >= MOST_KEYS {
            self.keys.clear();
        }
        for (key, lesson) in answered.lessons(may_be_sized, now) {
            self.keys.entry(key).or_default().lessons.push(lesson);
        }
    }

    /// What is to be handed on now, by key; it is forgotten here.
    pub fn due(&mut self, now: Timestamp) -> Vec<(OutputKey, Vec<Lesson>)> {
        let rested = |slate: &Slate| now.since(slate.handed_on_at) >= OFTEN;
        let mut due = Vec::new();
        for (key, slate) in &mut self.keys {
            let goes = !slate.may_wait || rested(slate) || slate.lessons.len() >= MUCH;
            if goes && !slate.lessons.is_empty() {
                slate.handed_on_at = now;
                due.push((key.clone(), std::mem::take(&mut slate.lessons)));
            }
        }
        self.keys
            .retain(|_, slate| !slate.lessons.is_empty() || !rested(slate));
        due
    }

    /// Enough is known of a key: what is seen of it from now on may wait.
    pub fn may_wait(&mut self, key: &OutputKey) {
        if let Some(slate) = self.keys.get_mut(key) {
            slate.may_wait = true;
        }
    }
}

/// What all processes together know of a key.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct SharedAnswers {
    answers: Answers,
    /// Some request like these may be sent right-sized.
    #[serde(default)]
    may_be_sized: bool,
    /// When it was last understood how small a max_tokens would do, or that none would.
    #[serde(default)]
    grasped_at: Timestamp,
    #[serde(default)]
    taught_at: Timestamp,
}

impl SharedAnswers {
    /// How long what was read serves, where enough is known; what changes then changes slowly.
    pub const SERVES_FOR: Millis = Millis::from_secs(60);
    /// The same where too little is known.
    pub const SERVES_SHORTLY_FOR: Millis = Millis::from_secs(5);

    /// What is known of the answers.
    pub const fn answers(&self) -> &Answers {
        &self.answers
    }

    /// When the last lesson was learned.
    pub const fn taught_at(&self) -> Timestamp {
        self.taught_at
    }

    /// Whether enough is known, so that the next lessons may wait.
    pub fn are_enough(&self) -> bool {
        self.answers.grasp() == Grasp::Sure
    }

    /// Adds lessons. Gives whether requests that wait are to be looked through: now more of them can be told their size
    /// than before, or those who read earlier what is known have let the last such one in.
    pub fn teach(&mut self, lessons: &[Lesson]) -> bool {
        let now = lessons
            .iter()
            .map(|lesson| lesson.at)
            .max()
            .unwrap_or(self.taught_at);
        self.answers.look();
        let before = (self.may_be_sized, self.answers.grasp());
        for lesson in lessons {
            self.answers.take(lesson);
            self.may_be_sized |= lesson.may_be_sized;
        }
        self.answers.look();
        let settled = self.grasped_at + Self::SERVES_SHORTLY_FOR + Self::SERVES_SHORTLY_FOR;
        let were_read_before = self.taught_at < settled && now >= settled;
        self.taught_at = self.taught_at.max(now);
        let after = (self.may_be_sized, self.answers.grasp());
        if after.1 == Grasp::Nothing || !after.0 {
            return false;
        }
        let more = before != after;
        if more {
            self.grasped_at = now;
        }
        more || were_read_before
    }
}

#[cfg(test)]
mod tests;
