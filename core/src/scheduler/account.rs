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
    /// While virtual time is before this, a service before its turn is not made up for.
    owes: Tag,
}

/// How far ahead of virtual time a member may get by services before its turn.
#[derive(Debug, Clone, Copy)]
pub(super) struct Allowance {
    /// By many of them together.
    pub(super) often: Tag,
    /// By one, while none before is left to be made up for.
    pub(super) once: Tag,
}

impl Allowance {
    /// Out of what a member of weight 1 is served in a minute while everybody else waits too.
    pub(super) fn of(minute: Tag) -> Self {
        Self {
            often: minute / 4,
            once: minute * 10,
        }
    }
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
            owes: time + span(Tokens::new(ahead), 1),
        }
    }

    /// It comes back from idleness: no earlier than `time`, and what it was owed before is forgotten.
    pub(super) fn come_back(&mut self, time: Tag) {
        if self.tag < time {
            *self = Self {
                tag: time,
                credit: 0,
                owes: 0,
            };
        }
    }

    /// Whether it may be served `cost` before its turn.
    pub(super) fn may_pass(&self, time: Tag, cost: Tokens, weight: u32, allowance: Allowance) -> bool {
        let ahead = self.tag.saturating_sub(time) + span(cost, weight);
        ahead <= allowance.often || (self.owes <= time && ahead <= allowance.once)
    }

    /// It was served before its turn: its next turn comes when the others have been served as much.
    pub(super) fn has_passed(&mut self) {
        self.owes = self.tag;
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
    fn what_was_served_before_its_turn_is_made_up_for_before_much_more_is() {
        let minute = span(tokens(1_000), 1);
        let allowance = Allowance::of(minute);
        let mut account = Account::default();
        assert!(
            !account.may_pass(0, tokens(20_001), 2, allowance),
            "more than in ten minutes"
        );
        assert!(
            account.may_pass(0, tokens(20_000), 2, allowance),
            "one as large as that"
        );
        account.charge(tokens(20_000), 2);
        account.has_passed();
        for made_up in [0, 5_000, 9_999] {
            assert!(!account.may_pass(span(tokens(made_up), 1), tokens(2_000), 2, allowance));
        }
        assert!(account.may_pass(10 * minute, tokens(2_000), 2, allowance));
        assert!(
            account.may_pass(span(tokens(9_900), 1), tokens(200), 2, allowance),
            "small ones"
        );
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
