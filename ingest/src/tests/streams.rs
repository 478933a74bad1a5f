//! Streamed answers: frames as they come, the closing one only after the terminal commit.

use super::{call, settle};
use crate::testbed::{Bed, MODEL, converse, post, stream_frame};
use aws_smithy_types::event_stream::Message;
use axum::body::Body;
use base64::Engine;
use bytes::Bytes;
use http_body_util::BodyExt;
use smoother_core::ports::{Clock, Live, Update};
use smoother_core::{CallNo, Change};
use tower::ServiceExt;

fn path() -> String {
    format!("/model/{MODEL}/converse-stream")
}

fn header<'a>(message: &'a Message, name: &str) -> &'a str {
    let found = message
        .headers()
        .iter()
        .find(|header| header.name().as_str() == name);
    found.map_or("", |header| header.value().as_string().unwrap().as_str())
}

fn opening() -> Bytes {
    stream_frame("messageStart", r#"{"role":"assistant"}"#)
}

fn delta(text: &str) -> Bytes {
    stream_frame(
        "contentBlockDelta",
        &format!(r#"{{"delta":{{"text":"{text}"}},"contentBlockIndex":0}}"#),
    )
}

fn metadata() -> Bytes {
    stream_frame(
        "metadata",
        r#"{"usage":{"inputTokens":3,"outputTokens":2,"totalTokens":5}}"#,
    )
}

/// A response whose body is read frame by frame.
async fn open(
    bed: &Bed,
    body: Body,
) -> (
    tokio::task::JoinHandle<http::Response<Body>>,
    smoother_core::RequestId,
) {
    let (router, request) = (bed.router(), post(&path(), &[], body));
    let response = tokio::spawn(async move { router.oneshot(request).await.unwrap() });
    (response, bed.arrived().await.id)
}

async fn chunk(body: &mut Body) -> Option<Bytes> {
    Some(body.frame().await?.unwrap().into_data().unwrap())
}

#[tokio::test]
async fn frames_pass_as_they_come_and_the_last_waits_for_the_commit() {
    let bed = Bed::new();
    let (response, id) = open(&bed, converse().into()).await;
    bed.start(id);
    bed.head(id);
    settle().await;
    assert!(
        !response.is_finished(),
        "until a frame has come, the answer may still be an error"
    );
    bed.frame(id, &opening());
    let response = response.await.unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(
        response.headers()["content-type"],
        "application/vnd.amazon.eventstream"
    );
    assert_eq!(response.headers()["x-amzn-requestid"], "upstream-1");
    assert_eq!(response.headers()["x-smoother-job-id"], id.to_string().as_str());
    assert_eq!(response.headers()["x-smoother-calls"], "1");
    let mut body = response.into_body();
    assert_eq!(chunk(&mut body).await.unwrap(), opening());
    bed.frame(id, &delta("Hi"));
    assert_eq!(chunk(&mut body).await.unwrap(), delta("Hi"));
    bed.frame(id, &metadata());
    let held = tokio::spawn(async move { (chunk(&mut body).await, body) });
    settle().await;
    assert!(
        !held.is_finished(),
        "the closing frame must wait for the terminal commit"
    );
    bed.complete(id, [opening(), delta("Hi"), metadata()].concat());
    let (last, mut body) = held.await.unwrap();
    assert_eq!(last.unwrap(), metadata());
    assert!(chunk(&mut body).await.is_none());
    assert_eq!(bed.live.readers(id), 0);
}

#[tokio::test]
async fn every_byte_of_a_stream_is_the_models() {
    let bed = Bed::new();
    let caller = call(&bed, post(&path(), &[], converse()));
    let id = bed.arrived().await.id;
    bed.start(id);
    bed.head(id);
    let frames: Vec<Bytes> = std::iter::once(opening())
        .chain((0..50).map(|n| delta(&n.to_string())))
        .chain([metadata()])
        .collect();
    for frame in &frames {
        bed.frame(id, frame);
    }
    bed.complete(id, frames.concat());
    let said = caller.await.unwrap();
    assert_eq!(said.body, frames.concat());
    assert_eq!(said.messages().len(), 52);
}

#[tokio::test]
async fn a_chunk_with_bedrocks_metrics_closes_an_invoke_stream() {
    let bed = Bed::new();
    let chunk = |text: &str| {
        let bytes = base64::engine::general_purpose::STANDARD.encode(text);
        stream_frame("chunk", &format!(r#"{{"bytes":"{bytes}","p":"abc"}}"#))
    };
    let body = r#"{"anthropic_version":"bedrock-2023-05-31","max_tokens":9,"messages":[{"role":"user","content":"hi"}]}"#;
    let caller = call(
        &bed,
        post(&format!("/model/{MODEL}/invoke-with-response-stream"), &[], body),
    );
    let id = bed.arrived().await.id;
    bed.start(id);
    bed.head(id);
    bed.frame(id, &chunk(r#"{"type":"message_start"}"#));
    let last = chunk(r#"{"type":"message_stop","amazon-bedrock-invocationMetrics":{"inputTokenCount":3}}"#);
    bed.frame(id, &last);
    settle().await;
    bed.fail(id, 503, "ServiceUnavailableException", "the commit failed");
    let messages = caller.await.unwrap().messages();
    assert_eq!(
        messages.len(),
        2,
        "an answer that is not stored must not look complete"
    );
    assert_eq!(
        header(&messages[1], ":exception-type"),
        "serviceUnavailableException"
    );
}

#[tokio::test]
async fn a_failure_before_the_first_frame_is_an_error_after_it_an_exception() {
    let bed = Bed::new();
    let caller = call(&bed, post(&path(), &[], converse()));
    let id = bed.arrived().await.id;
    bed.start(id);
    bed.head(id);
    bed.fail(id, 424, "ModelErrorException", "it broke");
    assert_eq!(
        caller.await.unwrap().exception(424, "ModelErrorException"),
        "it broke"
    );

    for (name, member) in [
        ("ModelStreamErrorException", "modelStreamErrorException"),
        ("ModelTimeoutException", "modelStreamErrorException"),
        ("ThrottlingException", "throttlingException"),
        ("SomethingNew", "internalServerException"),
    ] {
        let caller = call(&bed, post(&path(), &[], converse()));
        let id = bed.arrived().await.id;
        bed.start(id);
        bed.head(id);
        bed.frame(id, &delta("Hi"));
        settle().await;
        bed.fail(id, 424, name, "it broke");
        let said = caller.await.unwrap();
        assert_eq!(said.status, 200);
        let messages = said.messages();
        assert_eq!(messages.len(), 2);
        assert_eq!(header(&messages[1], ":message-type"), "exception");
        assert_eq!(header(&messages[1], ":exception-type"), member);
        assert_eq!(header(&messages[1], ":content-type"), "application/json");
        assert_eq!(&messages[1].payload()[..], br#"{"message":"it broke"}"#);
    }
}

#[tokio::test]
async fn a_stream_cut_before_its_first_frame_starts_anew_unseen() {
    let bed = Bed::new();
    let caller = call(&bed, post(&path(), &[], converse()));
    let id = bed.arrived().await.id;
    let row = bed.start(id);
    let at = bed.clock.now();
    let again = Change::Requeue {
        call: row.call,
        not_before: at,
        throttle: None,
        error: None,
        spends_try: true,
    };
    bed.store.apply(id, &again).unwrap();
    settle().await;
    bed.start(id);
    bed.head(id);
    bed.frame(id, &delta("second"));
    bed.frame(id, &metadata());
    bed.complete(id, [delta("second"), metadata()].concat());
    let said = caller.await.unwrap();
    assert_eq!(said.header("x-smoother-calls"), "2");
    assert_eq!(said.body, [delta("second"), metadata()].concat());
}

#[tokio::test]
async fn a_call_made_anew_after_frames_were_shown_does_not_mix_two_answers() {
    let bed = Bed::new();
    let caller = call(&bed, post(&path(), &[], converse()));
    let id = bed.arrived().await.id;
    bed.start(id);
    bed.head(id);
    bed.frame(id, &delta("first"));
    settle().await;
    bed.live.publish(id, Update::Call(CallNo::new(2)));
    bed.frame(id, &delta("second"));
    let messages = caller.await.unwrap().messages();
    assert_eq!(messages.len(), 2);
    assert_eq!(
        header(&messages[1], ":exception-type"),
        "modelStreamErrorException"
    );
}
