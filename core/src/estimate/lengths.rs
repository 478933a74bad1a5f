//! How long answers have been, as a distribution that forgets.
//!
//! The sketch is `sketches-ddsketch`: quantiles within 2 % of the value whatever the distribution, 1 to 3 KB for all
//! answers between one token and a million, sketches of two processes merge without loss, and its bytes are read by
//! DataDog's sketches in other languages too. It is maintained and has no dependencies. `tdigest` promises nothing
//! about its error and is consumed by each merge; `hdrhistogram` takes some 30 KB for the same range; `quantiles` has
//! not been released for years.
//!
//! Old samples fade: two sketches alternate. The young one takes samples, the old one is what the young one was
//! before, and both together answer. So a quantile rests on the last one to two thousand answers, or the last one to
//! two weeks of a caller that has fewer.

use crate::units::{Millis, Timestamp, Tokens};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sketches_ddsketch::{Config, DDSketch};
use std::fmt;

/// Relative error of a quantile.
const ERROR: f64 = 0.02;
/// What a stored sketch is read back with; the relative error alone is stored.
const MOST_BINS: u32 = 2_048;
const LEAST_VALUE: f64 = 1.0e-9;
/// Longer than any answer.
const LONGEST: u64 = 10_000_000;
/// Samples after which the young sketch becomes the old one.
const TURN: u64 = 1_000;
/// Age after which it does so with fewer.
const AGE: Millis = Millis::from_secs(7 * 24 * 60 * 60);
/// As long as it has fewer than this it stays young at any age.
const FEW: u64 = 200;

/// Lengths of past answers.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Lengths {
    /// When the young sketch took its first sample.
    began: Timestamp,
    young: Option<Sketch>,
    old: Option<Sketch>,
}

impl Lengths {
    /// Takes an answer of `output` tokens.
    pub fn observe(&mut self, output: Tokens, now: Timestamp) {
        let samples = count(self.young.as_ref());
        if samples >= TURN || (samples >= FEW && now.since(self.began) >= AGE) {
            self.old = self.young.take();
        }
        if self.young.is_none() {
            self.began = now;
        }
        self.young.get_or_insert_default().take(output);
    }

    /// How many answers are remembered.
    pub fn samples(&self) -> u64 {
        count(self.young.as_ref()).saturating_add(count(self.old.as_ref()))
    }

    /// The lengths that so many thousandths of the remembered answers stay within, in the order asked for; 1,000 is
    /// the longest. Nothing where nothing is remembered.
    pub fn within<const N: usize>(&self, permille: [u16; N]) -> Option<[Tokens; N]> {
        let all = match (&self.young, &self.old) {
            (None, None) => return None,
            (Some(one), None) | (None, Some(one)) => one.clone(),
            (Some(young), Some(old)) => young.clone().merged(old),
        };
        Some(permille.map(|share| all.within(share)))
    }

    /// With what another process has seen.
    pub fn merge(&mut self, other: &Self) {
        let both = |own: Option<Sketch>, other: &Option<Sketch>| match (own, other) {
            (Some(own), Some(other)) => Some(own.merged(other)),
            (own, other) => own.or_else(|| other.clone()),
        };
        self.began = match (&self.young, &other.young) {
            (Some(_), Some(_)) => self.began.min(other.began),
            (None, _) => other.began,
            (Some(_), None) => self.began,
        };
        self.young = both(self.young.take(), &other.young);
        self.old = both(self.old.take(), &other.old);
    }
}

fn count(sketch: Option<&Sketch>) -> u64 {
    sketch.map_or(0, |sketch| sketch.0.count() as u64)
}

/// One sketch, never empty once it is stored. Its bytes are read back only from where a checksum vouches for them.
#[derive(Clone)]
struct Sketch(DDSketch);

impl Default for Sketch {
    fn default() -> Self {
        Self(DDSketch::new(Config::new(ERROR, MOST_BINS, LEAST_VALUE)))
    }
}

impl fmt::Debug for Sketch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sketch")
            .field("samples", &self.0.count())
            .field("longest", &self.0.max())
            .finish()
    }
}

impl Sketch {
    fn take(&mut self, output: Tokens) {
        // Far below 2^53, so nothing is lost.
        self.0.add(output.get().clamp(1, LONGEST) as f64);
    }

    fn merged(mut self, other: &Self) -> Self {
        // All of them have one configuration: another is refused where it is read back.
        let _ = self.0.merge(&other.0);
        self
    }

