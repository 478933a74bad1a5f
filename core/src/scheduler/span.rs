//! How long calls last in this lane, for the answer to when a request goes.

use crate::units::Millis;

/// Each call that ends moves the mean by this part of the difference.
const PART: u64 = 16;

/// A running mean, which forgets what calls took long ago.
#[derive(Debug, Clone, Copy)]
pub(super) struct CallSpan {
    mean: Millis,
    measured: bool,
}

impl CallSpan {
    /// `first` is believed until a call has ended.
    pub(super) const fn new(first: Millis) -> Self {
        Self {
            mean: first,
            measured: false,
        }
    }

    /// As an earlier process measured it.
    pub(super) const fn known(mean: Millis) -> Self {
        Self { mean, measured: true }
    }

    pub(super) const fn mean(&self) -> Millis {
        self.mean
    }

    /// The mean, if any call has ended.
    pub(super) fn measured(&self) -> Option<Millis> {
        Some(self.mean).filter(|_| self.measured)
    }

    /// A call has ended after so long.
    pub(super) fn heard(&mut self, lasted: Millis) {
        let (mean, lasted) = (self.mean.get(), lasted.get());
        let moved = if self.measured {
            (mean * (PART - 1)).saturating_add(lasted).div_ceil(PART)
        } else {
            lasted
        };
        *self = Self::known(Millis::new(moved));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_call_replaces_the_guess_and_later_ones_move_the_mean() {
        let mut span = CallSpan::new(Millis::from_secs(5));
        assert_eq!((span.mean(), span.measured()), (Millis::from_secs(5), None));
        span.heard(Millis::new(1_000));
        assert_eq!(span.measured(), Some(Millis::new(1_000)));
        span.heard(Millis::new(2_600));
        assert_eq!(span.mean(), Millis::new(1_100));
        for _ in 0..200 {
            span.heard(Millis::new(300));
        }
        assert!(span.mean() <= Millis::new(320), "{:?}", span.mean());
    }
}
