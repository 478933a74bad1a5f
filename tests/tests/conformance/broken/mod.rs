//! The suite bites: adapters with one fault each fail the cases made for it, and only lists that can see it.

mod hold;
mod hub;
mod model;
mod queues;
mod store;
mod stores;

use smoother_tests::conformance::{Case, failures};

/// The cases of this list that fail on such stands.
async fn failed<S: Send + 'static>(cases: &'static [Case<S>], fresh: impl Fn() -> S) -> Vec<&'static str> {
    let failed = failures(cases, || async { fresh() }).await;
    failed.into_iter().map(|(name, _)| name).collect()
}

/// A fault is seen by the case made for it, and not by every case of the list.
fn assert_bites(
    fault: &dyn std::fmt::Debug,
    failed: &[&'static str],
    made_for_it: &'static str,
    cases: usize,
) {
    assert!(failed.contains(&made_for_it), "{fault:?} failed only {failed:?}");
    assert!(failed.len() < cases, "{fault:?} fails everything: {failed:?}");
}
