use super::*;
use crate::ids::{CallNo, RequestId};
use crate::model::ModelErrorKind as Kind;
use crate::throttle::ThrottleCause;
use proptest::prelude::*;

fn at(ms: u64) -> Timestamp {
    Timestamp::from_millis(1_000_000 + ms)
}

fn key(n: u8) -> CallKey {
    (RequestId::fresh(at(0), [n; 10]), CallNo::new(1))
}

/// 30 s, at least 4 calls, half of them failed; open for 5 s; two probes.
fn breaker() -> Breaker {
    Breaker::new(BreakerConfig {
        least_calls: 4,
        probes: 2,
        ..BreakerConfig::default()
    })
}

fn tell(breaker: &mut Breaker, ms: u64, health: CallHealth) -> bool {
    breaker.ended(at(ms), key(0), at(ms), health)
}

/// Opened at 40 ms.
fn opened() -> Breaker {
    let mut breaker = breaker();
    for ms in [10, 20, 30] {
        assert!(!tell(&mut breaker, ms, CallHealth::Failed));
    }
    assert!(tell(&mut breaker, 40, CallHealth::Failed));
    breaker
}

#[test]
fn it_opens_on_the_share_of_failures_and_not_before_enough_calls() {
    let mut breaker = opened();
    assert_eq!(breaker.phase(), Phase::Open);
    assert!(!breaker.view(at(50)).admits && breaker.view(at(5_040)).admits);
    assert_eq!(breaker.gate(at(50)), Gate::Shut(Some(at(5_040))));
    assert_eq!(breaker.view(at(50)).opened, 1);
}

#[test]
fn a_minority_of_failures_leaves_it_closed() {
    let mut breaker = breaker();
    for ms in 0..100 {
        let health = if ms % 3 == 2 {
            CallHealth::Failed
        } else {
            CallHealth::Fine
        };
        assert!(!tell(&mut breaker, 1_000 + ms * 5, health), "opened at call {ms}");
    }
    assert_eq!(breaker.gate(at(2_000)), Gate::Go);
}

#[test]
fn slow_calls_open_it_by_a_rate_of_their_own() {
    let mut breaker = breaker();
    for ms in [1, 2, 3] {
        assert!(!tell(&mut breaker, ms, CallHealth::Slow));
    }
    assert!(tell(&mut breaker, 4, CallHealth::Slow));
}

#[test]
fn throttles_say_nothing() {
    let mut breaker = breaker();
    for ms in 0..1_000 {
        assert!(!tell(&mut breaker, ms, CallHealth::Unknown));
    }
    assert_eq!(breaker.view(at(1_000)).calls, 0);
}

#[test]
fn what_is_older_than_the_window_is_forgotten() {
    let mut breaker = breaker();
    for ms in [0, 1, 2] {
        tell(&mut breaker, ms, CallHealth::Failed);
    }
    assert!(!tell(&mut breaker, 31_000, CallHealth::Failed));
    assert_eq!(breaker.view(at(31_000)).calls, 1);
}

#[test]
fn half_open_lets_only_its_probes_go_and_closes_when_all_succeed() {
    let mut breaker = opened();
    assert_eq!(breaker.gate(at(5_040)), Gate::Probe);
    breaker.released(key(1));
    assert_eq!(breaker.gate(at(5_041)), Gate::Probe);
    breaker.released(key(2));
    assert_eq!(breaker.gate(at(5_042)), Gate::Shut(None));
    // One that began before it opened says nothing about now.
    assert!(!breaker.ended(at(5_043), key(9), at(0), CallHealth::Failed));
    assert!(!breaker.ended(at(5_050), key(1), at(5_040), CallHealth::Fine));
    assert_eq!(
        breaker.gate(at(5_051)),
        Gate::Shut(None),
        "one probe is still out"
    );
    assert!(breaker.ended(at(5_060), key(2), at(5_041), CallHealth::Fine));
    assert_eq!(breaker.phase(), Phase::Closed);
    assert_eq!(breaker.gate(at(5_061)), Gate::Go);
    assert_eq!(breaker.view(at(5_061)).calls, 0, "it starts with a clean slate");
}

#[test]
fn a_failed_probe_opens_it_for_twice_as_long_up_to_four_times() {
    let mut breaker = opened();
    let mut now = 5_040;
    for wait in [10_000, 20_000, 20_000] {
        assert_eq!(breaker.gate(at(now)), Gate::Probe);
        breaker.released(key(1));
        assert!(breaker.ended(at(now), key(1), at(now), CallHealth::Failed));
        assert_eq!(breaker.gate(at(now)), Gate::Shut(Some(at(now + wait))));
        now += wait;
    }
}

