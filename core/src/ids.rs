//! Names of things: requests, tenants, lanes, models, calls and revisions.

use crate::quoted;
use crate::units::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use uuid::{Builder, Uuid};

/// What is wrong with a name, and what a right one looks like.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    /// A tenant or lane name outside its alphabet or length.
    #[error("{what} {found:?} is not a name: 1 to {most} characters of A-Z a-z 0-9 . _ -")]
    Name {
        /// What the name was for.
        what: &'static str,
        /// What was given, cut to a printable length.
        found: String,
        /// The longest name allowed.
        most: usize,
    },
    /// A model id that is empty, too long or holds control characters.
    #[error("model id {0:?} is not valid: 1 to 2048 printable characters")]
    Model(String),
    /// A request id that is no UUID.
    #[error("job id {0:?} is not a UUID")]
    Request(String),
}

/// The identity of a request; the public API calls it the job id.
///
/// UUIDv7 of its arrival, or UUIDv8 of hash(tenant, key) when the caller gave an idempotency key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RequestId(Uuid);

impl RequestId {
    /// A fresh id for a request that arrived `now`; `random` must not repeat.
    pub fn fresh(now: Timestamp, random: [u8; 10]) -> Self {
        Self(Builder::from_unix_timestamp_millis(now.as_millis(), &random).into_uuid())
    }

    /// The id of every request that `tenant` sends with idempotency key `key`.
    pub fn keyed(tenant: &TenantId, key: &str) -> Self {
        let mut hash = Sha256::new();
        // The length keeps ("ab", "c") apart from ("a", "bc").
        hash.update((tenant.as_str().len() as u64).to_be_bytes());
        hash.update(tenant.as_str().as_bytes());
        hash.update(key.as_bytes());
        let digest = hash.finalize();
        let mut bytes = [0u8; 16];
        bytes.copy_from_slice(&digest[..16]);
        Self(Uuid::new_v8(bytes))
    }

    /// The 16 bytes of the UUID, in network order.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        self.0.as_bytes()
    }

    /// From the 16 bytes of a stored id.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(Uuid::from_bytes(bytes))
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for RequestId {
    type Err = IdError;
    fn from_str(text: &str) -> Result<Self, IdError> {
        Uuid::parse_str(text)
            .map(Self)
            .map_err(|_| IdError::Request(quoted(text)))
    }
}

macro_rules! name {
    ($(#[$doc:meta])* $name:ident, $what:literal, $most:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(Arc<str>);

        impl $name {
            /// Checks the alphabet and the length.
            pub fn new(text: &str) -> Result<Self, IdError> {
                let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
                if (1..=$most).contains(&text.len()) && text.chars().all(good) {
                    Ok(Self(text.into()))
                } else {
                    Err(IdError::Name { what: $what, found: quoted(text), most: $most })
                }
            }

            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = IdError;
            fn try_from(text: String) -> Result<Self, IdError> {
                Self::new(&text)
            }
        }
        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.0.as_ref().to_owned()
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

name!(
    /// Whose request it is: fairness key and owner of limits.
    TenantId, "tenant", 64
);
name!(
    /// One upstream quota: account (role) × Region × endpoint × model or inference profile.
    LaneId, "lane", 64
);

impl Default for TenantId {
    /// The tenant of a server without keys.
    fn default() -> Self {
        Self("default".into())
    }
}

/// A model id, inference profile id or ARN, as a caller names it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ModelId(Arc<str>);

impl ModelId {
    /// Checks length and characters; whether a lane serves it is the router's business.
    pub fn new(text: &str) -> Result<Self, IdError> {
        if (1..=2048).contains(&text.len()) && !text.chars().any(|c| c.is_control() || c.is_whitespace()) {
            Ok(Self(text.into()))
        } else {
            Err(IdError::Model(quoted(text)))
        }
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for ModelId {
    type Error = IdError;
    fn try_from(text: String) -> Result<Self, IdError> {
        Self::new(&text)
    }
}
impl From<ModelId> for String {
    fn from(id: ModelId) -> Self {
        id.0.as_ref().to_owned()
    }
}
impl fmt::Display for ModelId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The number of one upstream call of a request: 1, 2, 3 …, never reused. Fencing and settlement go by it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CallNo(u32);

impl CallNo {
    /// Before the first call.
    pub const NONE: Self = Self(0);

    /// From a stored number.
    pub const fn new(number: u32) -> Self {
        Self(number)
    }

    /// The plain number: how many calls there have been, this one included.
    pub const fn get(self) -> u32 {
        self.0
    }

    /// The next call's number.
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

impl fmt::Display for CallNo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A row's version: every write raises it by one, and is conditional on the one it read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Rev(u64);

impl Rev {
    /// The version of a row's first write.
    pub const FIRST: Self = Self(1);

    /// From a stored number.
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// The plain number.
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The version after this one.
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_key_names_one_request_per_tenant() {
        let (a, b) = (TenantId::new("a").unwrap(), TenantId::new("ab").unwrap());
        assert_eq!(RequestId::keyed(&a, "bc"), RequestId::keyed(&a, "bc"));
        assert_ne!(RequestId::keyed(&a, "bc"), RequestId::keyed(&b, "c"));
    }

    #[test]
    fn fresh_ids_sort_by_arrival() {
        let early = RequestId::fresh(Timestamp::from_millis(1_000), [255; 10]);
        let late = RequestId::fresh(Timestamp::from_millis(1_001), [0; 10]);
        assert!(early < late);
        assert_eq!(late.to_string().parse::<RequestId>().unwrap(), late);
    }

    #[test]
    fn names_refuse_what_would_break_a_key_or_a_path() {
        for bad in ["", "a/b", "a b", "ä", "a#b", &"x".repeat(65)] {
            assert!(TenantId::new(bad).is_err(), "{bad:?}");
        }
        assert!(LaneId::new("sonnet-4.5_eu").is_ok());
        assert!(ModelId::new("anthropic claude").is_err());
    }
}
