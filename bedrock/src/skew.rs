//! A clock that is minutes off: signatures must tell the other side's time, within five minutes.

use aws_smithy_types::DateTime;
use aws_smithy_types::date_time::Format;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// As far as clocks are taken to be right: a date tells seconds only, and an answer takes time.
const RIGHT_WITHIN_MS: i64 = 60_000;
/// An exchange that took longer says little about clocks.
const TOO_LONG: Duration = Duration::from_secs(15 * 60);

/// How much later it is at the other side than here, in milliseconds, as its last answer had it.
#[derive(Debug, Default)]
pub(crate) struct Skew(AtomicI64);

impl Skew {
    /// What the other side calls now.
    pub fn there(&self, now: SystemTime) -> SystemTime {
        let skew = self.0.load(Ordering::Relaxed);
        let by = Duration::from_millis(skew.unsigned_abs());
        let moved = if skew < 0 {
            now.checked_sub(by)
        } else {
            now.checked_add(by)
        };
        moved.unwrap_or(now)
    }

    /// Reads the `date` of an answer to what was sent and received at these times.
    pub fn learn(&self, date: Option<&str>, sent: SystemTime, received: SystemTime) {
        if let Some(skew) = date.and_then(|date| skew(date, sent, received)) {
            self.0.store(skew, Ordering::Relaxed);
        }
    }
}

/// Nothing where the date does not read or the answer took too long.
fn skew(date: &str, sent: SystemTime, received: SystemTime) -> Option<i64> {
    let took = received
        .duration_since(sent)
        .ok()
        .filter(|took| *took < TOO_LONG)?;
    let there = DateTime::from_str(date, Format::HttpDate)
        .ok()?
        .to_millis()
        .ok()?;
    let here = (sent + took / 2).duration_since(UNIX_EPOCH).ok()?;
    let ahead = there.checked_sub(i64::try_from(here.as_millis()).ok()?)?;
    Some(if ahead.abs() <= RIGHT_WITHIN_MS { 0 } else { ahead })
}

#[cfg(test)]
mod tests {
    use super::*;

    const DATE: &str = "Sun, 06 Nov 1994 08:49:37 GMT";
    const SECONDS: u64 = 784_111_777;

    fn at(seconds: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(seconds)
    }

    #[test]
    fn a_clock_that_is_minutes_off_follows_the_other_sides() {
        for off in [-3_600_i64, -61, 61, 86_400] {
            let here = at(SECONDS.checked_add_signed(off).unwrap());
            let skew = Skew::default();
            skew.learn(Some(DATE), here, here);
            assert_eq!(skew.there(here), at(SECONDS), "{off}");
        }
    }

    #[test]
    fn seconds_are_no_skew_and_the_way_there_and_back_is_none_either() {
        let skew = Skew::default();
        for (sent, received) in [(0, 0), (-60, -60), (60, 60), (-400, 400)] {
            let time = |off: i64| at(SECONDS.checked_add_signed(off).unwrap());
            skew.learn(Some(DATE), time(sent), time(received));
            assert_eq!(skew.there(at(SECONDS)), at(SECONDS), "{sent} {received}");
        }
    }

    #[test]
    fn what_tells_no_time_changes_nothing() {
        let skew = Skew::default();
        skew.learn(Some(DATE), at(SECONDS + 3_600), at(SECONDS + 3_600));
        let hour_ahead = at(SECONDS + 3_600);
        for (date, sent, received) in [
            (None, 0, 0),
            (Some("tomorrow"), 0, 0),
            (Some("Sun, 06 Nov 1994"), 0, 0),
            (Some(DATE), SECONDS, SECONDS + 15 * 60),
            (Some(DATE), SECONDS, SECONDS - 1),
        ] {
            skew.learn(date, at(sent), at(received));
            assert_eq!(skew.there(hour_ahead), at(SECONDS), "{date:?}");
        }
    }
}
