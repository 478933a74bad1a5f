//! Faults: what goes wrong, and which calls it strikes.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::clock::Micros;
use crate::error::{ErrorKind, Failure};
use crate::hash::mix;
use crate::object;
use crate::quota::Refusal;
use crate::settings::SettingsError;

/// What happens to one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// Refused before admission with this error; charges nothing.
    Refuse(Failure),
    /// Admitted, then failed with this error when the first token was due; its input stays charged.
    Fail(Failure),
    /// Answered with an exception inside the stream; a call that does not stream gets it as [`Self::Fail`].
    Raise(Failure),
    /// The connection is cut before the first token.
    CutBefore,
    /// The connection is cut in the middle of the answer.
    CutAfter,
    /// Nothing is ever answered; the connection stays open.
    Hang,
    /// The answer stops in its middle; the connection stays open.
    HangAfter,
    /// The answer cannot be read. A call that does not stream gets every kind as [`Garble::Body`].
    Garble(Garble),
}

/// What is wrong with an answer that cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Garble {
    /// A frame in the middle whose checksum is wrong by one bit; the stream goes on.
    Crc,
    /// The stream ends, properly for HTTP, within the prelude of a frame.
    Prelude,
    /// An event of a type that no client knows, in the middle; the stream goes on and is complete.
    Event,
    /// A frame in the middle whose payload is half a JSON document; the stream goes on.
    Payload,
    /// A whole body that is half a JSON document, of the length that its head declares. A stream gets
    /// [`Self::Payload`].
    Body,
}

/// Names, as marks, flags and `/control` spell them.
const NAMES: [(&str, Fault); 27] = [
    ("throttle", Fault::Refuse(Failure::Refused(Refusal::Tokens))),
    (
        "throttle-requests",
        Fault::Refuse(Failure::Refused(Refusal::Requests)),
    ),
    ("throttle-day", Fault::Refuse(Failure::Refused(Refusal::Day))),
    ("throttle-connections", Fault::Refuse(Failure::Connections)),
    (
        "not-ready",
        Fault::Refuse(Failure::Kind(ErrorKind::ModelNotReady)),
    ),
    ("400", Fault::Refuse(Failure::Kind(ErrorKind::Validation))),
    ("403", Fault::Refuse(Failure::Kind(ErrorKind::AccessDenied))),
    ("404", Fault::Refuse(Failure::Kind(ErrorKind::ResourceNotFound))),
    ("500", Fault::Refuse(Failure::Kind(ErrorKind::InternalServer))),
    ("503", Fault::Refuse(Failure::Kind(ErrorKind::ServiceUnavailable))),
    (
        "503-connections",
        Fault::Refuse(Failure::Refused(Refusal::Concurrency)),
    ),
    ("408", Fault::Fail(Failure::Kind(ErrorKind::ModelTimeout))),
    ("424", Fault::Fail(Failure::Kind(ErrorKind::ModelError))),
    ("stream-throttle", Fault::Raise(Failure::Refused(Refusal::Tokens))),
    (
        "stream-500",
        Fault::Raise(Failure::Kind(ErrorKind::InternalServer)),
    ),
    (
        "stream-503",
        Fault::Raise(Failure::Kind(ErrorKind::ServiceUnavailable)),
    ),
    ("stream-408", Fault::Raise(Failure::Kind(ErrorKind::ModelTimeout))),
    ("stream-424", Fault::Raise(Failure::Kind(ErrorKind::ModelStream))),
    ("cut-before", Fault::CutBefore),
    ("cut-after", Fault::CutAfter),
    ("hang", Fault::Hang),
    ("hang-after", Fault::HangAfter),
    ("bad-crc", Fault::Garble(Garble::Crc)),
    ("bad-prelude", Fault::Garble(Garble::Prelude)),
    ("bad-event", Fault::Garble(Garble::Event)),
    ("bad-payload", Fault::Garble(Garble::Payload)),
    ("bad-body", Fault::Garble(Garble::Body)),
];

impl fmt::Display for Fault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = NAMES
            .iter()
            .find(|(_, fault)| fault == self)
            .map_or("fault", |(name, _)| name);
        out.write_str(name)
    }
}

impl FromStr for Fault {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        // The short names that read best in a prompt.
        let text = if text == "429" { "throttle" } else { text };
        let found = NAMES.iter().find(|(name, _)| *name == text);
        found.map(|(_, fault)| *fault).ok_or_else(|| {
            let names: Vec<_> = NAMES.iter().map(|(name, _)| *name).collect();
            format!("no fault is called {text:?}; there are {}", names.join(", "))
        })
    }
}

