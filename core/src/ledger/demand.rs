//! What a call wants of a lane's quota.

use super::pace::Wish;
use crate::request::Priority;
use crate::units::Tokens;

/// A call that wants to go: its tokens, and whether it may take what is kept for interactive requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Demand {
    pub(super) tokens: Tokens,
    /// Of them what the upstream does not take when the call starts.
    pub(super) surplus: Tokens,
    urgent: bool,
}

impl Demand {
    /// So many tokens, for a request of that priority.
    pub const fn of(tokens: Tokens, priority: Priority) -> Self {
        Self {
            tokens,
            surplus: Tokens::ZERO,
            urgent: matches!(priority, Priority::Interactive),
        }
    }

    /// The same, where so many of the tokens are not taken at the start.
    pub fn with_surplus(self, surplus: Tokens) -> Self {
        Self {
            surplus: surplus.min(self.tokens),
            ..self
        }
    }

    /// What it takes of the tokens, and of the requests.
    pub(super) const fn wishes(self) -> (Wish, Wish) {
        let (amount, urgent) = (self.tokens.get(), self.urgent);
        (Wish { amount, urgent }, Wish { amount: 1, urgent })
    }
}

/// For whom nothing is kept back.
impl From<Tokens> for Demand {
    fn from(tokens: Tokens) -> Self {
        Self {
            tokens,
            surplus: Tokens::ZERO,
            urgent: true,
        }
    }
}
