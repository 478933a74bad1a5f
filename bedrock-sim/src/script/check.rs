//! What a script may say.

use std::collections::BTreeSet;

use super::{Content, ScriptError, Slope, Slowing, Span};
use crate::region;

/// Names are kept in the statistics.
const MAX_NAME: usize = 64;
/// The longest delay: one hour.
const MAX_ADDED_MS: f64 = 3_600_000.0;
/// Rounding of shares that add up to one.
const ROUNDING: f64 = 1e-9;

pub(super) fn content(content: &Content) -> Result<(), ScriptError> {
    holds(
        content.speed > 0.0 && content.speed <= 100_000.0,
        "speed",
        content.speed,
        "above 0 and at most 100000",
    )?;
    holds(
        !content.spans.is_empty(),
        "spans",
        "empty",
        "a list of one span or more",
    )?;
    let mut names = BTreeSet::new();
    for (index, span) in content.spans.iter().enumerate() {
        let place = format!("spans[{index}] ({})", span.name);
        let named = (1..=MAX_NAME).contains(&span.name.len());
        let key = format!("spans[{index}].name");
        holds(named, &key, format!("{:?}", span.name), "1 to 64 bytes long")?;
        let new = names.insert(&span.name);
        holds(new, &key, format!("{:?} again", span.name), "a name of its own")?;
        of_span(&place, span)?;
    }
    Ok(())
}

fn of_span(place: &str, span: &Span) -> Result<(), ScriptError> {
    let key = |name: &str| format!("{place}.{name}");
    if let Some(until) = span.until_ms {
        holds(
            until > span.from_ms,
            &key("until_ms"),
            until,
            "later than from_ms",
        )?;
    }
    if let Some(models) = &span.models {
        let any = !models.is_empty() && models.iter().all(|model| !model.is_empty());
        let allowed = "a list of model ids, or left out to mean all";
        holds(any, &key("models"), format!("{models:?}"), allowed)?;
    }
    if let Some(regions) = &span.regions {
        let any = !regions.is_empty() && regions.iter().all(|name| region::is_name(name));
        let allowed = "a list of names as us-east-1, or left out to mean all";
        holds(any, &key("regions"), format!("{regions:?}"), allowed)?;
    }
    faults(&key("faults"), span)?;
    slowing(&key("slow_start"), span.slow_start)?;
    slowing(&key("slow_tokens"), span.slow_tokens)?;
    if let Some(Slope { from, to }) = span.latency_factor {
        for (end, factor) in [("from", from), ("to", to)] {
            let allowed = "from 0 to 1000000";
            holds(
                (0.0..=1e6).contains(&factor),
                &key(&format!("latency_factor.{end}")),
                factor,
                allowed,
            )?;
        }
    }
    let slopes = [
        span.latency_factor.is_some_and(|slope| slope.from != slope.to),
        span.capacity.is_some_and(|slope| slope.from != slope.to),
    ];
    let ends = span.until_ms.is_some() || slopes == [false, false];
    holds(
        ends,
        &key("until_ms"),
        "left out",
        "given where a latency_factor or capacity changes",
    )?;
    let idle = span.faults.0.is_empty()
        && span.slow_start.is_none()
        && span.slow_tokens.is_none()
        && span.latency_factor.is_none()
        && span.capacity.is_none();
    holds(
        !idle,
        place,
        "without effect",
        "given faults, slow_start, slow_tokens, latency_factor or capacity",
    )
}

fn faults(key: &str, span: &Span) -> Result<(), ScriptError> {
    for (fault, share) in &span.faults.0 {
        is_share(&format!("{key}.{fault}"), *share)?;
    }
    let sum: f64 = span.faults.0.values().sum();
    holds(
        sum <= 1.0 + ROUNDING,
        key,
        format!("{sum} in sum"),
        "1 at most, as a call is struck by one fault",
    )
}

fn slowing(key: &str, slowing: Option<Slowing>) -> Result<(), ScriptError> {
    let Some(Slowing {
        share,
        added_ms: [least, most],
    }) = slowing
    else {
        return Ok(());
    };
    is_share(&format!("{key}.share"), share)?;
    let ordered = 0.0 <= least && least <= most && most <= MAX_ADDED_MS;
    let found = format!("[{least}, {most}]");
    let allowed = "two numbers of milliseconds, the least and the most, from 0 to 3600000";
    holds(ordered, &format!("{key}.added_ms"), found, allowed)
}

fn is_share(key: &str, share: f64) -> Result<(), ScriptError> {
    holds((0.0..=1.0).contains(&share), key, share, "from 0 to 1")
}

fn holds(
    holds: bool,
    key: &str,
    found: impl std::fmt::Display,
    allowed: &'static str,
) -> Result<(), ScriptError> {
    if holds {
        return Ok(());
    }
    Err(ScriptError::Range {
        key: key.to_owned(),
        found: found.to_string(),
        allowed,
    })
}
