//! Pacing against every kind of limiter: bursts of three times the quota, backlogs, other clients, a wrong quota.

mod bed;
mod greedy;
mod table;
mod workload;

use crate::config::Pacing;
use crate::ledger::tests::limiters::{KINDS, Kind};
use bed::{Bed, Figures};
use workload::Workload;

fn against_all(seeds: u64, bed: impl Fn(Kind) -> Bed) -> Vec<Figures> {
    let one = |kind| {
        let figures = bed(kind).figures(seeds);
        println!("{kind:?} {figures}");
        figures
    };
    KINDS.into_iter().map(one).collect()
}

fn auto(workload: Workload) -> impl Fn(Kind) -> Bed {
    move |kind| Bed::new(Pacing::Auto, kind, workload)
}

#[test]
fn burst_a_is_never_throttled_and_uses_the_quota() {
    for seen in against_all(4, auto(Workload::A)) {
        assert!(seen.throttled == 0.0, "{seen:?}");
        assert!(seen.to_last_release >= 97.0, "{seen:?}");
        assert!(seen.waits_p95 <= 250 && seen.waits_worst <= 2_000, "{seen:?}");
    }
}

#[test]
fn burst_b_is_never_throttled_and_uses_the_quota() {
    for seen in against_all(2, auto(Workload::B)) {
        assert!(seen.throttled == 0.0, "{seen:?}");
        assert!(seen.to_last_release >= 97.0, "{seen:?}");
        assert!(seen.waits_p95 <= 500 && seen.waits_worst <= 2_000, "{seen:?}");
    }
}

/// A call that costs far more than it reserved can take what one on its way was counted on: with a way to go,
/// refusals are rare instead of none.
#[test]
fn a_burst_over_a_slow_network_is_hardly_ever_throttled() {
    for seen in against_all(4, |kind| auto(Workload::A)(kind).far_away()) {
        assert!(seen.throttled <= 0.5, "{seen:?}");
        assert!(seen.to_last_release >= 97.0, "{seen:?}");
    }
}

#[test]
fn an_unbroken_backlog_is_hardly_ever_throttled_and_uses_the_quota() {
    for seen in against_all(2, |kind| auto(Workload::D(10))(kind).far_away()) {
        assert!(seen.throttled <= 0.2, "{seen:?}");
        assert!(seen.utilisation >= 96.0, "{seen:?}");
    }
}

#[test]
fn arrivals_below_the_quota_hardly_wait() {
    for seen in against_all(1, |kind| auto(Workload::C)(kind).far_away()) {
        assert!(seen.throttled <= 0.2, "{seen:?}");
        assert!(seen.waits_p95 <= 250, "{seen:?}");
        assert!(seen.over_bound <= 1.05, "{seen:?}");
    }
}

/// A minute upstream turns later than here.
#[test]
fn a_limiter_whose_clock_is_behind_refuses_hardly_anything() {
    for law in [Pacing::Auto, Pacing::Eager] {
        let seen = Bed::new(law, Kind::Fixed, Workload::D(5)).late().figures(2);
        assert!(seen.throttled <= 0.3, "{law:?} {seen:?}");
        assert!(seen.utilisation >= 95.0, "{law:?} {seen:?}");
    }
}

#[test]
fn another_client_is_lived_with_and_forgotten_when_it_goes() {
    for seen in against_all(1, |kind| {
        auto(Workload::D(30))(kind).far_away().beside(table::CLIENT)
    }) {
        let it = seen.times.unwrap();
        assert!(it.throttled <= 2.5, "{seen:?}");
        assert!(it.meanwhile >= 50.0, "{seen:?}");
        assert!(
            it.adapted_worst <= 120.0 && it.recovered_worst <= 90.0,
            "{seen:?}"
        );
    }
}

#[test]
fn a_quota_believed_too_large_costs_few_refusals() {
    for seen in against_all(2, |kind| auto(Workload::D(10))(kind).far_away().believing(110)) {
        assert!(seen.throttled <= 1.0, "{seen:?}");
        assert!(seen.utilisation >= 90.0, "{seen:?}");
    }
}

#[test]
fn eager_drains_about_as_fast_as_one_who_knows_the_limiter() {
    for workload in [Workload::A, Workload::B] {
        for seen in against_all(2, |kind| Bed::new(Pacing::Eager, kind, workload).far_away()) {
            assert!(seen.throttled <= 1.2, "{seen:?}");
            assert!(seen.over_bound <= 1.15, "{seen:?}");
            assert!(seen.waits_p95 <= 1_000, "{seen:?}");
        }
    }
}

/// Where refusals say again and again that nothing found out holds, it paces as `auto` does.
#[test]
fn eager_beside_another_client_is_as_careful_as_auto_before_long() {
    for seen in against_all(1, |kind| {
        let bed = Bed::new(Pacing::Eager, kind, Workload::D(20));
        bed.far_away().beside(table::CLIENT)
    }) {
        let it = seen.times.unwrap();
        assert!(it.throttled <= 5.0 && it.settled <= 2.3, "{seen:?}");
        assert!(it.meanwhile >= 50.0, "{seen:?}");
    }
}

/// An input is an estimate until it was counted upstream: a window that is taken to have room may have none.
#[test]
fn eager_finds_the_limiter_although_inputs_are_estimates() {
    for workload in [Workload::A, Workload::B] {
        for seen in against_all(2, |kind| {
            let bed = Bed::new(Pacing::Eager, kind, workload);
            bed.far_away().estimating(table::ESTIMATES)
        }) {
            assert!(seen.throttled <= 1.2, "{seen:?}");
            assert!(seen.over_bound <= 1.15, "{seen:?}");
            assert!(seen.waits_p95 <= 1_000, "{seen:?}");
        }
    }
}

#[test]
fn bursts_of_estimated_inputs_are_hardly_ever_throttled() {
    for workload in [Workload::A, Workload::B] {
        for seen in against_all(2, |kind| {
            auto(workload)(kind).far_away().estimating(table::ESTIMATES)
        }) {
            assert!(seen.throttled <= 0.5, "{seen:?}");
            assert!(seen.to_last_release >= 97.0, "{seen:?}");
        }
    }
}
