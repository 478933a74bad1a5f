//! How much work may wait in a lane, in all and of one band or one tenant; beyond it new work is refused at the door.

use crate::request::Priority;
use crate::units::Tokens;

/// How much of something may wait in each lane.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Bound {
    /// Requests, if there is a limit.
    pub requests: Option<u64>,
    /// Tokens that they will reserve, if there is a limit.
    pub tokens: Option<Tokens>,
}

impl Bound {
    /// Whether it bounds anything.
    pub const fn is_set(&self) -> bool {
        self.requests.is_some() || self.tokens.is_some()
    }

    /// This one, and `other` where it says nothing.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self {
            requests: self.requests.or(other.requests),
            tokens: self.tokens.or(other.tokens),
        }
    }
}

/// What becomes of a new request that would not be in time, by its own limits and the lane's forecast.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Admission {
    /// It is refused.
    #[default]
    Refuse,
    /// It is taken in and told.
    Flag,
}

/// The bounds on what waits in each lane, and who is let in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Limits {
    /// All of it.
    pub lane: Bound,
    /// Each band's, interactive first.
    pub bands: [Bound; 3],
    /// Each tenant's, in all bands together, but for those with a bound of their own.
    pub tenant: Bound,
    /// Whether what waits in a lower band makes room for a higher one.
    pub shed: bool,
    /// What becomes of those that would be late.
    pub admission: Admission,
}

impl Limits {
    /// One band's.
    pub const fn of(&self, priority: Priority) -> Bound {
        self.bands[priority.index()]
    }

    /// Whether a request of this band may be refused by them.
    pub const fn bound(&self, priority: Priority) -> bool {
        self.lane.is_set() || self.of(priority).is_set() || self.tenant.is_set()
    }
}
