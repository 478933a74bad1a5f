//! Random histories, told to both: the same commands after each event, and everybody stands as far ahead of the others.

use super::super::world::{at, config, lane, tenant, waiting};
use super::Reference;
use super::both::Both;
use crate::breaker::{CallHealth, Hand};
use crate::config::{Admission, Bound, Limits, Pacing, PriorityWeights};
use crate::request::Priority;
use crate::scheduler::{SchedulerConfig, Waiting};
use crate::throttle::ThrottleCause;
use crate::units::{Millis, Timestamp, Tokens, TokensPerDay};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{RngAlgorithm, TestRng, TestRunner};

/// What happens next. Calls are named by their place among those under way, so that a history that is cut shorter
/// still makes sense.
#[derive(Debug, Clone)]
pub(super) enum Happening {
    Arrives(Box<Waiting>),
    /// It asks at the door first, and comes only if it may; or asks and never comes.
    Asks(Box<Waiting>, bool),
    /// A row that waits again is told of, as a refill or another holder would.
    ArrivesAgain(usize),
    Starts(usize, u64),
    Ends {
        which: usize,
        charged: u64,
        throttle: Option<ThrottleCause>,
        again: u8,
        later: u64,
        health: CallHealth,
    },
    NotClaimed(usize),
    Lapses(usize),
    IsVoid(usize),
    Leaves(u64),
    /// One that waits is found to cost otherwise: what it reserves, and the part of it that is expected.
    Costs(u64, u64, u64),
    Answers {
        more: bool,
    },
    Held(Option<Hand>),
    Settings(Box<SchedulerConfig>),
    /// Nothing, until the scheduler wants to be woken.
    Sleeps,
    Ticks,
}

const TENANTS: [&str; 5] = ["a", "b", "c", "d", "e"];

fn bound() -> impl Strategy<Value = Bound> {
    let requests = prop::option::weighted(0.3, 1u64..12);
    let tokens = prop::option::weighted(0.2, 1_000u64..60_000);
    (requests, tokens).prop_map(|(requests, tokens)| Bound {
        requests,
        tokens: tokens.map(Tokens::new),
    })
}

fn settings() -> impl Strategy<Value = SchedulerConfig> {
    let pacing = prop_oneof![
        Just(Pacing::Auto),
        Just(Pacing::Eager),
        Just(Pacing::Window),
        Just(Pacing::Bucket { seconds: 10 })
    ];
    let limits = (
        prop::option::of(30u64..200),
        prop::option::of(prop_oneof![70_000u64..150_000, 200_000u64..2_000_000]),
        1u32..12,
    );
    let shares = (
        prop::collection::vec(1u32..5, 5),
        prop::collection::vec(prop::option::weighted(0.4, 1u32..4), 5),
        1u32..80,
    );
    let view = (
        prop::option::of(1usize..6),
        prop_oneof![3 => Just(u64::MAX), 1 => 1u64..4],
    );
    let bounds = (
        prop::array::uniform5(bound()),
        prop::option::weighted(0.3, bound()),
        any::<bool>(),
        prop_oneof![Just(Admission::Flag), Just(Admission::Refuse)],
    );
    (pacing, limits, shares, view, bounds).prop_map(
        |(pacing, (requests, day, most), shares, view, bounds)| {
            let ([lane_bound, interactive, normal, batch, each], bounds, shed, admission) = bounds;
            let limits = Limits {
                lane: lane_bound,
                bands: [interactive, normal, batch],
                tenant: each,
                shed,
                admission,
            };
            let mut lane = lane(60_000, requests, pacing);
            lane.tokens_per_day = day.map(TokensPerDay::new);
            lane.max_concurrency = most;
            let mut config = config(lane);
            for (name, weight) in TENANTS.iter().zip(shares.0) {
                config.tenants.insert(tenant(name), weight);
            }
            for (name, cap) in TENANTS.iter().zip(shares.1) {
                config.caps.extend(cap.map(|cap| (tenant(name), cap)));
            }
            config.limits = limits;
            config
                .bounds
                .extend(bounds.map(|bound| (tenant(TENANTS[0]), bound)));
            config.priorities = PriorityWeights::new(shares.2, 25, 5).unwrap();
            config.window = view.0;
            config.handing.most_unclaimed = view.1;
            config
        },
    )
}

