//! Schedulers with a fault: each is found out by a promise that it does not keep, and the plain one without a fault
//! keeps them all.

use super::super::reference::{Fault, Reference};
use super::super::world::at;
use super::shares::sharing;
use super::turns::{blocked, crowd, deadlines_hold};
use crate::scheduler::SchedulerConfig;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

/// Cases in which a fault has to be found.
const CASES: usize = 24;

fn cases<T: std::fmt::Debug>(strategy: impl Strategy<Value = T>) -> Vec<T> {
    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    (0..CASES)
        .map(|_| strategy.new_tree(&mut runner).unwrap().current())
        .collect()
}

/// Whether a promise finds this fault, and finds nothing where there is none.
fn finds<T: std::fmt::Debug>(
    fault: Fault,
    strategy: impl Strategy<Value = T>,
    holds: impl Fn(&T, &dyn Fn(SchedulerConfig) -> Reference) -> Result<(), String>,
) {
    let broken = |config| Reference::broken(config, at(0), fault);
    let whole = |config| Reference::new(config, at(0));
    for case in cases(strategy) {
        if let Err(found) = holds(&case, &broken) {
            println!("{fault:?}: {found}");
            assert_eq!(holds(&case, &whole), Ok(()), "without a fault, in {case:?}");
            return;
        }
    }
    panic!("{fault:?} is not found in {CASES} cases");
}

#[test]
fn a_higher_band_that_always_goes_first_is_found() {
    finds(Fault::StrictPriority, sharing(), |case, make| case.holds(make));
}

#[test]
fn a_settlement_that_corrects_no_share_is_found() {
    finds(Fault::SettlementForgotten, sharing(), |case, make| {
        case.holds(make)
    });
}

#[test]
fn a_share_saved_up_in_idleness_is_found() {
    finds(Fault::IdlenessSavesUp, sharing(), |case, make| case.holds(make));
}

#[test]
fn an_urgent_pass_that_is_never_repaid_is_found() {
    finds(Fault::PassNeverRepaid, sharing(), |case, make| case.holds(make));
}

#[test]
fn urgent_passes_without_bound_are_found() {
    finds(Fault::PassUnbounded, sharing(), |case, make| case.holds(make));
}

#[test]
fn a_promise_moved_by_backfill_is_found() {
    finds(Fault::PromiseMoved, blocked(), |case, make| case.holds(make));
}

#[test]
fn a_cap_that_is_not_counted_is_found() {
    finds(Fault::CapNotCounted, crowd(), |case, make| case.holds(make));
}

#[test]
fn a_lane_that_lets_one_go_where_more_could_is_found() {
    finds(Fault::OneAStep, crowd(), |case, make| case.holds(make));
}

/// The plain one is held to the fast one, too: of two that differ in a fault the histories tell.
#[test]
fn histories_tell_a_fault_from_none() {
    use super::super::reference::differ;
    for fault in [
        Fault::StrictPriority,
        Fault::SettlementForgotten,
        Fault::PromiseMoved,
        Fault::CapNotCounted,
        Fault::BoundOverlooked,
        Fault::KeptToTheLast,
    ] {
        assert!(differ(fault), "{fault:?}");
    }
}

#[test]
fn deadlines_taken_in_the_order_of_arrival_are_found() {
    finds(Fault::FirstComeFirstServed, any::<u64>(), |seed, make| {
        deadlines_hold(*seed, make)
    });
}
