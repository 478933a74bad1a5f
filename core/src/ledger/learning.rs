//! What a quota's ledgers learn from calls that were accepted or refused.

use super::CallKey;
use super::demand::Leaves;
use super::kinds::{Kind, Kinds};
use super::ledgers::Ask;
use super::others::Share;
use super::pace::{Pace, Wish};
use super::probe::{Probe, Why};
use super::suspects::Suspects;
use crate::units::{Millis, Timestamp};

/// What a refusal upstream has taught counts this long.
pub(super) const LEARNED_FOR: Millis = Millis::from_secs(60);
/// One part of so many of the quota is not known for certain either.
const UNSURE: u64 = 200;
/// How many times what is not known explains a refusal: some was given back since the call went.
const EXPLAINED: u64 = 3;
/// So long after one refusal was explained by it, the next is not.
const EXPLAINS_AGAIN: Millis = Millis::from_secs(90);
/// In percent of the quota.
const DEBT_OF_BUCKETS: i128 = 7;

/// What became of a refused call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Taught {
    /// It was let go to see whether it would be: nothing is wrong.
    Answered,
    /// Something is.
    Unexplained,
}

impl Pace {
    /// After [`Pace::may_go`]: takes it.
    pub(super) fn hold(&mut self, now: Timestamp, key: CallKey, wish: Wish) {
        if !self.admits(now, wish) {
            let ask = self.ask(now, wish, 0);
            let left = self.binding(now);
            let plain = Ask { kept: 0, ..ask };
            let refuse = left.such(|kind| !self.ledgers.admits(kind, now, now, plain));
            let admit = left.without(refuse);
            let identifies = self
                .suspects
                .as_ref()
                .is_some_and(|suspects| suspects.may_probe(now, self.probes.len()));
            let asks = !admit.is_empty() && !refuse.is_empty();
            let why = if identifies && asks && !self.others.are_there() {
                Why::Limiter {
                    refuse,
                    admit,
                    round: self.suspects.as_ref().map_or(0, Suspects::round),
                }
            } else {
                Why::Others
            };
            self.probes.push(Probe::new(key, why));
        }
        self.reserve(now, wish.amount);
        if wish.leaves == Leaves::Nothing {
            self.lately.takes(now, wish.amount);
        }
        if let Some(suspects) = &mut self.suspects {
            suspects.went(now);
        }
    }

    /// A call is about to be charged: if it is the probe, what would surely have refused it is noted.
    pub(super) fn starts(&mut self, now: Timestamp, key: CallKey, amount: u64) {
        let unsure = self.unsure(now, 0).saturating_add(self.quota / UNSURE);
        let Some(probe) = self.probes.iter_mut().find(|probe| probe.is(key)) else {
            return;
        };
        // Bedrock hears of it up to two round trips later, and has refilled by then.
        let refill = u128::from(self.quota) * u128::from(self.round_trip.get() * 2) / 60_000;
        let spare = i128::try_from(refill + u128::from(unsure)).unwrap_or(i128::MAX);
        let margins = self
            .suspects
            .as_ref()
            .map(|suspects| Kind::ALL.map(|kind| suspects.sure.free(kind, now) + spare - i128::from(amount)));
        probe.started(now, margins);
    }

    /// Time has passed: what was not refused by now was accepted.
    pub(super) fn look(&mut self, now: Timestamp) {
        if let Some(suspects) = &mut self.suspects {
            suspects.ramp.look(now);
        }
        while let Some(place) = self.probes.iter().position(|probe| probe.known_at() <= now) {
            let probe = self.probes.remove(place);
            self.accepted(now, &probe);
        }
    }

    /// A call is over that was not refused (`ran`), or was never made.
    pub(super) fn over(&mut self, now: Timestamp, key: CallKey, ran: bool) {
        if let Some(probe) = self.take_probe(key).filter(|_| ran) {
            self.accepted(now, &probe);
        }
    }

    fn take_probe(&mut self, key: CallKey) -> Option<Probe> {
        let place = self.probes.iter().position(|probe| probe.is(key))?;
        Some(self.probes.remove(place))
    }

    fn accepted(&mut self, now: Timestamp, probe: &Probe) {
        let mut ruled_out = Kinds::NONE;
        match probe.why() {
            Why::Others => {
                self.others.accepted(now);
                self.rescale(now);
            }
            Why::Limiter { refuse, round, .. } => {
                ruled_out = refuse.such(|kind| probe.contradicts(kind));
                if let Some(suspects) = &mut self.suspects {
                    suspects.accepted(now, ruled_out, round);
                }
            }
        }
        self.presumed = Some((probe.key(), ruled_out));
    }

