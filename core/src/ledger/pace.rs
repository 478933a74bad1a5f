//! One quota a minute, of tokens or of requests: the ledgers that must agree before anything is let go.
//!
//! Bedrock's own limiter is not published, so `auto` keeps a ledger for each kind that is in use (a bucket of
//! 10 s, one of 60 s, a fixed minute, a sliding minute), charges all of them alike and admits only what each
//! of them would, scaled to what [other clients](super::others) leave of the quota. `eager` admits what the limiters
//! that are [left](super::suspects) would.

use super::CallKey;
use super::demand::Leaves;
use super::doubts::Doubts;
use super::kinds::Kinds;
use super::lately::Lately;
use super::learning::LEARNED_FOR;
use super::ledgers::{Ask, Ledgers, UNSURE_OF_RESERVED};
use super::margins::Margins;
use super::others::{Others, Share};
use super::probe::Probe;
use super::suspects::Suspects;
use crate::config::Pacing;
use crate::units::{Millis, Timestamp};
use std::collections::VecDeque;

/// An amount that wants to go, and for whom.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wish {
    pub(super) amount: u64,
    pub(super) leaves: Leaves,
}

/// The ledgers of one quota.
#[derive(Debug, Clone)]
pub(super) struct Pace {
    pub(super) quota: u64,
    pub(super) round_trip: Millis,
    /// Which ledgers there are.
    pub(super) kinds: Kinds,
    pub(super) ledgers: Ledgers,
    /// The same without what others take and what refusals took off, while anything is learned of others: nothing goes
    /// that these would refuse, so what is learned can only ever hold back.
    pub(super) whole: Option<Ledgers>,
    /// What of the limiter found for tokens is not followed: for requests.
    pub(super) doubts: Doubts,
    pub(super) others: Others,
    /// For `eager`: which of them are left.
    pub(super) suspects: Option<Suspects>,
    pub(super) probes: Vec<Probe>,
    /// The last probe that was taken to be accepted, and what that ruled out: should it be refused after all.
    pub(super) presumed: Option<(CallKey, Kinds)>,
    /// Reserved by calls whose start is not known yet: counts in every ledger, at whatever moment is asked.
    pub(super) undated: u64,
    /// Reserved by calls that are not over, whether charged or not.
    pub(super) reserved: u64,
    /// What interactive requests have taken lately.
    pub(super) lately: Lately,
    /// When a refusal was put down to estimates.
    pub(super) explained: Option<Timestamp>,
    /// What was taken off after refusals: when, and how much.
    pub(super) learned: VecDeque<(Timestamp, u64)>,
}

impl Pace {
    pub(super) fn new(quota: u64, pacing: Pacing, margins: &Margins, now: Timestamp) -> Self {
        let eager = pacing == Pacing::Eager;
        Self {
            quota,
            round_trip: margins.round_trip,
            kinds: Ledgers::of(pacing),
            ledgers: Ledgers::below(quota, pacing, margins, now),
            whole: None,
            doubts: Doubts::default(),
            others: Others::none(),
            suspects: eager.then(|| Suspects::all(Ledgers::above(quota, margins, now))),
            probes: Vec::new(),
            presumed: None,
            undated: 0,
            reserved: 0,
            lately: Lately::default(),
            explained: None,
            learned: VecDeque::new(),
        }
    }

    /// One that finds out nothing itself, but is told.
    pub(super) fn following(self) -> Self {
        Self {
            suspects: None,
            ..self
        }
    }

    pub(super) fn quota(&self) -> u64 {
        self.quota
    }

    /// The ledgers that must agree.
    pub(super) fn binding(&self, now: Timestamp) -> Kinds {
        match &self.suspects {
            Some(suspects) if !self.others.are_there() => suspects.left(now),
            None if !self.others.are_there() => self.kinds,
            _ => self.ledgers.kinds(),
        }
    }

    /// The most that can go at one moment.
    pub(super) fn burst(&self, now: Timestamp) -> u64 {
        self.ledgers.burst(self.binding(now)).min(self.quota)
    }

    /// What counts in the last minute.
    pub(super) fn used(&self, now: Timestamp) -> u64 {
        self.ledgers.sliding.used(now).saturating_add(self.undated)
    }

