//! Values of flags, each by its kind.

use crate::workload::PerBand;
use smoother_core::{Millis, Priority, Tokens};
use std::str::FromStr;

/// A band, or all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct For(pub Option<Priority>);

impl FromStr for For {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match Priority::parse(text) {
            None if text == "all" => Ok(Self(None)),
            None => Err("allowed are interactive, normal, batch and all".to_owned()),
            band => Ok(Self(band)),
        }
    }
}

pub(super) fn tokens(text: &str) -> Result<PerBand<Tokens>, String> {
    PerBand::parse(text, |text| match text.parse() {
        Ok(count) if count > 0 => Ok(Tokens::new(count)),
        _ => Err(format!("{text:?} is no whole number of tokens, at least 1")),
    })
}

pub(super) fn spans(text: &str) -> Result<PerBand<Millis>, String> {
    PerBand::parse(text, |text| match crate::span::parse(text)? {
        Millis::ZERO => Err("a timeout is at least 1ms".to_owned()),
        span => Ok(span),
    })
}

/// Percent of requests or answers.
pub(super) fn share(text: &str) -> Result<f64, String> {
    number(
        text,
        |percent| percent > 0.0 && percent <= 100.0,
        "a number of percent above 0, at most 100",
    )
}

/// Percent of a quota; more than the whole of it is allowed.
pub(super) fn load(text: &str) -> Result<f64, String> {
    number(
        text,
        |percent| (0.1..=10_000.0).contains(&percent),
        "a number of percent from 0.1 to 10000, such as 85",
    )
}

pub(super) fn per_token(text: &str) -> Result<f64, String> {
    number(
        text,
        |ms| (0.0..=60_000.0).contains(&ms),
        "a number of milliseconds from 0 to 60000",
    )
}

fn number(text: &str, is_allowed: impl Fn(f64) -> bool, allowed: &str) -> Result<f64, String> {
    let text = text.strip_suffix('%').unwrap_or(text);
    let number = text.parse().ok().filter(|number| is_allowed(*number));
    number.ok_or_else(|| format!("allowed is {allowed}"))
}
