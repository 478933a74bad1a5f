//! A script in place: what it does to each call that arrives.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Script, Since, Slope, Slowing, Span};
use crate::clock::Micros;
use crate::fault::Fault;
use crate::hash::mix;

/// How much slower than usual one call is.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Slow {
    /// Multiplies the time to the first token and the time of each token.
    pub factor: f64,
    /// Milliseconds added to the time to the first token.
    pub start_ms: f64,
    /// Milliseconds added to the time of each token.
    pub token_ms: f64,
}

impl Slow {
    /// As usual.
    pub const NOT: Self = Self {
        factor: 1.0,
        start_ms: 0.0,
        token_ms: 0.0,
    };
}

/// What one span has done.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SpanCounts {
    /// Calls that it covered.
    pub calls: u64,
    /// Faults of its own that struck, by name.
    pub faults: BTreeMap<String, u64>,
    /// Calls whose first token it delayed.
    pub slow_starts: u64,
    /// Calls whose tokens it slowed down.
    pub slow_tokens: u64,
    /// Calls that its capacity refused.
    pub refused: u64,
}

impl SpanCounts {
    pub(crate) fn add(&mut self, other: &Self) {
        self.calls += other.calls;
        for (fault, count) in &other.faults {
            *self.faults.entry(fault.clone()).or_default() += count;
        }
        self.slow_starts += other.slow_starts;
        self.slow_tokens += other.slow_tokens;
        self.refused += other.refused;
    }
}

/// What a script does to one call. Spans are named by their index.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Effect {
    pub(crate) fault: Option<(usize, Fault)>,
    pub(crate) capacity: Option<(usize, u32)>,
    pub(crate) slow: Slow,
}

impl Effect {
    pub(crate) const NONE: Self = Self {
        fault: None,
        capacity: None,
        slow: Slow::NOT,
    };
}

/// A script that plays.
#[derive(Debug)]
pub(crate) struct Running {
    script: Script,
    began: Micros,
    /// Of each span, the calls it covered since the script was put in place: the draws' counter.
    covered: Vec<u64>,
    counts: Vec<SpanCounts>,
}

impl Running {
    pub(crate) fn new(now: Micros, script: Script) -> Self {
        let spans = script.0.spans.len();
        Self {
            script,
            began: now,
            covered: vec![0; spans],
            counts: vec![SpanCounts::default(); spans],
        }
    }

    pub(crate) fn script(&self) -> &Script {
        &self.script
    }

    /// The script's own time, in milliseconds.
    pub(crate) fn elapsed_ms(&self, now: Micros) -> f64 {
        let origin = match self.script.0.since {
            Since::Script => self.began,
            Since::Start => Micros::ZERO,
        };
        now.since(origin).0 as f64 / 1_000.0 * self.script.0.speed
    }

    /// The names of the spans that cover this moment.
    pub(crate) fn active(&self, now: Micros) -> Vec<String> {
        let elapsed = self.elapsed_ms(now);
        let spans = self.script.0.spans.iter();
        spans
            .filter(|span| span.covers(elapsed))
            .map(|span| span.name.clone())
            .collect()
    }

    /// A call arrives.
    pub(crate) fn meet(&mut self, now: Micros, region: &str, model: &str) -> Effect {
        let elapsed = self.elapsed_ms(now);
        let mut effect = Effect::NONE;
        for (index, span) in self.script.0.spans.iter().enumerate() {
            if !span.covers(elapsed) || !span.concerns(region, model) {
                continue;
            }
            let mut draws = Draws::new(self.script.0.seed, index, self.covered[index]);
            self.covered[index] += 1;
            let counts = &mut self.counts[index];
            counts.calls += 1;
            let fault = span.strike(draws.next());
            effect.fault = effect.fault.or(fault.map(|fault| (index, fault)));
            if let Some(added) = delay(span.slow_start, &mut draws) {
                effect.slow.start_ms += added;
                counts.slow_starts += 1;
            }
            if let Some(added) = delay(span.slow_tokens, &mut draws) {
                effect.slow.token_ms += added;
                counts.slow_tokens += 1;
            }
            let progress = span.progress(elapsed);
            if let Some(slope) = span.latency_factor {
                effect.slow.factor *= slope.at(progress);
            }
            if let Some(slope) = span.capacity {
                let capacity = slope.at(progress);
                if effect.capacity.is_none_or(|(_, least)| capacity < least) {
                    effect.capacity = Some((index, capacity));
                }
            }
        }
        effect
    }

