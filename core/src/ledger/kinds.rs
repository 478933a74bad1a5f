//! The kinds of limiter that may stand upstream.

use serde::{Deserialize, Serialize};

/// One of them, by the ledger that follows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A token bucket of 10 s (or of the capacity that is configured).
    ShortBucket,
    /// A token bucket of 60 s.
    LongBucket,
    /// A window that begins with each minute of the wall clock.
    FixedMinute,
    /// A window that slides.
    SlidingMinute,
}

impl Kind {
    pub(super) const ALL: [Self; 4] = [
        Self::ShortBucket,
        Self::LongBucket,
        Self::FixedMinute,
        Self::SlidingMinute,
    ];

    /// As it is shown.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::ShortBucket => "bucket of 10 s",
            Self::LongBucket => "bucket of 60 s",
            Self::FixedMinute => "fixed minute",
            Self::SlidingMinute => "sliding minute",
        }
    }
}

/// Some of them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Kinds(u8);

impl Kinds {
    pub(super) const NONE: Self = Self(0);
    pub(super) const ALL: Self = Self(0b1111);

    /// Those that keep charges instead of a level.
    pub(super) const WINDOWS: Self = Self::only(Kind::FixedMinute).and(Self::only(Kind::SlidingMinute));

    pub(super) const fn only(kind: Kind) -> Self {
        Self(1 << kind as u8)
    }

    pub(super) const fn has(self, kind: Kind) -> bool {
        self.0 & Self::only(kind).0 != 0
    }

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands references")]
    pub(super) const fn is_empty(&self) -> bool {
        self.0 & Self::ALL.0 == 0
    }

    pub(super) const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub(super) const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    pub(super) const fn within(self, these: Self) -> Self {
        Self(self.0 & these.0)
    }

    /// Those of them for which it holds.
    pub(super) fn such(self, holds: impl Fn(Kind) -> bool) -> Self {
        let these = self.iter().filter(|kind| holds(*kind));
        these.fold(Self::NONE, |all, kind| all.and(Self::only(kind)))
    }

    pub(super) fn iter(self) -> impl Iterator<Item = Kind> {
        Kind::ALL.into_iter().filter(move |kind| self.has(*kind))
    }
}
