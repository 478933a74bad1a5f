//! What the ledger admits, a limiter upstream admits too.

use super::limiters::{KINDS, Kind, Limiter};
use super::{at, key, lane, ledger, tokens};
use crate::config::{LaneConfig, Pacing};
use crate::ledger::ledgers::Ledgers;
use crate::ledger::{Demand, Ledger, Margins};
use crate::scheduler::tests::world::START;
use crate::throttle::ThrottleCause;
use crate::units::Millis;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{RngAlgorithm, TestRng, TestRunner};

/// One thing that happens to a lane.
#[derive(Debug, Clone)]
enum Act {
    /// Time passes, in milliseconds.
    Pass(u64),
    /// A call is asked for, in thousandths of the quota; it starts so many milliseconds after its release, and so many
    /// percent of what it reserves are not taken then.
    Ask(u64, u64, u64),
    /// The n-th open call ends, having cost so many percent of what it reserved.
    End(usize, u64),
    /// The n-th open call was never made.
    Drop(usize),
    /// The next call that starts is refused by somebody, for requests or for tokens, although the quota has room.
    Odd(bool),
    /// Another holder takes the lane, with what this one leaves and has learned.
    Next,
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        3 => (0u64..400).prop_map(Act::Pass),
        1 => (0u64..15_000).prop_map(Act::Pass),
        8 => (1u64..60, Just(0u64), surplus()).prop_map(|(size, late, surplus)| Act::Ask(size, late, surplus)),
        2 => (1u64..300, 0u64..1_500, surplus())
            .prop_map(|(size, late, surplus)| Act::Ask(size, late, surplus)),
        6 => (any::<usize>(), 0u64..150).prop_map(|(which, percent)| Act::End(which, percent)),
        1 => any::<usize>().prop_map(Act::Drop),
    ]
}

/// Most calls are expected to cost no more than what their start takes.
fn surplus() -> impl Strategy<Value = u64> {
    prop_oneof![3 => Just(0u64), 1 => 1u64..95]
}

/// The same, with refusals that nothing explains and changes of holder.
fn odd_act() -> impl Strategy<Value = Act> {
    prop_oneof![
        24 => act(),
        2 => any::<bool>().prop_map(Act::Odd),
        1 => Just(Act::Next),
    ]
}

/// A fault that is built in on purpose: the promise has to find it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Broken {
    /// What is let go to see whether others are still there may go beyond the quota.
    AsksBeyondTheQuota,
    /// The next holder takes up what was learned, and not what was charged.
    ChargesNotLeft,
}

struct OpenCall {
    number: u64,
    reserved: u64,
    /// What its start takes.
    taken: u64,
    starts: u64,
    started: bool,
}

/// A lane and the limiter before which its calls come.
struct Play {
    lane: LaneConfig,
    ledger: Ledger,
    limiter: Limiter,
    quota: u64,
    now: u64,
    open: Vec<OpenCall>,
    admitted: u64,
    odd: Option<ThrottleCause>,
    broken: Option<Broken>,
}

impl Play {
    /// Forgets what was charged to the ledgers by which the others are asked after.
    fn asks_beyond_the_quota(&mut self) {
        let now = at(self.now);
        for pace in std::iter::once(&mut self.ledger.tokens).chain(&mut self.ledger.requests) {
            let quota = pace.quota;
            let fresh = || Ledgers::below(quota, Pacing::Auto, &Margins::default(), now);
            pace.whole = pace.whole.take().map(|_| fresh());
        }
    }

    fn act(&mut self, number: u64, act: &Act) -> Result<(), String> {
        match act {
            Act::Pass(span) => {
                self.start_until(self.now + span)?;
                self.now += span;
            }
            Act::Ask(size, late, surplus) => {
                let reserved = (self.quota * size / 1_000).max(1);
                self.ask(number, reserved, reserved * surplus / 100, *late)?;
            }
            Act::End(which, percent) if !self.open.is_empty() => {
                let call = self.open.remove(which % self.open.len());
                self.end(&call, *percent);
            }
            Act::Drop(which) if !self.open.is_empty() => {
                let index = which % self.open.len();
                if !self.open[index].started {
                    let call = self.open.remove(index);
                    self.end(&call, 0);
                }
            }
            Act::End(..) | Act::Drop(_) => {}
            Act::Odd(true) => self.odd = Some(ThrottleCause::Requests),
            Act::Odd(false) => self.odd = Some(ThrottleCause::Tokens),
            Act::Next => {
                let now = at(self.now);
                let mut next = Ledger::new(&self.lane, Margins::default(), now);
                next.remember(now, &self.ledger.memory());
                if self.broken != Some(Broken::ChargesNotLeft) {
                    next.resume(now, &self.ledger.snapshot(now), Millis::ZERO);
                }
                self.ledger = next;
            }
        }
        if self.broken == Some(Broken::AsksBeyondTheQuota) {
            self.asks_beyond_the_quota();
        }
        Ok(())
    }

