//! Spans of time as callers give them: whole milliseconds, positive, bounded.

use crate::refusal::Refusal;
use smoother_core::{Millis, quoted};

/// The longest time a caller on the connection may ask for.
pub(crate) const LONGEST_SYNC: Millis = Millis::from_secs(24 * 60 * 60);
/// The longest time a job may be given.
pub(crate) const LONGEST_JOB: Millis = Millis::from_secs(7 * 24 * 60 * 60);

/// Reads `text`, the value of `name`, as milliseconds from 1 to `most`.
pub(crate) fn parse(name: &str, text: &str, most: Millis) -> Result<Millis, Refusal> {
    match text.trim().parse::<u64>() {
        Ok(ms) if (1..=most.get()).contains(&ms) => Ok(Millis::new(ms)),
        _ => Err(Refusal::invalid(format!(
            "{name} is {:?}; it must be a whole number of milliseconds from 1 to {}.",
            quoted(text),
            most.get()
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_positive_whole_bounded_numbers_pass() {
        assert_eq!(parse("t", " 1500 ", LONGEST_SYNC), Ok(Millis::new(1_500)));
        assert_eq!(parse("t", "86400000", LONGEST_SYNC), Ok(LONGEST_SYNC));
        for bad in [
            "0",
            "-1",
            "1.5",
            "",
            "1e3",
            "86400001",
            "99999999999999999999",
            "soon",
        ] {
            let refusal = parse("x-smoother-timeout-ms", bad, LONGEST_SYNC).unwrap_err();
            assert_eq!(refusal.status(), 400, "{bad:?}");
            assert!(refusal.to_string().contains("from 1 to 86400000"), "{refusal}");
        }
        assert_eq!(parse("t", "86400001", LONGEST_JOB), Ok(Millis::new(86_400_001)));
    }
}
