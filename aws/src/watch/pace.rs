//! How often a row is looked at.

use std::time::Duration;

/// Before the first look.
const FIRST: Duration = Duration::from_millis(30);
/// Between looks in the first second.
const QUICK: Duration = Duration::from_millis(25);
/// Looks in the first second.
const QUICK_LOOKS: u32 = 40;
/// Between looks in the end.
const SLOW: Duration = Duration::from_millis(250);
/// Where only a cancel could be seen: nobody waits, or the call runs here.
const FOR_A_CANCEL: Duration = Duration::from_secs(2);

/// The pauses between the looks at one row.
#[derive(Debug, Default)]
pub(super) struct Pace {
    looks: u32,
    pause: Duration,
}

impl Pace {
    /// The pause before the next look.
    pub(super) fn next(&mut self, is_urgent: bool) -> Duration {
        if !is_urgent {
            // Whatever comes after that comes soon.
            self.looks = 0;
            return FOR_A_CANCEL;
        }
        self.looks += 1;
        self.pause = match self.looks {
            1 => FIRST,
            looks if looks <= QUICK_LOOKS => QUICK,
            _ => (self.pause * 5 / 4).min(SLOW),
        };
        self.pause
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looks_come_quickly_for_a_second_and_then_slower_and_slower() {
        let mut pace = Pace::default();
        let pauses: Vec<u128> = (0..60).map(|_| pace.next(true).as_millis()).collect();
        assert_eq!(pauses[0], 30);
        assert!(pauses[1..40].iter().all(|pause| *pause == 25));
        assert!(pauses[40..].windows(2).all(|two| two[0] <= two[1]), "{pauses:?}");
        assert_eq!(pauses[59], 250);
        assert_eq!(pace.next(false), FOR_A_CANCEL);
        assert_eq!(pace.next(true), FIRST);
    }
}