    /// What could go now; negative in debt.
    pub(super) fn free(&self, now: Timestamp) -> i128 {
        let least = self
            .binding(now)
            .iter()
            .map(|kind| self.ledgers.free(kind, now))
            .min();
        least.unwrap_or(0) - i128::from(self.undated)
    }

    /// What upstream may have charged beyond what is known here, with `extra` under way too: of what still counts, for
    /// a call that began a minute ago makes no window fuller.
    pub(super) fn unsure(&self, now: Timestamp, extra: u64) -> u64 {
        let counts = self.reserved.min(self.used(now));
        counts.saturating_add(extra) / UNSURE_OF_RESERVED
    }

    pub(super) fn ask(&self, now: Timestamp, wish: Wish, extra: u64) -> Ask {
        Ask {
            amount: wish.amount,
            taken: self.undated.saturating_add(extra),
            reserved: self
                .suspects
                .as_ref()
                .map_or(0, |_| self.reserved.saturating_add(extra)),
            kept: self.kept(now, wish),
        }
    }

    /// Whether it would be admitted by all now.
    pub(super) fn admits(&self, now: Timestamp, wish: Wish) -> bool {
        self.slow_start_opens(now) <= now && self.all_admit(now, now, self.ask(now, wish, 0))
    }

    /// Which limiters may stand upstream, were nobody else there.
    pub(super) fn left(&self, now: Timestamp) -> Kinds {
        self.suspects
            .as_ref()
            .map_or(self.kinds, |suspects| suspects.left(now))
    }

    /// Follows what was found out about another quota, as far as nothing speaks against its being the same limiter.
    pub(super) fn follow(&mut self, now: Timestamp, left: Kinds) {
        self.kinds = left.and(self.doubts.standing(now)).within(self.ledgers.kinds());
    }

    /// Whether all that are left would admit it at `at`, and one of them beside what is kept.
    fn all_admit(&self, now: Timestamp, at: Timestamp, ask: Ask) -> bool {
        let plain = Ask { kept: 0, ..ask };
        let admits = |kind, ask| self.ledgers.admits(kind, now, at, ask);
        let left = self.binding(now);
        left.iter().all(|kind| admits(kind, plain))
            && (ask.kept == 0 || left.iter().any(|kind| admits(kind, ask)))
    }

    /// Whether it would be let go at `at`, were `extra` taken now.
    pub(super) fn lets_go_at(&self, now: Timestamp, at: Timestamp, wish: Wish, extra: Wish) -> bool {
        let ask = Ask {
            kept: self.kept_after(now, wish, extra),
            ..self.ask(now, wish, extra.amount)
        };
        self.slow_start_opens(now) <= at && self.all_admit(now, at, ask)
            || self.probes_at(now, ask).is_some_and(|probes| probes <= at)
    }

    /// When it will be let go, if nothing else happens.
    pub(super) fn earliest(&self, now: Timestamp, wish: Wish) -> Timestamp {
        let ask = self.ask(now, wish, 0);
        let left = self.binding(now);
        let by = |kind, ask| self.ledgers.earliest(kind, now, ask);
        let plain = Ask { kept: 0, ..ask };
        let all = left.iter().map(|kind| by(kind, plain)).max().unwrap_or(now);
        let beside = (ask.kept > 0)
            .then(|| left.iter().map(|kind| by(kind, ask)).min())
            .flatten();
        let all = all.max(beside.unwrap_or(now)).max(self.slow_start_opens(now));
        // Once it is known what became of a probe, more may go.
        let known = self.probes.iter().map(Probe::known_at).min();
        let known = known.map_or(all, |known| known.max(now + Millis::new(1)));
        all.min(known).min(self.probes_at(now, ask).unwrap_or(all))
    }

    fn slow_start_opens(&self, now: Timestamp) -> Timestamp {
        self.suspects
            .as_ref()
            .map_or(now, |suspects| suspects.ramp.opens(now))
    }