    /// A call of `amount` that was let go at `released` was refused upstream by this quota; `again`: soon after another.
    pub(super) fn refused(
        &mut self,
        now: Timestamp,
        key: CallKey,
        released: Timestamp,
        amount: u64,
        again: bool,
    ) -> Taught {
        if let (Some(suspects), Some((_, ruled_out))) = (
            &mut self.suspects,
            self.presumed.take_if(|(presumed, _)| *presumed == key),
        ) {
            suspects.reinstate(ruled_out);
        }
        match self.take_probe(key).map(|probe| probe.why()) {
            Some(Why::Limiter { admit, .. }) if !self.others.are_there() => {
                if let Some(suspects) = &mut self.suspects {
                    suspects.suspend(now, admit);
                }
                return Taught::Answered;
            }
            Some(Why::Others) => {
                self.others.probe_refused(now);
                self.rescale(now);
                self.learn(now, amount, true);
                return Taught::Unexplained;
            }
            _ => {}
        }
        if let Some(suspects) = &mut self.suspects {
            suspects.surprised();
        }
        if self.is_estimates_fault(now, released, amount) {
            self.learn(now, amount, false);
            return Taught::Unexplained;
        }
        if self.reinstates(now, amount) {
            return Taught::Unexplained;
        }
        let used = self.ledgers.sliding.used(now).saturating_add(amount);
        let measured = Share::missing(used, self.quota);
        let failed = self.others.refused(now, released, measured);
        self.rescale(now);
        self.learn(now, amount, again || failed);
        Taught::Unexplained
    }

    /// Whether what is not known for certain explains the refusal of a call that was let go at `released`: a window had so
    /// little left. Once in a while, and for all that were on their way together; what goes on needs another reason.
    fn is_estimates_fault(&mut self, now: Timestamp, released: Timestamp, amount: u64) -> bool {
        let left = self.binding(now);
        if self.suspects.is_none() || self.others.are_there() || left == self.ledgers.kinds() {
            return false;
        }
        if let Some(last) = self.explained.filter(|last| now.since(*last) < EXPLAINS_AGAIN) {
            return released <= last;
        }
        let unsure = self.unsure(now, amount).saturating_add(self.quota / UNSURE);
        let taken =
            u128::from(self.undated) + u128::from(amount) + u128::from(unsure) * u128::from(EXPLAINED);
        let taken = i128::try_from(taken).unwrap_or(i128::MAX);
        let windows = left.within(Kinds::WINDOWS);
        let explains = windows.iter().any(|kind| self.ledgers.free(kind, now) < taken);
        if explains {
            self.explained = Some(now);
        }
        explains
    }

    /// A call was refused that all who are left would have admitted: those who would not have are suspects again.
    fn reinstates(&mut self, now: Timestamp, amount: u64) -> bool {
        let left = self.binding(now);
        let leaves = Leaves::Nothing;
        let ask = self.ask(now, Wish { amount, leaves }, 0);
        let dropped = self.ledgers.kinds().without(left);
        let refuse = dropped.such(|kind| !self.ledgers.admits(kind, now, now, ask));
        if refuse.is_empty() || self.others.are_there() {
            return false;
        }
        match &mut self.suspects {
            Some(suspects) => suspects.reinstate(refuse),
            None => self.doubts.raise(now, refuse),
        }
        true
    }

    /// Learns from a refusal of `amount`: the ledger with the least margin had more in it than there was.
    ///
    /// Only that one is lowered, to just below what was refused: lowering all of them starves the lane. A
    /// refusal soon after another (`again`) costs a debt besides, because someone else uses the quota.
    fn learn(&mut self, now: Timestamp, amount: u64, again: bool) {
        let binding = self.binding(now);
        let least = binding.iter().min_by_key(|kind| self.ledgers.free(*kind, now));
        // Where others take a share, the first of them that there is paces the lane: a debt in a window would count
        // for a whole minute, beside the share.
        let first = binding.iter().next().filter(|_| self.others.are_there());
        let Some(kind) = first.or(least) else { return };
        let quota = i128::from(self.quota);
        let debt = match kind {
            Kind::ShortBucket | Kind::LongBucket => quota * DEBT_OF_BUCKETS / 100,
            Kind::FixedMinute | Kind::SlidingMinute => quota / 100,
        };
        let just_below = i128::from(amount) * 98 / 100 + i128::from(self.undated);
        let most = just_below - if again { debt } else { 0 };
        let lost = self.ledgers.lower(kind, now, most);
        while self
            .learned
            .front()
            .is_some_and(|(at, _)| *at + LEARNED_FOR <= now)
        {
            self.learned.pop_front();
        }
        if lost > 0 {
            self.learned.push_back((now, lost));
        }
    }
}
