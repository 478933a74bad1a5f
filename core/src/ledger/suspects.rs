//! Which limiter stands upstream, found by elimination: for `eager`.
//!
//! Every kind is a hypothesis, and its ledger says what it would admit. As long as all that are left agree, nothing is
//! learned. Where they do not, a call is let go although some would refuse it; one at a time, and twice as many where as
//! many were accepted that did not go beyond the margins, for a bucket refills while their answers are awaited:
//! - accepted, it rules out those that would surely have refused it. "Surely" is what a second set of ledgers says,
//!   which is never below such a limiter whatever clocks and round trips do;
//! - refused, it suspends those that would have admitted it: another client of the quota may have been in the way, so
//!   they get another chance.
//!
//! Only those that are left are paced for. After one was ruled out calls go in a slow start, because a mistake here
//! would be found out by as many refusals as there are calls on their way. A refusal that those left do not explain
//! makes suspects again of all others that do.
//!
//! Refusals are an account: so many may be caused at once, and each further one has to be earned by calls that went. Each
//! probe under way needs one in it. Deep in debt nothing that was found out holds (the quota is another one than is believed,
//! or somebody else's too), and all kinds are paced for until calls have earned it back.
//!
//! Tried and dropped:
//! - one probe at a time always: on a quota of 1 M a call of 5,000 never goes beyond what the bucket refills while
//!   its answer is awaited, and the drain takes 1.7 times the bound;
//! - more probes only when none is under way: with a stream of them one always is, bursts went on with two at once
//!   for 40 s, and B on a fixed minute took 1.13 times the bound instead of 1.07;
//! - towards more of them also those counted that went to find out something else: before real servers the next
//!   question was asked eight at once, and 47 calls of 9,000 were refused on a sliding minute instead of 22;
//! - eight at once whatever the account has: five were refused together at a window's end, nothing more was found
//!   out in that burst, and it took 1.8 times the bound;
//! - one at a time where only windows would refuse: interactive requests wait until the answer is known, p95 in B 1
//!   to 33 s instead of 0.3;
//! - an account that only refused probes are charged to: beside another client 2.9 to 4.1 % are refused instead of
//!   1.7 to 2.9 %;
//! - three refusals at once instead of four: burst A on a sliding minute takes 1.09 times the bound instead of
//!   1.06;
//! - a slow start from sixteen calls instead of four: about a quarter more refusals with a quota believed 10 % too
//!   high or too low;
//! - identifying the limiter of requests by itself: one request of ten a second never goes beyond what a bucket
//!   refills;
//! - a window counted on to the last token: an input is an estimate, and with all of them 10 % too low the refusal
//!   at a window's end spoke for the buckets again, and again at the next: burst A on a fixed minute took 1.3 times
//!   the bound instead of 1.1, interactive requests waited for p95 24 s, and it was the same before real servers.
//!
//! and of what is kept of a window for interactive requests ([`super::kept`]):
//! - a tenth before it is known that a window stands upstream: it takes 1.4 times the bound to find out on a bucket
//!   of 60 s; or probes that eat it up slowly: interactive requests then wait for the window's end, p95 20 to 34 s;
//! - no more than three times what they took in the last 10 to 20 s, however much waits: under a backlog on a
//!   sliding minute their p95 is 18.7 s instead of 1.6;
//! - a twentieth of a fixed minute: under a backlog their p95 is 17 s instead of none;
//! - the whole part from a burst's last requests too: A on a fixed minute takes 1.14 times the bound instead of
//!   1.09, B 1.11 instead of 1.07;
//! - nothing where all that waits finds room: where batch requests come one by one each of them does, and nothing
//!   is kept at all;
//! - a part that both windows have to leave while it may be either: calls went into it one at a time for 5 to 16 s, and
//!   before real servers three bursts of ten took 2.0 to 2.5 times the bound. It has a price: under a backlog on a
//!   sliding minute the p95 of interactive requests is 3.3 s instead of 1.2.

use super::kinds::Kinds;
use super::ledgers::Ledgers;
use super::ramp::Ramp;
use super::spells::{Length, Spells};
use crate::units::{Millis, Timestamp};

/// How long a refusal counts against the kinds that it contradicts.
const SUSPENDED: Length = Length {
    first: Millis::from_secs(600),
    doublings: 3,
};
/// Refusals that may be caused at once, and how many calls earn another.
const REFUSALS: i32 = 4;
const CALLS_A_REFUSAL: i32 = 150;
/// So deep in debt, what was found out does not hold. More refusals count for no more.
const TOO_MANY: i32 = -CALLS_A_REFUSAL;
const DEBT: i32 = -3 * CALLS_A_REFUSAL;
/// Probes under way together at the most: the account has no more.
const AT_ONCE: usize = 4;