    /// When a call may go to see whether it is refused: what is left to find out decides which.
    fn probes_at(&self, now: Timestamp, ask: Ask) -> Option<Timestamp> {
        let at = match &self.whole {
            Some(whole) if self.probes.is_empty() => {
                let each = self.left(now).iter().map(|kind| whole.earliest(kind, now, ask));
                each.max().unwrap_or(now).max(self.others.probes_at())
            }
            _ => Timestamp::NEVER,
        };
        let suspects = self.suspects.as_ref().filter(|_| !self.others.are_there());
        let at = match suspects.filter(|suspects| suspects.may_probe(now, self.probes.len())) {
            Some(suspects) => {
                let left = suspects.left(now).iter();
                let one = left.map(|kind| self.ledgers.earliest(kind, now, ask)).min();
                one.map_or(at, |one| one.min(at))
            }
            None => at,
        };
        (at != Timestamp::NEVER).then_some(at.max(now).max(self.slow_start_opens(now)))
    }

    /// Takes `amount` for a call that has not started, if it may go: because all agree, or as a probe.
    pub(super) fn may_go(&self, now: Timestamp, wish: Wish) -> bool {
        self.admits(now, wish)
            || self
                .probes_at(now, self.ask(now, wish, 0))
                .is_some_and(|at| at <= now)
    }

    /// Takes `amount` for a call that was let go before.
    pub(super) fn reserve(&mut self, now: Timestamp, amount: u64) {
        self.ledgers.sliding.advance(now);
        self.undated = self.undated.saturating_add(amount);
    }

    /// A call that has reserved `amount` is under way: what it takes upstream is known when it is over.
    pub(super) fn await_end_of(&mut self, amount: u64) {
        self.reserved = self.reserved.saturating_add(amount);
    }

    /// It is over.
    pub(super) fn known(&mut self, amount: u64) {
        self.reserved = self.reserved.saturating_sub(amount);
    }

    /// Gives back what was held.
    pub(super) fn unhold(&mut self, amount: u64) {
        self.undated = self.undated.saturating_sub(amount);
    }

    /// Charges `amount` to a call that started at `at`, not later than now.
    pub(super) fn charge(&mut self, now: Timestamp, at: Timestamp, amount: u64) {
        self.ledgers.charge(now, at, amount);
        self.whole
            .iter_mut()
            .for_each(|whole| whole.charge(now, at, amount));
        if let Some(suspects) = &mut self.suspects {
            suspects.sure.charge(now, at, amount);
        }
    }

    /// Charges a call of before a restart. What would surely have refused a call is left full: it must never be below
    /// such a limiter, and what refilled one before the restart is not known.
    pub(super) fn retell(&mut self, at: Timestamp, amount: u64) {
        let all = std::iter::once(&mut self.ledgers).chain(&mut self.whole);
        all.for_each(|ledgers| ledgers.charge(at, at, amount));
    }

    /// Charges what a call of `at` has cost above its reservation: a debt from now on, as far as is known.
    pub(super) fn charge_excess(&mut self, now: Timestamp, at: Timestamp, amount: u64) {
        self.ledgers.charge(now, now, amount);
        self.whole
            .iter_mut()
            .for_each(|whole| whole.charge(now, now, amount));
        if let Some(suspects) = &mut self.suspects {
            suspects.sure.charge(now, at, amount);
        }
    }

    /// Gives back a part of what was charged at `at`.
    pub(super) fn credit(&mut self, now: Timestamp, at: Timestamp, amount: u64) {
        self.ledgers.credit(now, at, amount);
        self.whole
            .iter_mut()
            .for_each(|whole| whole.credit(now, at, amount));
        if let Some(suspects) = &mut self.suspects {
            suspects.sure.credit(now, at, amount);
        }
        for probe in &mut self.probes {
            probe.credited(now, self.round_trip + self.round_trip, amount);
        }
    }

    /// The ledgers fill as the others leave it.
    pub(super) fn rescale(&mut self, now: Timestamp) {
        let share = self.others.share();
        if share == Share::NONE {
            self.whole = None;
        } else if self.whole.is_none() {
            let mut whole = self.ledgers.clone();
            whole.refill_at(self.quota, now);
            self.whole = Some(whole);
        }
        let rest = share.rest_of(self.quota);
        self.ledgers.refill_at(rest, now);
    }

    /// The quota less what refusals of the last minute took off it, where they did.
    pub(super) fn learned(&self, now: Timestamp) -> Option<u64> {
        let recent = self.learned.iter().filter(|(at, _)| *at + LEARNED_FOR > now);
        let lost = recent.fold(0u64, |sum, (_, lost)| sum.saturating_add(*lost));
        (lost > 0).then(|| self.quota.saturating_sub(lost))
    }
}
