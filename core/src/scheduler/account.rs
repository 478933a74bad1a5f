//! What a band or a tenant has been served, in virtual time.

use super::tenants::Standing;
use crate::units::Tokens;

/// Virtual time; a token of weight 1 takes 2²⁰.
pub(super) type Tag = u128;

/// The virtual time that serving `cost` takes a member of this weight.
fn span(cost: Tokens, weight: u32) -> Tag {
    (Tag::from(cost.get()) << 20) / Tag::from(weight.max(1))
}

/// The tokens of weight 1 that take so long.
fn in_tokens(span: Tag) -> u64 {
    u64::try_from(span >> 20).unwrap_or(u64::MAX)
}

/// A member's tag, and what it was charged too much and has not got back yet.
///
/// A call is charged what it is expected to cost and corrected when its cost is known. Were an overcharge taken
/// off the tag, the member would fall behind everybody who came back from idleness meanwhile and was placed at
/// virtual time: they would wait until the whole of it was made up, seconds of the lane's quota, though they
/// were owed service first. So a tag never goes back. An overcharge is kept as credit and makes the next
/// services cheaper, by up to three quarters each: the same share in the end, and nobody is passed for it.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Account {
    tag: Tag,
    credit: Tag,
}

impl Account {
    /// Where its next service begins.
    pub(super) fn tag(&self) -> Tag {
        self.tag
    }

    /// How far it is ahead of `time`, and its credit, in tokens of weight 1.
    pub(super) fn standing(&self, time: Tag) -> Standing {
        Standing(in_tokens(self.tag.saturating_sub(time)), in_tokens(self.credit))
    }

    /// One that stands so.
    pub(super) fn standing_so(time: Tag, standing: Standing) -> Self {
        let Standing(ahead, credit) = standing;
        Self {
            tag: time + span(Tokens::new(ahead), 1),
            credit: span(Tokens::new(credit), 1),
        }
    }

    /// It comes back from idleness: no earlier than `time`, and what it was owed before is forgotten.
    pub(super) fn come_back(&mut self, time: Tag) {
        if self.tag < time {
            *self = Self { tag: time, credit: 0 };
        }
    }

    /// It is served `cost`.
    pub(super) fn charge(&mut self, cost: Tokens, weight: u32) {
        let span = span(cost.max(Tokens::new(1)), weight);
        let back = self.credit.min(span / 4 * 3);
        self.credit -= back;
        self.tag += span - back;
    }

    /// What it was served has cost `actual` instead of `expected`.
    pub(super) fn correct(&mut self, expected: Tokens, actual: Tokens, weight: u32) {
        if actual >= expected {
            self.tag += span(actual - expected, weight);
        } else {
            self.credit += span(expected - actual, weight);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(n: u64) -> Tokens {
        Tokens::new(n)
    }

    #[test]
    fn an_overcharge_comes_back_and_the_tag_never_goes_back() {
        let mut account = Account::default();
        account.charge(tokens(1_000), 1);
        account.correct(tokens(1_000), tokens(500), 1);
        assert_eq!(account.tag(), span(tokens(1_000), 1));
        account.charge(tokens(400), 1);
        assert_eq!(account.tag(), span(tokens(1_100), 1));
        account.charge(tokens(400), 1);
        assert_eq!(account.tag(), span(tokens(1_300), 1), "all 500 have come back");
        account.charge(tokens(400), 1);
        assert_eq!(account.tag(), span(tokens(1_700), 1));
    }

    #[test]
    fn an_undercharge_is_charged_at_once() {
        let mut account = Account::default();
        account.charge(tokens(100), 2);
        account.correct(tokens(100), tokens(300), 2);
        assert_eq!(account.tag(), span(tokens(300), 2));
    }

    #[test]
    fn idleness_saves_nothing_up() {
        let mut account = Account::default();
        account.charge(tokens(100), 1);
        account.correct(tokens(100), tokens(10), 1);
        account.come_back(span(tokens(500), 1));
        account.charge(tokens(100), 1);
        assert_eq!(account.tag(), span(tokens(600), 1));
    }
}
