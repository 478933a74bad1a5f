//! How long answers usually are, and how small a max_tokens would let nearly all of them through.
//!
//! Callers ask for far more output than they get (a p99 of 590 tokens under a max_tokens of 40,000 is reported),
//! and at a burndown of 5 the difference decides how much of the quota is reserved for nothing.

use super::answers::{Answers, ENOUGH, Grasp};
use super::lessons::{Lesson, SharedAnswers};
use crate::ids::{ModelId, TenantId};
use crate::request::Request;
use crate::units::{Millis, Timestamp, Tokens};
use serde::{Deserialize, Serialize};
use std::collections::hash_map::Entry;
use std::collections::{BTreeSet, HashMap};
use std::fmt;

/// Keys kept, 2 to 6 KB each; beyond it those that were longest without an answer go.
const MOST_KEYS: usize = 20_000;
/// Answers of a key that may be lost when a process ends without a word.
const KEPT_EVERY: u32 = 16;

/// Whose answers are alike: a tenant's, or a model's as a whole, to requests that allow about as much. A caller that
/// allows 256 tokens and one that allows 4,096 want different things even where they are one tenant.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct OutputKey(ModelId, Option<TenantId>, u32);

impl OutputKey {
    /// Whose answers tell how long this request's own may be.
    pub fn of(request: &Request) -> Self {
        Self::of_tenant(request.model_to_call(), &request.tenant, request.own_max_output())
    }

    /// The same of a request of this tenant to this model that allows so much.
    pub fn of_tenant(model: &ModelId, tenant: &TenantId, max_output: Tokens) -> Self {
        Self::new(model, Some(tenant), max_output)
    }

    fn new(model: &ModelId, tenant: Option<&TenantId>, max_output: Tokens) -> Self {
        Self(model.clone(), tenant.cloned(), magnitude(max_output))
    }

    /// Both keys that say how long the answer to such a request may be: its tenant's and its model's.
    pub fn both(model: &ModelId, tenant: &TenantId, max_output: Tokens) -> [Self; 2] {
        [Some(tenant), None].map(|tenant| Self::new(model, tenant, max_output))
    }

    /// The model.
    pub const fn model(&self) -> &ModelId {
        &self.0
    }

    /// The tenant; `None` where the model's answers are meant as a whole.
    pub const fn tenant(&self) -> Option<&TenantId> {
        self.1.as_ref()
    }
}

impl fmt::Display for OutputKey {
    /// Unlike that of any other key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(model, tenant, magnitude) = self;
        write!(
            f,
            "{magnitude}#{}#{model}",
            tenant.as_ref().map_or("", TenantId::as_str)
        )
    }
}

/// Requests whose max_tokens have the same number of binary digits are alike.
const fn magnitude(max_output: Tokens) -> u32 {
    u64::BITS - max_output.get().leading_zeros()
}

/// A whole answer, as far as the next request's estimate may learn from it.
#[derive(Debug, Clone, Copy)]
pub struct Answered<'a> {
    /// The model that was called.
    pub model: &'a ModelId,
    /// Whose request it was.
    pub tenant: &'a TenantId,
    /// What its caller allowed, whatever was sent.
    pub max_output: Tokens,
    /// How long it was.
    pub output: Tokens,
    /// Where a call was sent right-sized: whether that cut it short, so that it was made again.
    pub cut_short: Option<bool>,
}

impl Answered<'_> {
    /// What it teaches, and of which keys. Whether a size cut it short is its tenant's alone to know.
    pub(super) fn lessons(&self, may_be_sized: bool, at: Timestamp) -> [(OutputKey, Lesson); 2] {
        OutputKey::both(self.model, self.tenant, self.max_output).map(|key| {
            let lesson = Lesson {
                output: self.output,
                cut_short: self.cut_short.filter(|_| key.tenant().is_some()),
                at,
                may_be_sized,
            };
            (key, lesson)
        })
    }
}

/// Lengths of past answers by model, tenant and magnitude of max_tokens.
#[derive(Debug, Clone, Default)]
pub struct Outputs {
    keys: HashMap<OutputKey, Answers>,
    /// Learned from and not given out to be kept yet.
    fresh: HashMap<OutputKey, u32>,
    forgotten: BTreeSet<OutputKey>,
}

