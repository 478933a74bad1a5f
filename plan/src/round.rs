//! From fractions to whole numbers, in one place.

/// The nearest whole number; 0 below zero and for what is no number.
#[allow(
    clippy::cast_possible_truncation,
    reason = "a cast from a float saturates, which is what is meant here"
)]
pub(crate) fn whole(value: f64) -> u64 {
    value.round() as u64
}

/// `part` of `all`, in percent; 0 of nothing.
pub(crate) fn percent(part: u64, all: u64) -> f64 {
    if all == 0 {
        return 0.0;
    }
    hundredths(100.0 * part as f64 / all as f64)
}

/// Two digits behind the point: more would be noise in a report.
pub(crate) fn hundredths(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}