#[test]
fn a_probe_that_says_nothing_or_was_never_made_makes_room_for_another() {
    let mut breaker = opened();
    for n in [1, 2] {
        assert_eq!(breaker.gate(at(5_040)), Gate::Probe);
        breaker.released(key(n));
    }
    breaker.void(key(1));
    assert_eq!(breaker.gate(at(5_041)), Gate::Probe);
    breaker.released(key(3));
    assert_eq!(breaker.gate(at(5_041)), Gate::Shut(None));
    assert!(!breaker.ended(at(5_042), key(2), at(5_040), CallHealth::Unknown));
    assert_eq!(breaker.gate(at(5_042)), Gate::Probe);
}

#[test]
fn by_hand_it_stays_as_it_was_put_until_it_is_given_back() {
    let mut breaker = breaker();
    breaker.set_by_hand(at(0), Some(Hand::Open));
    assert_eq!(breaker.gate(at(1_000_000)), Gate::Shut(None));
    assert!(breaker.view(at(0)).by_hand);
    breaker.set_by_hand(at(0), Some(Hand::Closed));
    for ms in 0..100 {
        assert!(!tell(&mut breaker, ms, CallHealth::Failed));
    }
    assert_eq!(breaker.gate(at(100)), Gate::Go);
    breaker.set_by_hand(at(100), None);
    assert_eq!(breaker.phase(), Phase::Closed);
    assert!(!breaker.view(at(100)).by_hand);
}

#[test]
fn it_is_taken_up_after_a_restart() {
    let breaker = opened();
    let mut next = self::breaker();
    next.restore(at(1_000), &breaker.memory());
    assert_eq!(next.gate(at(1_000)), Gate::Shut(Some(at(5_040))));
    assert_eq!(next.gate(at(5_040)), Gate::Probe);
    // Its second opening is the second still.
    next.released(key(1));
    next.ended(at(5_040), key(1), at(5_040), CallHealth::Failed);
    assert_eq!(next.gate(at(5_040)), Gate::Shut(Some(at(15_040))));
    // A time that only a wrong clock can have set is cut.
    let mut far = self::breaker();
    let memory = BreakerMemory {
        open_until: Some(at(999_000_000)),
        row: 1,
        hand: None,
    };
    far.restore(at(0), &memory);
    assert_eq!(far.gate(at(0)), Gate::Shut(Some(at(5_000))));
}

#[test]
fn what_a_call_met_tells_of_the_upstream() {
    let (quick, slow) = (Millis::new(10), Millis::from_secs(121));
    let most = BreakerConfig::default().slow_call;
    let rows = [
        (None, false, quick, CallHealth::Fine),
        (None, false, slow, CallHealth::Slow),
        (None, true, quick, CallHealth::Unknown),
        (None, true, slow, CallHealth::Slow),
        (Some(Kind::Internal), false, quick, CallHealth::Failed),
        (Some(Kind::Unavailable), false, quick, CallHealth::Failed),
        (Some(Kind::Stalled), false, slow, CallHealth::Failed),
        (Some(Kind::Validation), false, quick, CallHealth::Fine),
        (Some(Kind::Setup), false, quick, CallHealth::Unknown),
        (
            Some(Kind::Throttled(ThrottleCause::Tokens)),
            false,
            slow,
            CallHealth::Unknown,
        ),
    ];
    for (met, off, took, health) in rows {
        assert_eq!(health_of(met, off, took, most), health, "{met:?} {off} {took:?}");
    }
}

proptest! {
    /// Whatever happens: never more probes out than allowed, never a call while open, and it always finds back.
    #[test]
    fn open_it_admits_nothing_and_half_open_no_more_than_its_probes(
        steps in prop::collection::vec((0u64..3_000, 0u8..4), 1..300),
    ) {
        let mut breaker = breaker();
        let (mut now, mut next, mut out) = (0u64, 0u8, Vec::new());
        for (wait, health) in steps {
            now += wait;
            let gate = breaker.gate(at(now));
            if gate != Gate::Shut(None) && !matches!(gate, Gate::Shut(Some(_))) {
                next = next.wrapping_add(1);
                breaker.released(key(next));
                out.push((key(next), now));
            }
            if let Stand::HalfOpen { probing, succeeded } = &breaker.stand {
                prop_assert!(probing.len() as u64 + u64::from(*succeeded) <= 2);
            }
            if let Gate::Shut(Some(until)) = gate {
                prop_assert!(until > at(now) && until <= at(now) + Millis::from_secs(20));
            }
            if health < 3 && !out.is_empty() {
                let (key, started) = out.remove(usize::from(health) % out.len());
                let health = [CallHealth::Fine, CallHealth::Failed, CallHealth::Unknown][usize::from(health)];
                breaker.ended(at(now), key, at(started), health);
            }
        }
        // Calm: everything out ends well, then probes succeed.
        for (key, started) in out {
            breaker.ended(at(now), key, at(started), CallHealth::Fine);
        }
        for n in 0..20u8 {
            now += 20_000;
            if breaker.gate(at(now)) == Gate::Probe {
                breaker.released((key(n).0, CallNo::new(7)));
                breaker.ended(at(now), (key(n).0, CallNo::new(7)), at(now), CallHealth::Fine);
            }
        }
        prop_assert_eq!(breaker.phase(), Phase::Closed);
    }
}
