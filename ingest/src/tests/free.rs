//! CountTokens and ApplyGuardrail: past the queue, as Bedrock answers.

use super::{call, settle};
use crate::testbed::{Bed, MODEL, converse, get, head, post, send};
use http::Method;
use smoother_core::model::{FreeAnswer, FreeOperation};
use smoother_core::{ModelError, ModelErrorKind, ThrottleCause};
use std::time::Duration;

const GUARDRAIL: &str = "/guardrail/gr-1/version/DRAFT/apply";

fn answers(bed: &Bed, body: &'static str) {
    let (head, body) = (head(), body.into());
    bed.free
        .answers
        .lock()
        .unwrap()
        .push(Ok(FreeAnswer { head, body }));
}

fn counting() -> String {
    format!("/model/{MODEL}/count-tokens")
}

#[tokio::test]
async fn both_pass_the_queue_byte_for_byte_and_store_nothing() {
    let bed = Bed::new();
    let headers = [
        ("x-amzn-bedrock-odd", "1"),
        ("authorization", "AWS4-HMAC-SHA256 secret"),
        ("x-smoother-priority", "batch"),
    ];
    for path in [counting().as_str(), GUARDRAIL] {
        answers(&bed, r#"{"inputTokens": 7 }"#);
        let said = send(bed.router(), post(path, &headers, r#"{ "input" :[]}"#)).await;
        assert_eq!(
            (said.status.as_u16(), &said.body[..]),
            (200, &br#"{"inputTokens": 7 }"#[..])
        );
        assert_eq!(said.header("content-type"), "application/json");
        assert_eq!(said.header("x-amzn-requestid"), "upstream-1");
        let seen = bed.free.seen.lock().unwrap().pop().unwrap();
        assert_eq!(seen.body, r#"{ "input" :[]}"#);
        assert_eq!(seen.lane.as_str(), "main");
        assert_eq!(seen.headers, [("x-amzn-bedrock-odd".to_owned(), "1".to_owned())]);
        let named = match seen.operation {
            FreeOperation::CountTokens { model } => model.to_string(),
            FreeOperation::ApplyGuardrail { identifier, version } => format!("{identifier} {version}"),
        };
        assert!([MODEL, "gr-1 DRAFT"].contains(&named.as_str()), "{named}");
    }
    assert_eq!((bed.store.len(), bed.lanes.told()), (0, 0));
}

#[tokio::test]
async fn a_failure_is_passed_on_as_bedrock_gave_it() {
    let bed = Bed::new();
    bed.free.answers.lock().unwrap().push(Err(ModelError {
        kind: ModelErrorKind::Throttled(ThrottleCause::Requests),
        status: 429,
        exception: "ThrottlingException".to_owned(),
        message: "Too many requests".to_owned(),
        headers: vec![("x-amzn-requestid".to_owned(), "upstream-9".to_owned())],
        retry_after_ms: Some(2_100),
    }));
    let said = send(bed.router(), post(GUARDRAIL, &[], "{}")).await;
    assert_eq!(said.exception(429, "ThrottlingException"), "Too many requests");
    assert_eq!(said.header("x-amzn-requestid"), "upstream-9");
    assert_eq!(said.header("retry-after"), "3");
    assert_eq!(bed.free.seen.lock().unwrap().len(), 1, "made once");
}

#[tokio::test(start_paused = true)]
async fn an_upstream_that_says_nothing_is_given_up() {
    let bed = Bed::new();
    let said = send(bed.router(), post(&counting(), &[], "{}")).await;
    let told = said.exception(503, "ServiceUnavailableException");
    assert!(told.contains("60000 ms") && told.contains("lane main"), "{told}");
}

#[tokio::test(start_paused = true)]
async fn bad_input_does_not_travel() {
    let bed = Bed::new();
    let unknown = send(bed.router(), post("/model/nobody/count-tokens", &[], "{}")).await;
    assert!(
        unknown
            .exception(400, "ValidationException")
            .contains("the lanes serve")
    );
    let large = send(bed.router(), post(GUARDRAIL, &[], " ".repeat(70_000))).await;
    assert!(
        large
            .exception(400, "ValidationException")
            .contains("max_body_bytes")
    );
    let text = send(
        bed.router(),
        post(GUARDRAIL, &[("content-type", "text/plain")], "x"),
    )
    .await;
    text.exception(415, "UnsupportedMediaTypeException");
    let lane = send(
        bed.router(),
        post(GUARDRAIL, &[("x-smoother-lane", "nope")], "{}"),
    )
    .await;
    assert!(
        lane.exception(400, "ValidationException")
            .contains("the lanes are main (")
    );
    let path = send(bed.router(), post("/guardrail/gr-1/apply", &[], "{}")).await;
    path.exception(404, "UnknownOperationException");
    for path in [counting().as_str(), GUARDRAIL] {
        let said = send(bed.router(), get(Method::GET, path)).await;
        said.exception(405, "MethodNotAllowedException");
        assert_eq!(said.header("allow"), "POST");
    }
    assert!(bed.free.seen.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_stopping_server_passes_nothing_on() {
    let bed = Bed::new();
    let neighbour = call(&bed, post(&format!("/model/{MODEL}/converse"), &[], converse()));
    let id = bed.arrived().await.id;
    bed.start(id);
    settle().await;
    bed.ingest.drain().await;
    let said = tokio::time::timeout(
        Duration::from_secs(60),
        send(bed.router(), post(GUARDRAIL, &[], "{}")),
    )
    .await
    .unwrap();
    said.exception(503, "ServiceUnavailableException");
    bed.complete(id, "{}");
    assert_eq!(neighbour.await.unwrap().status, 200);
}
