//! A row's address, which is also its place in the order of arrival.

use smoother_core::{RequestId, Timestamp};

const TIE_BITS: u32 = 20;
/// Arrivals after the year 2248 share one millisecond; nothing but their order is lost.
const LAST_MS: u64 = (1 << (63 - TIE_BITS)) - 1;

/// The first place of a moment.
pub(super) fn first_of(at: Timestamp) -> i64 {
    let ms = at.as_millis().min(LAST_MS);
    i64::try_from(ms << TIE_BITS).unwrap_or(i64::MAX)
}

/// The moment of a place.
pub(super) fn ms_of(place: i64) -> Timestamp {
    Timestamp::from_millis(place.unsigned_abs() >> TIE_BITS)
}

/// When a request with an id of its own (UUID version 7) arrived; nothing for one whose id was made of its key.
pub(super) fn arrival(id: RequestId) -> Option<Timestamp> {
    let bytes = id.as_bytes();
    let millis = bytes[..6].iter().fold(0, |ms, byte| ms << 8 | u64::from(*byte));
    (bytes[6] >> 4 == 7).then(|| Timestamp::from_millis(millis))
}

/// Gives out places.
#[derive(Debug, Default)]
pub(super) struct Places {
    tie: u32,
}

impl Places {
    /// A place for a row that arrived `at`; whether it is free, the caller must see.
    pub fn next(&mut self, at: Timestamp) -> i64 {
        let place = self.peek(at);
        self.tie = self.following();
        place
    }

    /// The place that comes next.
    pub fn peek(&self, at: Timestamp) -> i64 {
        first_of(at) | i64::from(self.following())
    }

    const fn following(&self) -> u32 {
        (self.tie + 1) % (1 << TIE_BITS)
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
    use smoother_core::TenantId;

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
        assert_eq!((ms_of(first), ms_of(third)), (early, late));
        let ahead = places.peek(early);
        assert_eq!(places.next(early), ahead);
    }

    #[test]
    fn an_id_tells_its_arrival_unless_it_was_made_of_a_key() {
        let at = Timestamp::from_millis(1_790_000_000_000);
        assert_eq!(arrival(RequestId::fresh(at, [7; 10])), Some(at));
        assert_eq!(arrival(RequestId::keyed(&TenantId::default(), "k")), None);
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
