//! Each fault of a store, and the cases made for it.

use super::store::{BrokenStand, Fault};
use super::{assert_bites, failed};
use crate::memory::MemoryStand;
use smoother_tests::conformance::Case;
use smoother_tests::conformance::store::{self, Bed};
use smoother_tests::memory::Options;
use std::sync::Arc;

/// The cases of this list that fail for a store with this fault.
async fn bitten(cases: &'static [Case<Bed>], fault: Fault) -> Vec<&'static str> {
    failed(cases, || {
        Bed::new(Box::new(BrokenStand {
            stand: Box::new(MemoryStand::new(Options::default())),
            fault,
            settled: Arc::default(),
        }))
    })
    .await
}

#[tokio::test(start_paused = true)]
async fn a_broken_store_fails_the_cases_made_for_its_fault() {
    let table: [(Fault, &'static [Case<Bed>], &str); 15] = [
        (
            Fault::SettlesTwice,
            store::ends::CASES,
            "the_first_settlement_stands",
        ),
        (
            Fault::ForgetsTheOutbox,
            store::outbox::CASES,
            "every_way_to_end_is_told_once",
        ),
        (
            Fault::TellsOnceOnly,
            store::outbox::CASES,
            "ends_are_read_in_order_until_they_are_told",
        ),
        (
            Fault::IgnoresTheFence,
            store::changes::CASES,
            "each_call_number_is_claimed_once_whoever_asks",
        ),
        (
            Fault::ServesAnotherTenant,
            store::listing::CASES,
            "a_tenants_listing_holds_nobody_elses_rows",
        ),
        (
            Fault::SkipsARowBetweenPages,
            store::listing::CASES,
            "rows_that_come_meanwhile_hide_and_repeat_nothing",
        ),
        (
            Fault::TakesAnyCursor,
            store::listing::CASES,
            "a_cursor_that_is_none_is_refused",
        ),
        (
            Fault::AnswersBeforeItIsDurable,
            store::inserts::CASES,
            "a_row_reads_back_as_it_was_written",
        ),
        (
            Fault::JoinsAnotherBody,
            store::inserts::CASES,
            "the_same_body_joins_and_another_is_a_conflict",
        ),
        (
            Fault::LosesARelease,
            store::recovery::CASES,
            "a_release_that_nobody_can_claim_any_more_waits_again",
        ),
        (
            Fault::ForgetsItsCalls,
            store::recovery::CASES,
            "the_call_of_a_cancelled_request_is_settled_too",
        ),
        (
            Fault::BeginsWhenAwaited,
            store::writes::CASES,
            "a_write_that_nobody_awaits_is_made_all_the_same",
        ),
        (
            Fault::ListsTheLivingAsDead,
            store::letters::CASES,
            "dead_letters_are_listed_until_they_are_dismissed_or_redriven",
        ),
        (
            Fault::CutsLargePayloads,
            store::payloads::CASES,
            "payloads_of_every_size_come_back_whole",
        ),
        (
            Fault::ServesTheBodyForTheResult,
            store::payloads::CASES,
            "there_is_none_before_one_was_stored",
        ),
    ];
    for (fault, cases, made_for_it) in table {
        let failed = bitten(cases, fault).await;
        assert_bites(&fault, &failed, made_for_it, cases.len());
    }
}
