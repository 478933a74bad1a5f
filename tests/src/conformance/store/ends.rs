//! A call is settled once, whatever its request does meanwhile.

use super::bed::{Bed, Restart};
use crate::conformance::suite::cases;
use crate::conformance::words::{
    at, cancel, complete, divert, fail, id, lane, release_in, request, requeue, settlement, to_nova,
};
use smoother_core::call::CallEnding;
use smoother_core::lifecycle::Refused;
use smoother_core::ports::{ChangeError, PayloadKind, PayloadRef};
use smoother_core::{ModelErrorKind, State, ThrottleCause, Tokens, Usage};
use tokio::task::JoinSet;

cases! { Bed;
    an_end_settles_and_changes_at_once,
    a_settlement_stands_though_its_change_is_refused,
    the_first_settlement_stands,
    an_older_call_settles_while_a_newer_one_runs,
    an_end_without_a_change_leaves_the_row,
    a_call_that_was_never_claimed_is_not_made_by_its_end,
    an_unknown_request_is_not_found,
    of_many_ends_of_one_call_one_answers,
    a_diverted_request_leaves_its_charge_behind,
    a_settlement_reads_back_whole,
}

async fn an_end_settles_and_changes_at_once(bed: Bed) {
    bed.running(&request(1)).await;
    assert_eq!(bed.calls(id(1)).await[0].charge(), Tokens::new(110));
    let ended = bed.complete(id(1), 1, "answer").await.request.unwrap();
    assert_eq!(ended.state, State::Completed);
    let bed = bed.restarted(Restart::Crash).await;
    assert_eq!(bed.get(id(1)).await, ended);
    assert_eq!(bed.calls(id(1)).await[0].charge(), Tokens::new(70));
    let result = bed.payloads.fetch(id(1), PayloadKind::Result).await.unwrap();
    assert_eq!(result.unwrap(), "answer");
}

async fn a_settlement_stands_though_its_change_is_refused(bed: Bed) {
    bed.running(&request(1)).await;
    let cancelled = bed.change(id(1), cancel()).await.unwrap();
    let report = bed.complete(id(1), 1, "answer").await;
    assert!(
        matches!(
            report.request,
            Err(ChangeError::Refused(Refused::State {
                state: State::Cancelled,
                ..
            }))
        ),
        "{report:?}"
    );
    assert_eq!(bed.get(id(1)).await, cancelled);
    assert_eq!(bed.calls(id(1)).await[0].charge(), Tokens::new(70));
    assert_eq!(
        bed.payloads.fetch(id(1), PayloadKind::Result).await.unwrap(),
        None
    );
    bed.untold(1).await;
}

async fn the_first_settlement_stands(bed: Bed) {
    bed.running(&request(1)).await;
    let first = settlement(1, CallEnding::Throttled, 0);
    bed.end(id(1), first.clone(), Some(requeue(1)), None)
        .await
        .request
        .unwrap();
    for (ending, charged) in [(CallEnding::Completed, 70), (CallEnding::Aborted, 5)] {
        let report = bed.end(id(1), settlement(1, ending, charged), None, None).await;
        assert_eq!(report.request.unwrap().state, State::Queued);
    }
    let bed = bed.restarted(Restart::Crash).await;
    bed.end(id(1), settlement(1, CallEnding::Failed, 9), None, None)
        .await;
    let calls = bed.calls(id(1)).await;
    assert_eq!(calls.len(), 1);
    assert_eq!(calls[0].settlement, Some(first));
}

async fn an_older_call_settles_while_a_newer_one_runs(bed: Bed) {
    bed.running(&request(1)).await;
    bed.change(id(1), requeue(1)).await.unwrap();
    bed.release(id(1), 2).await.unwrap();
    bed.claim(id(1), 2).await.unwrap();
    // The first call's worker was only slow: its settlement counts, its answer does not.
    let report = bed.complete(id(1), 1, "late").await;
    assert!(matches!(
        report.request,
        Err(ChangeError::Refused(Refused::Call { .. }))
    ));
    assert_eq!(bed.get(id(1)).await.state, State::Running);
    let late = settlement(2, CallEnding::Completed, 3);
    let report = bed.end(id(1), late, Some(complete(2)), Some("second")).await;
    assert_eq!(report.request.unwrap().tries, 1);
    let charges: Vec<_> = bed.calls(id(1)).await.iter().map(|call| call.charge()).collect();
    assert_eq!(charges, [Tokens::new(70), Tokens::new(3)]);
    let result = bed.payloads.fetch(id(1), PayloadKind::Result).await.unwrap();
    assert_eq!(result.unwrap(), "second");
}