impl Serialize for Fault {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Fault {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// One fault and the share of calls that it strikes, perhaps only for a time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FaultRule {
    /// What happens.
    pub fault: Fault,
    /// Share of the calls, 0 to 1.
    pub share: f64,
    /// Strikes from this moment on, in milliseconds since the simulator's start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from_ms: Option<u64>,
    /// Strikes until this moment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until_ms: Option<u64>,
}

impl FromStr for FaultRule {
    type Err = String;

    /// `503=0.02`, or for a time `503=0.5@10000..20000` (milliseconds, either end may be left out).
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (fault, rest) = text
            .split_once('=')
            .ok_or_else(|| format!("{text:?} is not FAULT=SHARE, as in 503=0.02"))?;
        let (share, span) = rest
            .split_once('@')
            .map_or((rest, None), |(share, span)| (share, Some(span)));
        let share = share
            .parse()
            .map_err(|_| format!("{share:?} is not a share from 0 to 1"))?;
        let (from_ms, until_ms) = match span {
            None => (None, None),
            Some(span) => {
                let (from, until) = span
                    .split_once("..")
                    .ok_or_else(|| format!("{span:?} is not FROM..UNTIL in milliseconds"))?;
                (milliseconds(from)?, milliseconds(until)?)
            }
        };
        Ok(Self {
            fault: fault.parse()?,
            share,
            from_ms,
            until_ms,
        })
    }
}

fn milliseconds(text: &str) -> Result<Option<u64>, String> {
    if text.is_empty() {
        return Ok(None);
    }
    text.parse()
        .map(Some)
        .map_err(|_| format!("{text:?} is not a number of milliseconds"))
}

/// Which calls faults strike. The same seed strikes the same calls, counted in order of arrival.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FaultPlan {
    /// Decides which calls are struck.
    pub seed: u64,
    /// The shares add up; each call is struck by one at most.
    #[serde(deserialize_with = "object::list")]
    pub rules: Vec<FaultRule>,
}

impl FaultPlan {
    /// The fault of call number `call`, arriving `now`.
    pub fn strike(&self, call: u64, now: Micros) -> Option<Fault> {
        if self.rules.is_empty() {
            return None;
        }
        // 32 random bits are exact in a double.
        let bits = u32::try_from(mix(self.seed ^ mix(call)) >> 32).unwrap_or(u32::MAX);
        let mut left = f64::from(bits) / f64::from(u32::MAX);
        for rule in &self.rules {
            let active = rule.from_ms.is_none_or(|from| now.millis() >= from)
                && rule.until_ms.is_none_or(|until| now.millis() < until);
            if !active {
                continue;
            }
            if left < rule.share {
                return Some(rule.fault);
            }
            left -= rule.share;
        }
        None
    }

    pub(crate) fn check(&self) -> Result<(), SettingsError> {
        for rule in &self.rules {
            if !(0.0..=1.0).contains(&rule.share) {
                return Err(SettingsError::Range {
                    name: "faults.rules.share",
                    found: rule.share.to_string(),
                    allowed: "from 0 to 1",
                });
            }
        }
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn plan(rules: &[&str]) -> FaultPlan {
        FaultPlan {
            seed: 7,
            rules: rules.iter().map(|rule| rule.parse().unwrap()).collect(),
        }
    }

    #[test]
    fn strikes_its_share_and_the_same_calls_for_the_same_seed() {
        let plan = plan(&["503=0.1", "cut-after=0.2"]);
        let strikes = |fault: &str| {
            let fault: Fault = fault.parse().unwrap();
            (0..10_000)
                .filter(|call| plan.strike(*call, Micros::ZERO) == Some(fault))
                .count()
        };
        assert!((900..1100).contains(&strikes("503")), "{}", strikes("503"));
        assert!(
            (1850..2150).contains(&strikes("cut-after")),
            "{}",
            strikes("cut-after")
        );
        let other = FaultPlan {
            seed: 8,
            ..plan.clone()
        };
        assert!((0..100).any(|call| plan.strike(call, Micros::ZERO) != other.strike(call, Micros::ZERO)));
    }

    #[test]
    fn a_span_begins_and_ends() {
        let plan = plan(&["500=1@10..20"]);
        let strikes = |ms| plan.strike(1, Micros::from_millis(ms)).is_some();
        assert_eq!([9, 10, 19, 20].map(strikes), [false, true, true, false]);
    }

    #[test]
    fn every_name_is_read_back_as_it_is_written() {
        for (name, fault) in NAMES {
            assert_eq!(fault.to_string(), name);
            assert_eq!(name.parse::<Fault>().unwrap(), fault);
        }
        assert!("teapot".parse::<Fault>().unwrap_err().contains("cut-before"));
    }
}
