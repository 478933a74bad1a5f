//! Errors: again, later, or over.

use super::stage::{Script, Stage, Step, error, to_the_end};
use smoother_core::ports::{Clock, Live, Store};
use smoother_core::scheduler::{Again, Event};
use smoother_core::{CallEnding, Millis, ModelErrorKind, Operation, Outcome, State, ThrottleCause, Tokens};

#[tokio::test]
async fn a_throttle_snoozes_and_teaches_the_lane() {
    let mut stage = Stage::new("");
    let row = stage.request(Operation::Converse, |_| {}).await;
    let kind = ModelErrorKind::Throttled(ThrottleCause::Tokens);
    stage.script(Script::Refuse(error(kind, 429, "ThrottlingException")));
    stage.release(row.id).await;
    let Event::Ended {
        charged,
        throttle,
        again,
        at,
        ..
    } = stage.ended().await
    else {
        unreachable!()
    };
    assert_eq!((charged, throttle), (Tokens::ZERO, Some(ThrottleCause::Tokens)));
    let Again::NotBefore(until) = again else {
        panic!("a throttled request waits again")
    };
    assert!(until > at);
    stage.drain().await;
    let stored = stage.store.get(row.id).await.unwrap().unwrap();
    assert_eq!(
        (stored.state, stored.tries, stored.calls_made),
        (State::Queued, 0, 1)
    );
    assert_eq!(stored.throttles[&ThrottleCause::Tokens], 1);
    assert_eq!(stored.not_before, Some(until));
    let calls = stage.store.calls(row.id).await.unwrap();
    assert_eq!(
        calls[0].settlement.as_ref().unwrap().ending,
        CallEnding::Throttled
    );
}

#[tokio::test]
async fn transient_errors_spend_tries_and_the_last_one_is_final() {
    let mut stage = Stage::new("max_tries = 2\n");
    let row = stage.request(Operation::Converse, |_| {}).await;
    let reader = stage.hub.subscribe(row.id);
    for _ in 0..2 {
        stage.script(Script::Refuse(error(
            ModelErrorKind::Internal,
            500,
            "InternalServerException",
        )));
    }
    stage.release(row.id).await;
    assert!(matches!(
        stage.ended().await,
        Event::Ended {
            again: Again::Retry(_),
            throttle: None,
            ..
        }
    ));
    // The end is told to the lane before it is stored: wait for the row.
    while stage.store.get(row.id).await.unwrap().unwrap().state != State::Queued {
        tokio::task::yield_now().await;
    }
    assert_eq!(stage.store.get(row.id).await.unwrap().unwrap().tries, 1);
    stage.release(row.id).await;
    let (_, ended) = to_the_end(reader).await;
    assert_eq!(
        (ended.request.state, ended.request.calls_made),
        (State::Failed, 2)
    );
    let Some(Outcome::Failure(failure)) = &ended.request.outcome else {
        panic!("no failure")
    };
    assert_eq!(
        (failure.status, failure.exception.as_str()),
        (500, "InternalServerException")
    );
}

#[tokio::test]
async fn a_permanent_error_is_reported_as_it_came() {
    let stage = Stage::new("");
    for (kind, status, exception) in [
        (ModelErrorKind::Validation, 400, "ValidationException"),
        (ModelErrorKind::AccessDenied, 403, "AccessDeniedException"),
        (ModelErrorKind::NotFound, 404, "ResourceNotFoundException"),
    ] {
        let row = stage.request(Operation::Converse, |_| {}).await;
        let reader = stage.hub.subscribe(row.id);
        stage.script(Script::Refuse(error(kind, status, exception)));
        stage.release(row.id).await;
        let (_, ended) = to_the_end(reader).await;
        let Some(Outcome::Failure(failure)) = &ended.request.outcome else {
            panic!("no failure")
        };
        assert_eq!(
            (
                failure.status,
                failure.exception.as_str(),
                failure.message.as_str()
            ),
            (status, exception, "because")
        );
    }
}

#[tokio::test]
async fn silence_is_a_stall_on_a_stream_only() {
    let mut stage = Stage::new("chunk_timeout_ms = 50\ncall_timeout_ms = 400\nmax_tries = 1\n");
    for (operation, least, key) in [
        (Operation::ConverseStream, 50, "chunk_timeout_ms = 50"),
        (Operation::Converse, 400, "call_timeout_ms = 400"),
    ] {
        let row = stage.request(operation, |_| {}).await;
        let reader = stage.hub.subscribe(row.id);
        stage.script(Script::Answer(vec![Step::Hang]));
        stage.release(row.id).await;
        let (_, ended) = to_the_end(reader).await;
        let took = ended
            .request
            .ended_at
            .unwrap()
            .since(ended.request.started_at.unwrap())
            .get();
        assert!(took >= least, "{operation} was given up after {took} ms");
        let Some(Outcome::Failure(failure)) = &ended.request.outcome else {
            panic!("no failure")
        };
        assert_eq!(failure.exception, "ModelTimeoutException");
        assert!(failure.message.contains(key), "{}", failure.message);
        let Event::Ended { charged, .. } = stage.ended().await else {
            unreachable!()
        };
        assert_eq!(charged, Tokens::new(1_100), "a stalled call is charged in full");
    }
}

#[tokio::test]
async fn a_call_is_over_before_the_process_that_makes_it_is() {
    let mut stage = Stage::new("max_tries = 3\n");
    let row = stage.request(Operation::Converse, |_| {}).await;
    stage.script(Script::Answer(vec![Step::Hang]));
    let released = stage.record_release(row.id).await;
    let end_by = stage.clock.now() + Millis::new(200);
    stage.worker.take(released, Some(end_by)).await.unwrap();
    let Event::Ended { again, .. } = stage.ended().await else {
        unreachable!()
    };
    assert!(
        matches!(again, Again::Retry(_)),
        "another process may have more time"
    );
    let stored = stage.store.get(row.id).await.unwrap().unwrap();
    assert_eq!(
        (stored.state, stored.last_error),
        (State::Queued, Some(ModelErrorKind::Stalled))
    );
}