async fn an_end_without_a_change_leaves_the_row(bed: Bed) {
    let running = bed.running(&request(1)).await;
    let report = bed
        .end(id(1), settlement(1, CallEnding::Failed, 4), None, None)
        .await;
    assert_eq!(report.request.unwrap(), running);
    assert_eq!(bed.get(id(1)).await, running);
    assert_eq!(bed.calls(id(1)).await[0].charge(), Tokens::new(4));
}

async fn a_call_that_was_never_claimed_is_not_made_by_its_end(bed: Bed) {
    bed.running(&request(1)).await;
    bed.end(id(1), settlement(2, CallEnding::Failed, 4), None, None)
        .await;
    let calls = bed.calls(id(1)).await;
    assert_eq!(calls.len(), 1);
    assert_eq!(calls[0].settlement, None);
}

async fn an_unknown_request_is_not_found(bed: Bed) {
    for change in [None, Some(complete(1))] {
        let report = bed
            .end(id(9), settlement(1, CallEnding::Failed, 0), change, Some("lost"))
            .await;
        assert_eq!(report.request, Err(ChangeError::NotFound(id(9))));
    }
    assert!(bed.calls(id(9)).await.is_empty());
    assert_eq!(
        bed.payloads.fetch(id(9), PayloadKind::Result).await.unwrap(),
        None
    );
}

async fn of_many_ends_of_one_call_one_answers(bed: Bed) {
    for n in 0..10 {
        bed.running(&request(n)).await;
        let mut ends = JoinSet::new();
        for rival in 0..5u64 {
            let store = bed.store.clone();
            let result = PayloadRef::Inline(format!("answer {rival}").into());
            ends.spawn(async move {
                let settled = settlement(1, CallEnding::Completed, rival);
                let report = store.end(id(n), settled, Some(complete(1)), Some(result)).await;
                (rival, report.unwrap().request.is_ok())
            });
        }
        let won: Vec<_> = ends
            .join_all()
            .await
            .into_iter()
            .filter(|(_, won)| *won)
            .collect();
        assert_eq!(won.len(), 1);
        let (winner, _) = won[0];
        assert_eq!(bed.calls(id(n)).await[0].charge(), Tokens::new(winner));
        let result = bed.payloads.fetch(id(n), PayloadKind::Result).await.unwrap();
        assert_eq!(result.unwrap(), format!("answer {winner}"));
    }
    bed.untold(10).await;
}

async fn a_diverted_request_leaves_its_charge_behind(bed: Bed) {
    let mut row = request(1);
    row.fallback = to_nova();
    bed.running(&row).await;
    let report = bed
        .end(
            id(1),
            settlement(1, CallEnding::Failed, 8),
            Some(divert(Some(1))),
            None,
        )
        .await;
    let row = report.request.unwrap();
    assert_eq!((row.state, row.lane), (State::Queued, lane("nova")));
    assert_eq!(bed.calls(id(1)).await[0].lane, lane("sonnet"));
    // The lane it has left may not know yet.
    let stale = bed.change(id(1), release_in("sonnet", 2)).await;
    assert!(matches!(stale, Err(ChangeError::Refused(Refused::Lane { .. }))));
    bed.change(id(1), release_in("nova", 2)).await.unwrap();
    bed.claim(id(1), 2).await.unwrap();
    assert_eq!(bed.calls(id(1)).await[1].lane, lane("nova"));
}

async fn a_settlement_reads_back_whole(bed: Bed) {
    bed.running(&request(1)).await;
    let mut settled = settlement(1, CallEnding::Failed, u64::from(u32::MAX) + 7);
    settled.usage = Some(Usage {
        input: Tokens::new(1),
        output: Tokens::new(2),
        cache_read: Tokens::new(3),
        cache_write: Tokens::new(4),
    });
    settled.throttle = Some(ThrottleCause::Day);
    settled.error = Some(ModelErrorKind::Throttled(ThrottleCause::Day));
    settled.upstream_request_id = Some("идентификатор-☃".to_owned());
    settled.at = at(123_456);
    bed.end(id(1), settled.clone(), Some(fail(Some(1))), None)
        .await
        .request
        .unwrap();
    assert_eq!(bed.calls(id(1)).await[0].settlement, Some(settled));
}
