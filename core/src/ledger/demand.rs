//! What a call wants of a lane's quota.

use super::pace::Wish;
use crate::request::Priority;
use crate::units::Tokens;

/// What a call leaves of a window for interactive requests, where it is known that one stands upstream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Leaves {
    /// It is one of them itself.
    Nothing,
    /// As much as they take lately, twice over.
    WhatTheyTake,
    /// A part, however little they take: whatever is not kept is soon gone.
    APart,
}

/// A call that wants to go: its tokens, and what it leaves for interactive requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Demand {
    pub(super) tokens: Tokens,
    /// Of them what the upstream does not take when the call starts.
    pub(super) surplus: Tokens,
    leaves: Leaves,
}

impl Demand {
    /// So many tokens, for a request of that priority.
    pub const fn of(tokens: Tokens, priority: Priority) -> Self {
        Self {
            tokens,
            surplus: Tokens::ZERO,
            leaves: if matches!(priority, Priority::Interactive) {
                Leaves::Nothing
            } else {
                Leaves::APart
            },
        }
    }

    /// The same, where so many of the tokens are not taken at the start.
    pub fn with_surplus(self, surplus: Tokens) -> Self {
        Self {
            surplus: surplus.min(self.tokens),
            ..self
        }
    }

    /// The same, where little waits.
    pub fn of_few(self) -> Self {
        Self {
            leaves: match self.leaves {
                Leaves::Nothing => Leaves::Nothing,
                Leaves::WhatTheyTake | Leaves::APart => Leaves::WhatTheyTake,
            },
            ..self
        }
    }

    /// What it takes of the tokens, and of the requests.
    pub(super) const fn wishes(self) -> (Wish, Wish) {
        let (amount, leaves) = (self.tokens.get(), self.leaves);
        (Wish { amount, leaves }, Wish { amount: 1, leaves })
    }
}

/// For whom nothing is kept back.
impl From<Tokens> for Demand {
    fn from(tokens: Tokens) -> Self {
        Self {
            tokens,
            surplus: Tokens::ZERO,
            leaves: Leaves::Nothing,
        }
    }
}
