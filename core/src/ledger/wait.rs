//! Why a reservation was refused, as a value that says when to come back.

use super::NeverFits;
use crate::units::Timestamp;

/// A reservation was refused; nothing was charged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wait {
    /// It will be admitted then, if nothing else happens; a call that costs less than it reserved brings that
    /// nearer.
    Until(Timestamp),
    /// It will be admitted only once a call that is under way is over.
    CallEnds,
    /// It will never be admitted.
    Never(NeverFits),
}

impl Wait {
    /// The moment at which to look again, where there is one.
    pub const fn until(&self) -> Option<Timestamp> {
        match self {
            Self::Until(at) => Some(*at),
            Self::CallEnds | Self::Never(_) => None,
        }
    }
}
