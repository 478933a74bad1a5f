//! A refusal's moment is exact, and a promise that is said to be kept is kept.

use super::{at, key, lane, ledger, tokens};
use crate::config::Pacing;
use crate::ledger::{Demand, Ledger, Wait};
use crate::request::Priority;
use proptest::prelude::*;

/// A ledger with a past: for `eager`, in two of three a sliding minute was found, or some minute; shares that others were
/// found to take; calls of some size, started and settled or not.
fn with_past(pacing: Pacing, others: (u64, u64), past: &[(u64, u64, bool)]) -> (Ledger, u64) {
    let mut ledger = ledger(&lane(600_000, Some(600), pacing));
    let (of_tokens, of_requests) = others;
    let found = match past.len() % 3 {
        0 if pacing == Pacing::Eager => r#","x":3,"s":4"#,
        1 if pacing == Pacing::Eager => r#","x":3"#,
        _ => "",
    };
    let known = format!(r#"{{"t":{{"o":{of_tokens}{found}}},"r":{{"o":{of_requests}}}}}"#);
    ledger.remember(at(0), &serde_json::from_str(&known).unwrap());
    let mut now = 0;
    for (number, (wait, size, over)) in past.iter().enumerate() {
        now += wait;
        let key = key(number as u64);
        if ledger.reserve(at(now), key, tokens(*size)).is_ok() {
            ledger.started(at(now), key, at(now));
            if *over {
                ledger.settle(at(now), key, tokens(size / 3));
            }
        }
    }
    (ledger, now)
}

fn pacing() -> impl Strategy<Value = Pacing> {
    prop_oneof![
        3 => Just(Pacing::Auto),
        2 => Just(Pacing::Eager),
        1 => Just(Pacing::Window),
        1 => Just(Pacing::Bucket { seconds: 10 }),
    ]
}

fn past() -> impl Strategy<Value = Vec<(u64, u64, bool)>> {
    prop::collection::vec((0u64..900, 1u64..30_000, any::<bool>()), 0..120)
}

/// Of tokens, and of requests.
fn others() -> impl Strategy<Value = (u64, u64)> {
    let share = || prop_oneof![2 => Just(0u64), 1 => (2u64..=60).prop_map(|percent| percent * 100)];
    (share(), share())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    /// A probe under way is looked at again when it is known what became of it: then there may be a later moment.
    #[test]
    fn a_refusal_names_the_first_moment(
        pacing in pacing(), others in others(), past in past(), size in 1u64..400_000,
    ) {
        let eager = pacing == Pacing::Eager;
        let (mut ledger, now) = with_past(pacing, others, &past);
        let is_exact = !eager && others == (0, 0);
        let (mut now, mut looks) = (at(now), 0);
        while let Err(wait) = ledger.reserve(now, key(9_999), tokens(size)) {
            let Wait::Until(when) = wait else {
                return Err(TestCaseError::fail(format!("{wait:?}")));
            };
            prop_assert!(when > now);
            let before = when.before(crate::units::Millis::new(1));
            prop_assert!(ledger.clone().reserve(before, key(9_999), tokens(size)).is_err());
            looks += 1;
            prop_assert!(looks <= if is_exact { 1 } else { 20 }, "looked so often, at last at {}", when);
            now = when;
        }
    }

    #[test]
    fn a_promise_said_to_be_kept_is_kept(
        pacing in pacing(),
        past in past(),
        promised in (1u64..300_000, any::<bool>(), any::<bool>()),
        other in (1u64..50_000, any::<bool>()),
        starts_after in 0u64..5_000,
    ) {
        let (mut ledger, now) = with_past(pacing, (0, 0), &past);
        let of = |size, is_urgent| {
            let priority = if is_urgent { Priority::Interactive } else { Priority::Batch };
            Demand::of(tokens(size), priority)
        };
        let (size, is_urgent, is_of_few) = promised;
        let promised = of(size, is_urgent);
        let promised = if is_of_few { promised.of_few() } else { promised };
        let other = of(other.0, other.1);
        let Err(Wait::Until(when)) = ledger.reserve(at(now), key(9_999), promised) else {
            return Ok(());
        };
        if ledger.keeps(at(now), when, promised, other) && ledger.reserve(at(now), key(8_888), other).is_ok() {
            if at(now + starts_after) < when {
                ledger.started(at(now + starts_after), key(8_888), at(now + starts_after));
            }
            prop_assert_eq!(ledger.reserve(when, key(9_999), promised), Ok(()));
        }
    }
}