impl Outputs {
    /// Output tokens to expect of a request; never above `max_output`.
    ///
    /// Three of four answers are at most so long: a little above the mean, so that most calls settle within what was
    /// reserved. Counted are the tenant's own, or the model's while the tenant has had fewer than 200; while both have,
    /// the running mean of the tenant's own from 8 on, or of the model's. Where nothing was learned, a fifth of
    /// `max_output`: at a burndown of 5 the reserve is then what Bedrock deducts itself.
    pub fn expected(&self, model: &ModelId, tenant: &TenantId, max_output: Tokens) -> Tokens {
        let own = self.keys.get(&OutputKey::new(model, Some(tenant), max_output));
        let all = self.keys.get(&OutputKey::new(model, None, max_output));
        let usual = |answers: Option<&Answers>| answers.and_then(Answers::usual);
        let mean = || {
            own.filter(|own| own.samples() >= ENOUGH)
                .or(all)
                .and_then(Answers::mean)
        };
        let fifth = || Tokens::new(max_output.get().div_ceil(5));
        let learned = usual(own).or_else(|| usual(all)).or_else(mean);
        learned.unwrap_or_else(fifth).min(max_output)
    }

    /// The max_tokens that lets nearly every answer of this tenant through, if it is below `max_output`; `None` while
    /// too few are known of its own.
    pub fn right_size(&self, model: &ModelId, tenant: &TenantId, max_output: Tokens) -> Option<Tokens> {
        let own = self.keys.get(&OutputKey::new(model, Some(tenant), max_output))?;
        own.right_size().filter(|size| *size < max_output)
    }

    /// Whether [`Outputs::right_size`] has its last word: a size below `max_output`, or enough answers to trust that
    /// there is none.
    pub fn knows_enough(&self, model: &ModelId, tenant: &TenantId, max_output: Tokens) -> bool {
        let own = self.keys.get(&OutputKey::new(model, Some(tenant), max_output));
        own.is_some_and(|own| own.usual().is_some() || own.right_size().is_some_and(|size| size < max_output))
    }

    /// How long what was read of a key serves, where it stands where all processes see it.
    pub fn serves_for(&self, key: &OutputKey) -> Millis {
        match self.keys.get(key).map(Answers::grasp) {
            Some(Grasp::Sure) => SharedAnswers::SERVES_FOR,
            Some(Grasp::Guess | Grasp::Nothing) | None => SharedAnswers::SERVES_SHORTLY_FOR,
        }
    }

    /// Learns from a whole answer.
    pub fn observe(&mut self, answered: &Answered<'_>, now: Timestamp) {
        for (key, lesson) in answered.lessons(false, now) {
            if self.keys.len() >= MOST_KEYS && !self.keys.contains_key(&key) {
                self.forget_some();
            }
            *self.fresh.entry(key.clone()).or_default() += 1;
            self.forgotten.remove(&key);
            self.keys.entry(key).or_default().take(&lesson);
        }
    }

    /// What has to be kept now, one value a key; `None` where it is to be kept no longer. Every key that has learned
    /// much since it was last kept, or with `all` every one that has learned anything.
    pub fn to_keep(&mut self, all: bool) -> Vec<(OutputKey, Option<Answers>)> {
        let due = |seen: &u32| all || *seen >= KEPT_EVERY;
        let mut keep: Vec<_> = std::mem::take(&mut self.forgotten)
            .into_iter()
            .map(|key| (key, None))
            .collect();
        let keys = &self.keys;
        self.fresh.retain(|key, seen| {
            if !due(seen) {
                return true;
            }
            keep.extend(keys.get(key).map(|answers| (key.clone(), Some(answers.clone()))));
            false
        });
        keep
    }

    /// Takes up what was kept, here or by another process; what is known of a key already is merged with it.
    pub fn restore(&mut self, kept: impl IntoIterator<Item = (OutputKey, Answers)>) {
        for (key, answers) in kept {
            match self.keys.entry(key) {
                Entry::Occupied(mut own) => own.get_mut().merge(&answers),
                Entry::Vacant(none) => none.insert(answers).look(),
            }
        }
        if self.keys.len() > MOST_KEYS {
            self.forget_some();
        }
    }

    /// Takes up what is known of a key where all processes see it, in place of what is known here.
    pub fn set(&mut self, key: OutputKey, answers: &Answers) {
        if self.keys.len() >= MOST_KEYS && !self.keys.contains_key(&key) {
            self.forget_some();
            // It is not kept here.
            self.forgotten.clear();
        }
        let mut answers = answers.clone();
        answers.look();
        self.keys.insert(key, answers);
    }

    /// Forgets those without an answer for longest, an eighth more than must go, so that it is seldom done.
    fn forget_some(&mut self) {
        let stay = MOST_KEYS - MOST_KEYS / 8;
        let mut by_age: Vec<(Timestamp, OutputKey)> = self
            .keys
            .iter()
            .map(|(key, answers)| (answers.last_at(), key.clone()))
            .collect();
        by_age.sort_unstable();
        let gone = by_age.len().saturating_sub(stay);
        for (_, key) in by_age.drain(..gone) {
            self.keys.remove(&key);
            self.fresh.remove(&key);
            self.forgotten.insert(key);
        }
    }
}

#[cfg(test)]
mod tests;