/// The hypotheses about one quota.
#[derive(Debug, Clone)]
pub(super) struct Suspects {
    /// Never below a limiter of the kind.
    pub(super) sure: Ledgers,
    ruled_out: Kinds,
    suspended: Spells,
    /// Nothing fits what was seen: all of them are paced for until then.
    at_a_loss_until: Timestamp,
    /// Calls that were earned, a refusal costing [`CALLS_A_REFUSAL`].
    credit: i32,
    /// Probes that may be under way together.
    at_once: usize,
    /// Goes up whenever they may be others, or something is found.
    round: u32,
    /// How many of this round were accepted.
    in_a_row: usize,
    pub(super) ramp: Ramp,
}

impl Suspects {
    pub(super) fn all(sure: Ledgers) -> Self {
        Self {
            sure,
            ruled_out: Kinds::NONE,
            suspended: Spells::default(),
            at_a_loss_until: Timestamp::EPOCH,
            credit: REFUSALS * CALLS_A_REFUSAL,
            at_once: 1,
            round: 0,
            in_a_row: 0,
            ramp: Ramp::over(),
        }
    }

    /// Those that may stand upstream.
    pub(super) fn left(&self, now: Timestamp) -> Kinds {
        let suspended = self.suspended.standing(now);
        let left = Kinds::ALL.without(self.ruled_out).without(suspended);
        if left.is_empty() || self.credit < TOO_MANY {
            Kinds::ALL
        } else {
            left
        }
    }

    /// Whether a call may be let go that some of them would refuse.
    pub(super) fn may_probe(&self, now: Timestamp, under_way: usize) -> bool {
        // Each of those under way may turn out to be refused.
        let refusals = usize::try_from(self.credit / CALLS_A_REFUSAL).unwrap_or(0);
        self.at_a_loss_until <= now && under_way < self.at_once.min(refusals)
    }

    pub(super) fn went(&mut self, now: Timestamp) {
        self.credit = (self.credit + 1).min(REFUSALS * CALLS_A_REFUSAL);
        self.ramp.went(now);
    }

    /// A probe of this round was accepted that some would have refused, and these surely.
    pub(super) fn accepted(&mut self, now: Timestamp, contradicts: Kinds, round: u32) {
        let fresh = contradicts.without(self.ruled_out);
        if fresh.is_empty() {
            if round == self.round {
                self.in_a_row += 1;
                if self.in_a_row >= self.at_once {
                    // So many calls are not enough to go further than the margins.
                    self.go_at_once((self.at_once * 2).min(AT_ONCE));
                }
            }
            return;
        }
        self.go_at_once(1);
        self.ruled_out = self.ruled_out.and(fresh);
        self.ramp = Ramp::begin();
        if Kinds::ALL.without(self.ruled_out).is_empty() {
            // More goes through than any of them would let: the quota is larger than was believed.
            self.ruled_out = Kinds::NONE;
            self.at_a_loss_until = now + SUSPENDED.first;
        }
    }

    fn go_at_once(&mut self, many: usize) {
        self.at_once = many;
        self.round = self.round.wrapping_add(1);
        self.in_a_row = 0;
    }

    /// For a probe that goes now.
    pub(super) const fn round(&self) -> u32 {
        self.round
    }

    /// What ruled these out was no acceptance after all.
    pub(super) fn reinstate(&mut self, these: Kinds) {
        self.ruled_out = self.ruled_out.without(these);
        self.suspended.end(these);
    }

    /// A probe was refused that these would have admitted.
    pub(super) fn suspend(&mut self, now: Timestamp, these: Kinds) {
        let fresh = these.without(self.suspended.standing(now));
        self.suspended.begin(now, fresh, SUSPENDED);
        self.go_at_once(1);
        self.pay();
    }

    /// A call was refused that was no probe. Where that happens again and again, what was found out does not hold: the
    /// quota is another one than is believed, or somebody else's too.
    pub(super) fn surprised(&mut self) {
        self.pay();
        self.ramp.refused();
    }

    fn pay(&mut self) {
        self.credit = (self.credit - CALLS_A_REFUSAL).max(DEBT);
    }

    /// For keeping: those that are ruled out or suspended.
    pub(super) fn excluded(&self, now: Timestamp) -> (Kinds, Kinds) {
        let left = self.left(now);
        (self.ruled_out, Kinds::ALL.without(left).without(self.ruled_out))
    }

    /// For keeping: how long they are suspended, beside [`Suspects::excluded`].
    pub(super) const fn spells(&self) -> Spells {
        self.suspended
    }

    /// As it was kept.
    pub(super) fn known(&mut self, now: Timestamp, ruled_out: Kinds, suspended: Kinds, kept: Spells) {
        if Kinds::ALL.without(ruled_out).is_empty() {
            return;
        }
        self.ruled_out = ruled_out;
        self.suspended = kept.taken_up(now, suspended, SUSPENDED);
    }
}