    fn within(&self, permille: u16) -> Tokens {
        let share = f64::from(permille.min(1_000)) / 1_000.0;
        let found = self.0.quantile(share).ok().flatten().unwrap_or(0.0);
        // A bin's middle may lie above the longest answer.
        let found = found.min(self.0.max().unwrap_or(found)).ceil();
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "within 1 and LONGEST"
        )]
        Tokens::new(found as u64)
    }
}

impl Serialize for Sketch {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&STANDARD.encode(self.0.to_java_bytes()))
    }
}

impl<'de> Deserialize<'de> for Sketch {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(from)?;
        let bytes = STANDARD.decode(text.as_bytes()).map_err(D::Error::custom)?;
        let read = DDSketch::from_java_bytes(&bytes).map_err(|why| D::Error::custom(format!("{why:?}")))?;
        let mut sketch = Self::default();
        sketch.0.merge(&read).map_err(D::Error::custom)?;
        Ok(sketch)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NOW: Timestamp = Timestamp::from_millis(1_000_000);

    fn of(lengths: impl IntoIterator<Item = u64>) -> Lengths {
        let mut all = Lengths::default();
        for length in lengths {
            all.observe(Tokens::new(length), NOW);
        }
        all
    }

    #[test]
    fn the_last_thousand_answers_count_and_those_before_are_gone() {
        let mut lengths = of((0..3_000).map(|_| 50));
        for _ in 0..2_001 {
            lengths.observe(Tokens::new(4_000), NOW);
        }
        assert!(lengths.samples() <= 2 * TURN);
        assert_eq!(lengths.within([0]).unwrap(), [Tokens::new(4_000)], "the shortest");
    }

    #[test]
    fn few_answers_fade_with_the_weeks() {
        let mut lengths = of((0..FEW).map(|_| 50));
        let mut now = NOW;
        for _ in 0..2 {
            now = now + AGE;
            for _ in 0..FEW {
                lengths.observe(Tokens::new(900), now);
            }
        }
        let all = lengths.within([0]).unwrap();
        assert!(all[0] > Tokens::new(850), "{all:?}");
        let rare = of([50; 10]);
        assert_eq!(rare.samples(), 10, "what is all there is stays");
    }

    #[test]
    fn a_sketch_is_small_and_reads_back() {
        let lengths = of((0..5_000u64).map(|n| 1 + n * n % 64_000));
        let in_memory = |lengths: &Lengths| lengths.young.as_ref().unwrap().0.length() * 8;
        assert!(in_memory(&lengths) <= 3_072, "answers of any length");
        let usual = of((0..999u64).map(|n| 50 + n));
        assert!(in_memory(&usual) <= 1_024, "answers of 50 to 1,050 tokens");
        let stored = serde_json::to_string(&lengths).unwrap();
        assert!(stored.len() < 4_000, "{} bytes", stored.len());
        let read: Lengths = serde_json::from_str(&stored).unwrap();
        let asked = [10, 500, 750, 990, 1_000];
        assert_eq!(read.within(asked), lengths.within(asked));
        assert_eq!(read.samples(), lengths.samples());
        let nonsense = r#"{"began":1,"young":"AAAA","old":null}"#;
        assert!(serde_json::from_str::<Lengths>(nonsense).is_err());
    }

    proptest! {
        #[test]
        fn a_quantile_is_near_the_exact_one_and_rises_with_the_share(
            mut lengths in proptest::collection::vec(1u64..1_000_000, 1..900),
        ) {
            let all = of(lengths.iter().copied());
            lengths.sort_unstable();
            let asked = [250u16, 500, 750, 990, 1_000];
            let found = all.within(asked).unwrap();
            for (share, found) in asked.into_iter().zip(found) {
                let rank = usize::from(share) * (lengths.len() - 1) / 1_000;
                let exact = lengths[rank] as f64;
                prop_assert!((found.get() as f64 - exact).abs() <= exact * 0.021 + 1.0, "{found} for {exact}");
            }
            prop_assert!(found.windows(2).all(|pair| pair[0] <= pair[1]));
        }

        #[test]
        fn what_two_processes_saw_is_what_one_would_have_seen(
            one in proptest::collection::vec(1u64..100_000, 0..400),
            other in proptest::collection::vec(1u64..100_000, 0..400),
        ) {
            let whole = of(one.iter().chain(&other).copied());
            let mut merged = of(one);
            merged.merge(&of(other));
            prop_assert_eq!(merged.samples(), whole.samples());
            prop_assert_eq!(merged.within([500, 990, 1_000]), whole.within([500, 990, 1_000]));
        }
    }
}