fn arrival() -> impl Strategy<Value = Waiting> {
    let size = prop_oneof![4 => 1u64..2_000, 2 => 2_000u64..9_000, 1 => 9_000u64..70_000];
    let moments = (
        prop::option::weighted(0.4, 100u64..60_000),
        prop::option::weighted(0.2, 100u64..30_000),
        prop::option::weighted(0.1, 1u64..9_000),
    );
    let flags = prop::array::uniform4(prop::bool::weighted(0.15));
    (0u64..60, 0usize..3, size, 0usize..5, moments, flags, 1u64..5).prop_map(
        |(number, band, size, who, (deadline, start, snooze), flags, part)| {
            let mut one = waiting(number, 0, Priority::ALL[band], size);
            one.tenant = tenant(TENANTS[who]);
            one.expected = Tokens::new(size.div_ceil(part));
            if part == 1 {
                one.surplus = Tokens::new(size * number / 80);
            }
            // Moments count from the arrival; it is put to its time when it happens.
            one.deadline = deadline.map(Timestamp::from_millis);
            one.latest_start = start.map(Timestamp::from_millis);
            one.not_before = snooze.map(Timestamp::from_millis);
            [one.retries, one.may_leave, one.has_next_lane, one.by_caller] = flags;
            one.has_next_lane &= one.may_leave;
            one
        },
    )
}

fn happening() -> impl Strategy<Value = Happening> {
    let which = || any::<usize>();
    let cause = prop_oneof![
        8 => Just(None),
        2 => prop::sample::select(ThrottleCause::ALL.to_vec()).prop_map(Some),
    ];
    let health = prop_oneof![
        8 => Just(CallHealth::Fine),
        1 => Just(CallHealth::Failed),
        1 => Just(CallHealth::Slow),
    ];
    let hand = prop_oneof![3 => Just(None), 1 => Just(Some(Hand::Open)), 1 => Just(Some(Hand::Closed))];
    prop_oneof![
        8 => arrival().prop_map(|one| Happening::Arrives(Box::new(one))),
        5 => (arrival(), prop::bool::weighted(0.8)).prop_map(|(one, comes)| Happening::Asks(Box::new(one), comes)),
        1 => which().prop_map(Happening::ArrivesAgain),
        8 => (which(), 0u64..2_000).prop_map(|(which, ago)| Happening::Starts(which, ago)),
        8 => (which(), 0u64..12_000, cause, 0u8..6, 0u64..4_000, health).prop_map(
            |(which, charged, throttle, again, later, health)| Happening::Ends {
                which, charged, throttle, again, later, health,
            }
        ),
        1 => which().prop_map(Happening::NotClaimed),
        1 => which().prop_map(Happening::Lapses),
        1 => which().prop_map(Happening::IsVoid),
        1 => (0u64..60).prop_map(Happening::Leaves),
        2 => (0u64..60, 1u64..9_000, 1u64..5).prop_map(|(number, reserve, part)| Happening::Costs(number, reserve, part)),
        2 => any::<bool>().prop_map(|more| Happening::Answers { more }),
        1 => hand.prop_map(Happening::Held),
        1 => settings().prop_map(|config| Happening::Settings(Box::new(config))),
        8 => Just(Happening::Sleeps),
        2 => Just(Happening::Ticks),
    ]
}

/// What a request of that reserve costs, of which a part is expected; of the rest half is not taken at the start.
pub(super) fn cost(reserve: u64, part: u64) -> (Tokens, Tokens, Tokens) {
    let expected = reserve.div_ceil(part);
    let surplus = (reserve - expected) / 2;
    (Tokens::new(reserve), Tokens::new(expected), Tokens::new(surplus))
}

/// Whether some history of these shows this fault in the plain one.
pub(crate) fn differ(fault: super::Fault) -> bool {
    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let mut runner = TestRunner::new_with_rng(ProptestConfig::default(), rng);
    (0..4_000).any(|_| {
        let histories = (settings(), any::<bool>(), history());
        let (config, found, history) = histories.new_tree(&mut runner).unwrap().current();
        let mut both = Both::with(&config, Reference::broken(config.clone(), at(0), fault));
        if found {
            both.has_found_a_window();
        }
        history.into_iter().any(|(pause, what)| {
            both.now = both.now + Millis::new(pause);
            both.happens(what).is_err()
        })
    })
}

fn history() -> impl Strategy<Value = Vec<(u64, Happening)>> {
    let pause = prop_oneof![6 => Just(0u64), 4 => 0u64..200, 1 => 0u64..20_000];
    prop::collection::vec((pause, happening()), 1..250)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn the_fast_one_does_what_the_plain_one_does(
        config in settings(), found in any::<bool>(), history in history()
    ) {
        let mut both = Both::with(&config, Reference::new(config.clone(), at(0)));
        if found {
            both.has_found_a_window();
        }
        for (pause, what) in history {
            both.now = both.now + Millis::new(pause);
            both.happens(what)?;
        }
    }
}
