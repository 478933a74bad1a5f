//! A row's address, which is also its place in the order of arrival.

use smoother_core::Timestamp;

const TIE_BITS: u32 = 20;
/// Arrivals after the year 2248 share one millisecond; nothing but their order is lost.
const LAST_MS: u64 = (1 << (63 - TIE_BITS)) - 1;

/// The first place of a moment.
pub(super) fn first_of(at: Timestamp) -> i64 {
    let ms = at.as_millis().min(LAST_MS);
    i64::try_from(ms << TIE_BITS).unwrap_or(i64::MAX)
}

/// Gives out places.
#[derive(Debug, Default)]
pub(super) struct Places {
    tie: u32,
}

impl Places {
    /// A place for a row that arrived `at`; whether it is free, the caller must see.
    pub fn next(&mut self, at: Timestamp) -> i64 {
        self.tie = (self.tie + 1) % (1 << TIE_BITS);
        first_of(at) | i64::from(self.tie)
    }
}

/// The cursor that goes on after `place`.
pub(super) fn to_cursor(place: i64) -> String {
    format!("p{place:x}")
}

/// The place of a cursor made by [`to_cursor`].
pub(super) fn from_cursor(cursor: &str) -> Option<i64> {
    let digits = cursor.strip_prefix('p')?;
    let lower = |c: u8| c.is_ascii_digit() || (b'a'..=b'f').contains(&c);
    if digits.is_empty() || !digits.bytes().all(lower) {
        return None;
    }
    i64::from_str_radix(digits, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_sort_by_arrival_and_do_not_meet() {
        let mut places = Places::default();
        let (early, late) = (
            Timestamp::from_millis(1_790_000_000_000),
            Timestamp::from_millis(1_790_000_000_001),
        );
        let third = places.next(late);
        let (first, second) = (places.next(early), places.next(early));
        assert!(first_of(early) < first && first < second && second < first_of(late));
        assert!(first_of(late) < third);
        assert!(places.next(Timestamp::NEVER) > third);
    }

    #[test]
    fn cursors_come_back_and_others_do_not() {
        let place = Places::default().next(Timestamp::from_millis(1_790_000_000_000));
        assert_eq!(from_cursor(&to_cursor(place)), Some(place));
        for bad in ["", "p", "x1", "p+1", "p-1", "pfffffffffffffffff", "pZ"] {
            assert_eq!(from_cursor(bad), None, "{bad:?}");
        }
    }
}
