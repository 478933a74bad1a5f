//! Requests that go on in another lane, or end with a text.

use super::stage::*;
use bytes::Bytes;
use smoother_core::breaker::CallHealth;
use smoother_core::degraded::Form;
use smoother_core::ports::{Live, PayloadKind, Payloads, Store};
use smoother_core::scheduler::{Again, Event};
use smoother_core::{
    Estimate, Hop, HopCause, LaneId, ModelErrorKind, ModelId, Operation, Request, State, Tokens,
};

const TWO: &str =
    "[lanes.b]\nmodel = \"n\"\nregion = \"us-west-2\"\ntokens_per_minute = 100000\noutput_burndown = 1\n";

fn to_b(row: &mut Request) {
    row.fallback.push(Hop::Lane {
        lane: LaneId::new("b").unwrap(),
        model: ModelId::new("n").unwrap(),
        estimate: Estimate {
            input: Tokens::new(200),
            max_output: Tokens::new(50),
            expected_output: Tokens::new(10),
        },
        own_output: None,
    });
}

fn to_text(row: &mut Request) {
    row.fallback.push(Hop::Answer {
        text: "Busy.".to_owned(),
        form: Form::Converse,
    });
}

fn denied() -> Script {
    Script::Refuse(error(ModelErrorKind::AccessDenied, 403, "AccessDeniedException"))
}

#[tokio::test]
async fn what_this_model_never_grants_goes_on_in_the_next_lane() {
    let mut stage = Stage::new(TWO);
    let row = stage.request(Operation::Converse, to_b).await;
    let reader = stage.hub.subscribe(row.id);
    stage.script(denied());
    stage.script(answer("from b"));
    stage.release(row.id).await;
    let Event::Ended { again, health, .. } = stage.ended().await else {
        unreachable!()
    };
    assert_eq!(
        (again, health),
        (Again::No, CallHealth::Fine),
        "it waits there no more"
    );
    // Its new lane hears of it only when its row says so, at what it costs there.
    let (lane, waiting) = loop {
        if let (lane, Event::Arrived(waiting)) = stage.told_to().await {
            break (lane, waiting);
        }
    };
    assert_eq!((lane.as_str(), waiting.id), ("b", row.id));
    assert_eq!(
        (waiting.reserve, waiting.expected),
        (Tokens::new(250), Tokens::new(210))
    );
    let moved = stage.store.get(row.id).await.unwrap().unwrap();
    assert_eq!((moved.state, moved.lane.as_str()), (State::Queued, "b"));
    assert_eq!(moved.hops[0].cause, HopCause::Error(ModelErrorKind::AccessDenied));

    stage.release(row.id).await;
    let (_, ended) = to_the_end(reader).await;
    assert_eq!(ended.request.state, State::Completed);
    let calls = stage.model.calls.lock().unwrap();
    let called: Vec<&str> = calls.iter().map(|call| call.model.as_str()).collect();
    assert_eq!(called, ["m", "n"]);
    let lanes: Vec<&str> = calls.iter().map(|call| call.lane.as_str()).collect();
    assert_eq!(lanes, ["a", "b"], "each call is its own lane's to pay");
}

#[tokio::test]
async fn a_stream_that_another_lane_serves_says_which_model_did() {
    let stage = Stage::new(TWO);
    let row = stage.request(Operation::ConverseStream, to_b).await;
    let reader = stage.hub.subscribe(row.id);
    stage.script(denied());
    stage.script(answer("frames"));
    stage.release(row.id).await;
    while stage.store.get(row.id).await.unwrap().unwrap().lane.as_str() != "b" {
        tokio::task::yield_now().await;
    }
    stage.release(row.id).await;
    let (_, ended) = to_the_end(reader).await;
    let Some(smoother_core::Outcome::Answer { head, .. }) = &ended.request.outcome else {
        panic!("no answer")
    };
    let said = ("x-smoother-model".to_owned(), "n".to_owned());
    assert!(head.headers.contains(&said), "{:?}", head.headers);
}

#[tokio::test]
async fn a_transient_error_goes_on_only_when_its_tries_are_spent() {
    let mut stage = Stage::new(&format!("max_tries = 2\n{TWO}"));
    let row = stage.request(Operation::Converse, to_b).await;
    for _ in 0..2 {
        stage.script(refusal_of_500());
    }
    stage.release(row.id).await;
    let Event::Ended { again, health, .. } = stage.ended().await else {
        unreachable!()
    };
    assert!(matches!(again, Again::Retry(_)) && health == CallHealth::Failed);
    while stage.store.get(row.id).await.unwrap().unwrap().state != State::Queued {
        tokio::task::yield_now().await;
    }
    stage.release(row.id).await;
    while stage.store.get(row.id).await.unwrap().unwrap().lane.as_str() != "b" {
        tokio::task::yield_now().await;
    }
    let row = stage.store.get(row.id).await.unwrap().unwrap();
    assert_eq!((row.tries, row.hops.len()), (1, 1));
}

fn refusal_of_500() -> Script {
    Script::Refuse(error(ModelErrorKind::Internal, 500, "InternalServerException"))
}

#[tokio::test]
async fn the_end_of_the_chain_is_a_degraded_answer() {
    let stage = Stage::new("");
    let row = stage.request(Operation::Converse, to_text).await;
    let reader = stage.hub.subscribe(row.id);
    stage.script(denied());
    stage.release(row.id).await;
    let (_, ended) = to_the_end(reader).await;
    assert_eq!(
        (ended.request.state, ended.request.degraded),
        (State::Completed, true)
    );
    let stored = stage
        .store
        .fetch(row.id, PayloadKind::Result)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(ended.result.clone(), Some(stored.clone()));
    let body: serde_json::Value = serde_json::from_slice(&stored).unwrap();
    assert_eq!(body["output"]["message"]["content"][0]["text"], "Busy.");
}

#[tokio::test]
async fn a_request_of_its_own_fault_goes_nowhere_else() {
    let stage = Stage::new(TWO);
    let row = stage
        .request(Operation::Converse, |row| {
            to_b(row);
            to_text(row);
        })
        .await;
    let reader = stage.hub.subscribe(row.id);
    stage.script(Script::Refuse(error(
        ModelErrorKind::Validation,
        400,
        "ValidationException",
    )));
    stage.release(row.id).await;
    let (_, ended) = to_the_end(reader).await;
    assert_eq!(
        (ended.request.state, ended.request.hops.len()),
        (State::Failed, 0)
    );
    assert_eq!(ended.result, None::<Bytes>);
}
