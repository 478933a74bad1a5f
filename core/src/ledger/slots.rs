//! Calls at once, and what a refusal for capacity ("Too many connections") teaches about how many there may be.
//!
//! A refusal lowers the ceiling to 7/10 of what ran. From there it grows along a cubic of time: fast back to near what
//! was refused, slowly past it, then faster and faster, up to the configured maximum. So where capacity stays short it
//! is seldom tried, and where it was short for a while hundreds of calls may run again within half a minute.
//! The curve is CUBIC's (RFC 9438, section 4.2): W(t) = C (t − K)³ + W_max with K = ∛(0.3 W_max ÷ C), and C = 0.05
//! calls a second cubed. Integers only.

use crate::units::{Millis, Timestamp};

/// 1 ÷ C, with time in milliseconds.
const SLOWNESS: u128 = 20 * 1_000_000_000;
/// From then on the ceiling is far above any configured maximum.
const HORIZON: Millis = Millis::from_secs(60 * 60);

/// The ceiling of calls at once.
#[derive(Debug, Clone)]
pub(super) struct Slots {
    most: u32,
    lowered: Option<Lowered>,
}

/// What a refusal has made of the ceiling.
#[derive(Debug, Clone, Copy)]
struct Lowered {
    /// Calls that started before this were under way then.
    at: Timestamp,
    /// What ran.
    from: u32,
    /// Where it began to grow anew.
    to: u32,
    /// How long it takes to be back at `from`.
    back: Millis,
}

impl Lowered {
    fn new(at: Timestamp, from: u32) -> Self {
        let to = (from.saturating_mul(7) / 10).max(1);
        let lost = u128::from(from.saturating_sub(to));
        Self {
            at,
            from: from.max(to),
            to,
            back: Millis::new(cube_root(lost * SLOWNESS)).min(HORIZON),
        }
    }

    fn ceiling(&self, since: Millis) -> u32 {
        let since = since.min(HORIZON);
        let calls = |off: Millis| {
            let off = u128::from(off.get());
            u32::try_from(off * off * off / SLOWNESS).unwrap_or(u32::MAX)
        };
        let ceiling = if since < self.back {
            self.from.saturating_sub(calls(self.back - since))
        } else {
            self.from.saturating_add(calls(since - self.back))
        };
        ceiling.max(self.to)
    }
}

impl Slots {
    pub(super) fn new(most: u32) -> Self {
        Self {
            most: most.max(1),
            lowered: None,
        }
    }

    /// How long ago a refusal lowered the ceiling, and from what; `None` where it has no say any more.
    pub(super) fn snapshot(&self, now: Timestamp) -> Option<(Millis, u32)> {
        let (at, from) = self.kept(now)?;
        Some((now.since(at), from))
    }

    pub(super) fn resume(&mut self, now: Timestamp, (age, from): (Millis, u32)) {
        self.lowered = Some(Lowered::new(now.before(age), from));
    }

    /// For keeping: when a refusal lowered the ceiling, and from what; `None` where it has no say any more.
    pub(super) fn kept(&self, now: Timestamp) -> Option<(Timestamp, u32)> {
        let low = self.lowered.filter(|_| self.ceiling(now) < self.most)?;
        Some((low.at, low.from))
    }

    /// As it was kept.
    pub(super) fn known(&mut self, now: Timestamp, (at, from): (Timestamp, u32)) {
        self.lowered = Some(Lowered::new(at.min(now), from));
    }

    pub(super) fn set_most(&mut self, most: u32) {
        self.most = most.max(1);
    }

    pub(super) fn ceiling(&self, now: Timestamp) -> u32 {
        let learned = self
            .lowered
            .map_or(u32::MAX, |low| low.ceiling(now.since(low.at)));
        learned.min(self.most)
    }

    /// When one more call may run beside `running`: now, when the ceiling has grown, or (`None`) only once one
    /// of them is over.
    pub(super) fn opens(&self, now: Timestamp, running: usize) -> Option<Timestamp> {
        let running = u32::try_from(running).unwrap_or(u32::MAX);
        if running < self.ceiling(now) {
            return Some(now);
        }
        let low = self.lowered.filter(|_| running < self.most)?;
        // It never falls by itself: the first moment at which it is above what runs.
        let (mut before, mut after) = (0, HORIZON.get());
        while before < after {
            let middle = u64::midpoint(before, after);
            if low.ceiling(Millis::new(middle)) > running {
                after = middle;
            } else {
                before = middle + 1;
            }
        }
        Some(low.at + Millis::new(after))
    }

    /// A call that started at `started` was refused while `running` ran, itself included.
    pub(super) fn refused(&mut self, now: Timestamp, started: Timestamp, running: usize) {
        // Calls that were already under way then say nothing new.
        if self.lowered.is_some_and(|low| started <= low.at) {
            return;
        }
        let running = u32::try_from(running).unwrap_or(u32::MAX);
        self.lowered = Some(Lowered::new(now, self.ceiling(now).min(running)));
    }
}

/// The smallest whole number whose cube is at least `cube`, which is below 2^75 here.
fn cube_root(cube: u128) -> u64 {
    let (mut root, mut step) = (0u128, 1u128 << 25);
    while step > 0 {
        let next = root + step;
        if next * next * next < cube {
            root = next;
        }
        step >>= 1;
    }
    let least = if cube == 0 { 0 } else { root + 1 };
    u64::try_from(least).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const fn at(ms: u64) -> Timestamp {
        Timestamp::from_millis(1_000_000 + ms)
    }

    fn refused_with(running: usize) -> Slots {
        let mut slots = Slots::new(512);
        slots.refused(at(0), at(0), running);
        slots
    }

    fn over_time(slots: &Slots, seconds: &[u64]) -> Vec<u32> {
        seconds.iter().map(|s| slots.ceiling(at(s * 1_000))).collect()
    }

    #[test]
    fn it_is_soon_back_near_what_was_refused_and_long_about_it() {
        let slots = refused_with(60);
        assert_eq!(
            over_time(&slots, &[0, 2, 4, 6, 7, 8, 10, 12]),
            [42, 54, 59, 60, 60, 60, 61, 65]
        );
    }

    #[test]
    fn what_was_short_for_a_while_is_full_again_within_half_a_minute() {
        let slots = refused_with(1);
        assert_eq!(
            over_time(&slots, &[0, 5, 10, 15, 20, 25]),
            [1, 7, 51, 169, 401, 512]
        );
    }

    proptest! {
        #[test]
        fn it_grows_and_opens_at_the_first_moment_at_which_one_more_may_run(
            running in 1usize..2_000, most in 1u32..2_000, now in 0u64..120_000, later in 0u64..120_000,
        ) {
            let mut slots = Slots::new(most);
            slots.refused(at(0), at(0), running.min(most as usize));
            prop_assert!(slots.ceiling(at(now)) <= slots.ceiling(at(now + later)));
            prop_assert!((1..=most).contains(&slots.ceiling(at(now))));
            for beside in [0, running / 2, running, running + 1] {
                match slots.opens(at(now), beside) {
                    None => prop_assert!(beside >= most as usize),
                    Some(opens) if opens > at(now) => {
                        prop_assert!(slots.ceiling(opens) as usize > beside);
                        prop_assert!(slots.ceiling(opens.before(Millis::new(1))) as usize <= beside);
                    }
                    Some(_) => prop_assert!(slots.ceiling(at(now)) as usize > beside),
                }
            }
        }
    }
}
