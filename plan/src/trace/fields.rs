//! One field of a row, each by its kind; a mistake says what is allowed.

use crate::round::whole;
use crate::workload::{ORIGIN, Row};
use chrono::NaiveDateTime;
use smoother_core::{Millis, Priority, TenantId, Timestamp, Tokens};

/// Above every model's context and answer; what is more is a slip, and would be lost in a sum.
const MOST_TOKENS: u64 = 1_000_000_000;
/// Some thirty years.
const MOST_SECONDS: f64 = 1e9;

pub(super) const fn blank() -> Row {
    Row {
        at: ORIGIN,
        tenant: None,
        priority: None,
        input: Tokens::ZERO,
        output: Tokens::ZERO,
        max_tokens: None,
        timeout: None,
    }
}

pub(super) fn unless_empty<T>(
    text: &str,
    read: impl FnOnce(&str) -> Result<T, String>,
) -> Result<Option<T>, String> {
    if text.is_empty() {
        Ok(None)
    } else {
        read(text).map(Some)
    }
}

pub(super) fn seconds(text: &str) -> Result<Timestamp, String> {
    match text.parse::<f64>() {
        Ok(seconds) if (0.0..=MOST_SECONDS).contains(&seconds) => {
            Ok(ORIGIN + Millis::new(whole(seconds * 1_000.0)))
        }
        _ => Err("allowed are seconds from 0 to a billion, such as 12.5".to_owned()),
    }
}

pub(super) fn date(text: &str) -> Result<Timestamp, String> {
    let allowed = || "allowed is a date and time such as 2023-11-16 18:17:03.97996".to_owned();
    let date = NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S%.f").map_err(|_| allowed())?;
    u64::try_from(date.and_utc().timestamp_millis())
        .map(Timestamp::from_millis)
        .map_err(|_| allowed())
}

pub(super) fn count(text: &str, least: u64) -> Result<u64, String> {
    match text.parse::<u64>() {
        Ok(count) if (least..=MOST_TOKENS).contains(&count) => Ok(count),
        _ => Err(format!(
            "allowed is a whole number of tokens from {least} to {MOST_TOKENS}"
        )),
    }
}

pub(super) fn tenant(text: &str) -> Result<TenantId, String> {
    TenantId::new(text).map_err(|_| "allowed are 1 to 64 characters of A-Z a-z 0-9 . _ -".to_owned())
}

pub(super) fn priority(text: &str) -> Result<Priority, String> {
    Priority::parse(text).ok_or_else(|| "allowed are interactive, normal and batch".to_owned())
}

pub(super) fn millis(text: &str) -> Result<Millis, String> {
    match text.parse::<u64>() {
        Ok(ms) if ms > 0 => Ok(Millis::new(ms)),
        _ => Err("allowed is a whole number of milliseconds, at least 1".to_owned()),
    }
}