    fn ask(&mut self, number: u64, reserved: u64, surplus: u64, late: u64) -> Result<(), String> {
        let demand = Demand::from(tokens(reserved)).with_surplus(tokens(surplus));
        let asked = self.ledger.reserve(at(self.now), key(number), demand);
        if asked.is_ok() {
            self.admitted += 1;
            self.open.push(OpenCall {
                number,
                reserved,
                taken: reserved - surplus,
                starts: self.now + late,
                started: false,
            });
        }
        self.start_until(self.now)
    }

    fn start_until(&mut self, end: u64) -> Result<(), String> {
        self.open.sort_by_key(|call| call.starts);
        for call in self
            .open
            .iter_mut()
            .filter(|call| !call.started && call.starts <= end)
        {
            call.started = true;
            let (when, key) = (call.starts, key(call.number));
            self.ledger.started(at(when), key, at(when));
            if let Some(cause) = self.odd.take() {
                self.ledger.refused(at(when), key, cause);
                call.reserved = 0;
            } else if !self.limiter.admit(START + when, key, call.taken) {
                let had = self.limiter.free(START + when);
                return Err(format!("refused {} at {when}, it had {had:?}", call.taken));
            }
        }
        // Those that were refused for nothing.
        self.open.retain(|call| call.reserved > 0);
        Ok(())
    }

    fn end(&mut self, call: &OpenCall, percent: u64) {
        let key = key(call.number);
        if !call.started {
            self.ledger.release(at(self.now), key);
            return;
        }
        // An excess may take what a released call that has not come upstream yet was counted on; no ledger
        // can know. Everything else must hold.
        let held = self.open.iter().any(|call| !call.started);
        let percent = if held { percent.min(100) } else { percent };
        let actual = call.reserved * percent / 100;
        self.ledger.settle(at(self.now), key, tokens(actual));
        self.limiter.settle(START + self.now, key, call.taken, actual);
    }
}

/// Plays the acts against the ledger and a limiter; the number of admissions.
fn play(pacing: Pacing, kind: Kind, quota: u64, requests: Option<u64>, acts: &[Act]) -> Result<u64, String> {
    play_with(None, pacing, kind, (quota, requests), acts)
}

fn play_with(
    broken: Option<Broken>,
    pacing: Pacing,
    kind: Kind,
    (quota, requests): (u64, Option<u64>),
    acts: &[Act],
) -> Result<u64, String> {
    let lane = lane(quota, requests, pacing);
    let mut play = Play {
        ledger: ledger(&lane),
        lane,
        limiter: Limiter::new(kind, quota, requests),
        quota,
        now: 0,
        open: Vec::new(),
        admitted: 0,
        odd: None,
        broken,
    };
    for (number, act) in acts.iter().enumerate() {
        play.act(number as u64, act)?;
        let open: u64 = play.ledger.open.values().map(|open| open.tokens).sum();
        if play.ledger.tokens.reserved != open {
            return Err(format!(
                "{} reserved, {open} by calls under way",
                play.ledger.tokens.reserved
            ));
        }
    }
    Ok(play.admitted)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, fork: false, ..ProptestConfig::default() })]

    #[test]
    fn auto_is_never_refused_by_any_limiter(
        acts in prop::collection::vec(act(), 1..500),
        quota in prop_oneof![Just(60_000u64), 7_001u64..2_000_000],
        requests in prop_oneof![Just(None), (40u64..900).prop_map(Some)],
    ) {
        for kind in KINDS {
            let played = play(Pacing::Auto, kind, quota, requests, &acts_below_the_burst(&acts, kind));
            prop_assert!(played.is_ok(), "{:?}: {:?}", kind, played);
        }
    }

    /// What is learned of others only ever holds back: also what is let go to see whether they are still there is
    /// within the quota, in tokens and in requests.
    #[test]
    fn whatever_is_refused_and_whoever_holds_the_lane_auto_never_goes_beyond_the_quota(
        acts in prop::collection::vec(odd_act(), 1..700),
        quota in prop_oneof![Just(60_000u64), 7_001u64..2_000_000],
        requests in prop_oneof![Just(None), (40u64..900).prop_map(Some)],
    ) {
        for kind in KINDS {
            let played = play(Pacing::Auto, kind, quota, requests, &acts_below_the_burst(&acts, kind));
            prop_assert!(played.is_ok(), "{:?}: {:?}", kind, played);
        }
    }

    #[test]
    fn one_ledger_is_never_refused_by_its_own_limiter(acts in prop::collection::vec(act(), 1..500)) {
        let pairs = [
            (Pacing::Window, Kind::Sliding),
            (Pacing::Window, Kind::Fixed),
            (Pacing::Bucket { seconds: 10 }, Kind::Bucket(10)),
            (Pacing::Bucket { seconds: 60 }, Kind::Bucket(60)),
            (Pacing::Bucket { seconds: 25 }, Kind::Bucket(25)),
        ];
        for (pacing, kind) in pairs {
            let played = play(pacing, kind, 300_000, Some(600), &acts_below_the_burst(&acts, kind));
            prop_assert!(played.is_ok(), "{:?}: {:?}", kind, played);
        }
    }
}

