//! Moments as the public API writes them.

use chrono::{DateTime, SecondsFormat};
use smoother_core::Timestamp;

/// RFC 3339 in UTC with milliseconds. A moment outside the calendar (later than the year 262,142) is written
/// as the largest that is in it, so that a status page never fails over a strange row.
pub fn text(at: Timestamp) -> String {
    i64::try_from(at.as_millis())
        .ok()
        .and_then(DateTime::from_timestamp_millis)
        .unwrap_or(DateTime::<chrono::Utc>::MAX_UTC)
        .to_rfc3339_opts(SecondsFormat::Millis, true)
}

/// The moment that `text` names, RFC 3339 with any offset.
pub fn parse(text: &str) -> Option<Timestamp> {
    let at = DateTime::parse_from_rfc3339(text).ok()?.timestamp_millis();
    u64::try_from(at).ok().map(Timestamp::from_millis)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_written_in_utc_to_the_millisecond() {
        assert_eq!(text(Timestamp::EPOCH), "1970-01-01T00:00:00.000Z");
        assert_eq!(
            text(Timestamp::from_millis(1_767_225_600_042)),
            "2026-01-01T00:00:00.042Z"
        );
        assert!(text(Timestamp::NEVER).ends_with('Z'));
    }

    #[test]
    fn moments_are_read_with_any_offset() {
        let at = Some(Timestamp::from_millis(1_767_225_600_042));
        assert_eq!(parse("2026-01-01T00:00:00.042Z"), at);
        assert_eq!(parse("2026-01-01T02:00:00.042+02:00"), at);
        for wrong in ["", "yesterday", "2026-01-01", "1969-12-31T23:59:59Z"] {
            assert_eq!(parse(wrong), None, "{wrong:?}");
        }
    }
}