    /// Counts a fault that did strike; the span's name.
    pub(crate) fn struck(&mut self, span: usize, fault: Fault) -> String {
        *self.counts[span].faults.entry(fault.to_string()).or_default() += 1;
        self.name(span)
    }

    /// Counts a call that a span's capacity refused; the span's name.
    pub(crate) fn refused(&mut self, span: usize) -> String {
        self.counts[span].refused += 1;
        self.name(span)
    }

    fn name(&self, span: usize) -> String {
        self.script.0.spans[span].name.clone()
    }

    /// Adds what each span has done.
    pub(crate) fn add_to(&self, report: &mut BTreeMap<String, SpanCounts>) {
        for (span, counts) in self.script.0.spans.iter().zip(&self.counts) {
            report.entry(span.name.clone()).or_default().add(counts);
        }
    }

    /// Sets the counts to nothing; the draws go on.
    pub(crate) fn reset(&mut self) {
        self.counts.fill_with(SpanCounts::default);
    }
}

impl Span {
    fn covers(&self, elapsed_ms: f64) -> bool {
        elapsed_ms >= self.from_ms as f64 && self.until_ms.is_none_or(|until| elapsed_ms < until as f64)
    }

    fn concerns(&self, region: &str, model: &str) -> bool {
        let among = |list: &Option<Vec<String>>, name: &str| {
            list.as_ref()
                .is_none_or(|list| list.iter().any(|listed| listed == name))
        };
        among(&self.regions, region) && among(&self.models, model)
    }

    fn strike(&self, draw: f64) -> Option<Fault> {
        let mut left = draw;
        for (fault, share) in &self.faults.0 {
            if left < *share {
                return Some(*fault);
            }
            left -= share;
        }
        None
    }

    /// How much of the span has passed, 0 to 1; 0 where it has no end.
    fn progress(&self, elapsed_ms: f64) -> f64 {
        let Some(until) = self.until_ms else {
            return 0.0;
        };
        let from = self.from_ms as f64;
        ((elapsed_ms - from) / (until as f64 - from)).clamp(0.0, 1.0)
    }
}

impl Slope<f64> {
    fn at(self, progress: f64) -> f64 {
        self.from + (self.to - self.from) * progress
    }
}

impl Slope<u32> {
    fn at(self, progress: f64) -> u32 {
        let (from, to) = (f64::from(self.from), f64::from(self.to));
        let value = Slope { from, to }.at(progress).round();
        // Between two u32 every rounded value is one.
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a float's cast saturates, and nothing here is beyond the type's range"
        )]
        let value = value as u32;
        value
    }
}

/// The delay that strikes, if it does. Always takes two draws: a changed share moves no other draw.
fn delay(slowing: Option<Slowing>, draws: &mut Draws) -> Option<f64> {
    let (strike, amount) = (draws.next(), draws.next());
    let Slowing {
        share,
        added_ms: [least, most],
    } = slowing?;
    (strike < share).then_some(least + (most - least) * amount)
}

/// The chances of one call in one span.
#[derive(Debug)]
struct Draws(u64);

impl Draws {
    fn new(seed: u64, span: usize, call: u64) -> Self {
        Self(mix(mix(seed ^ mix(span as u64)) ^ call))
    }

    /// From 0 to below 1.
    fn next(&mut self) -> f64 {
        self.0 = mix(self.0);
        // 53 bits are exact in a double.
        (self.0 >> 11) as f64 / (1_u64 << 53) as f64
    }
}