/// Auto's promise in the face of odd refusals and changes of holder is one that can be broken.
#[test]
fn what_goes_beyond_the_quota_is_found() {
    for broken in [Broken::AsksBeyondTheQuota, Broken::ChargesNotLeft] {
        let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
        let mut runner = TestRunner::new_with_rng(ProptestConfig::default(), rng);
        let acts = prop::collection::vec(odd_act(), 300..700);
        let finds = (0..60).any(|_| {
            let acts = acts.new_tree(&mut runner).unwrap().current();
            KINDS.into_iter().any(|kind| {
                let acts = acts_below_the_burst(&acts, kind);
                play_with(Some(broken), Pacing::Auto, kind, (60_000, None), &acts).is_err()
            })
        });
        assert!(finds, "{broken:?} goes unnoticed");
    }
}

/// A request above a limiter's burst is refused by it whatever is done; such ones are made smaller here.
fn acts_below_the_burst(acts: &[Act], kind: Kind) -> Vec<Act> {
    let most = match kind {
        Kind::Bucket(seconds) => (seconds * 1_000 / 60) * 97 / 100,
        Kind::Fixed | Kind::Sliding => 1_000,
    };
    let smaller = |act: &Act| match act {
        Act::Ask(size, late, surplus) => Act::Ask(1 + size % most, *late, *surplus),
        other => other.clone(),
    };
    acts.iter().map(smaller).collect()
}

#[test]
fn an_unused_quota_is_there_at_once_and_in_full() {
    for (pacing, most) in [
        (Pacing::Auto, 98_000),
        (Pacing::Window, 600_000),
        (Pacing::Bucket { seconds: 30 }, 294_000),
    ] {
        let mut ledger = ledger(&lane(600_000, None, pacing));
        assert_eq!(ledger.burst(), tokens(most), "{pacing:?}");
        assert_eq!(ledger.reserve(at(0), key(1), tokens(most)), Ok(()), "{pacing:?}");
        assert!(
            ledger.reserve(at(0), key(2), tokens(1_000)).is_err(),
            "{pacing:?}"
        );
    }
}

#[test]
fn near_a_minutes_turn_a_charge_counts_in_both_minutes() {
    let turn = super::next_minute();
    let mut fixed = super::super::fixed::Fixed::empty(100, crate::units::Millis::new(500));
    fixed.charge(at(turn - 400), 70);
    assert_eq!(fixed.free(at(turn - 600)), 30);
    assert_eq!(fixed.free(at(turn + 600)), 30);
    fixed.credit(at(turn - 400), 20);
    assert_eq!(fixed.free(at(turn + 30_000)), 50);
    let ask = super::super::ledgers::Ask {
        amount: 60,
        taken: 0,
        reserved: 0,
        kept: 0,
    };
    assert_eq!(fixed.earliest(at(turn), ask), at(turn + 60_500));
    fixed.charge(at(turn + 1_000), 10);
    assert_eq!(fixed.free(at(turn + 60_500)), 100);
}

/// An answer that takes long, of a call whose start took less than it may cost in the end: by its end both buckets have
/// long been full again, and what was only held is no more to be given back than what was taken.
#[test]
fn what_a_start_does_not_take_is_not_given_back_to_a_bucket_that_never_lacked_it() {
    let mut ledger = ledger(&lane(60_000, None, Pacing::Bucket { seconds: 10 }));
    let demand = Demand::from(tokens(5_000)).with_surplus(tokens(4_000));
    assert_eq!(ledger.reserve(at(0), key(1), demand), Ok(()));
    ledger.started(at(0), key(1), at(0));
    assert!(
        ledger.reserve(at(0), key(2), tokens(4_801)).is_err(),
        "all of it counts"
    );
    assert_eq!(ledger.reserve(at(30_000), key(3), tokens(5_800)), Ok(()));
    ledger.started(at(30_000), key(3), at(30_000));
    assert!(ledger.reserve(at(30_000), key(4), tokens(1)).is_err());
    let mut next = Ledger::new(
        &lane(60_000, None, Pacing::Bucket { seconds: 10 }),
        Margins::default(),
        at(30_000),
    );
    next.resume(at(30_000), &ledger.snapshot(at(30_000)), Millis::ZERO);
    for ledger in [&mut ledger, &mut next] {
        ledger.settle(at(30_000), key(1), tokens(1_000));
        assert!(ledger.reserve(at(30_000), key(5), tokens(4_001)).is_err());
        assert_eq!(ledger.reserve(at(30_000), key(5), tokens(4_000)), Ok(()));
    }
}
