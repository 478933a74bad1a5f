//! Answers that no client can read, and one that every client must.

use aws_smithy_eventstream::frame::read_message_from;
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::{Buf, Bytes};
use serde_json::{Value, json};

use crate::client::{converse, converse_stream, path, post, prompt, start};

/// The frames of a stream as far as they can be read: their types, whether each payload is JSON, and what ended it.
fn frames(body: &Bytes) -> (Vec<(String, bool)>, Option<String>) {
    let mut bytes = body.clone();
    let mut frames = Vec::new();
    while bytes.has_remaining() {
        match read_message_from(&mut bytes) {
            Err(error) => return (frames, Some(format!("{error:?}"))),
            Ok(message) => {
                let kind = message.headers()[0]
                    .value()
                    .as_string()
                    .unwrap()
                    .as_str()
                    .to_owned();
                let json = serde_json::from_slice::<Value>(message.payload()).is_ok();
                frames.push((kind, json));
            }
        }
    }
    (frames, None)
}

#[tokio::test]
async fn a_wrong_checksum_stands_in_the_middle_of_a_stream_that_goes_on() {
    let sim = start(json!({})).await;
    let answer = converse_stream(&sim, "[[sim in=5 out=100 at=9 fault=bad-crc]]").await;
    assert_eq!((answer.status.as_u16(), answer.broken), (200, false));
    let (read, error) = frames(&answer.body);
    assert_eq!(
        read.len(),
        4,
        "messageStart, 1 + 4 + 4 tokens, then the spoilt frame"
    );
    assert!(error.unwrap().contains("Checksum"));
    assert!(memchr::memmem::find(&answer.body, b"messageStop").is_some());
    let stats = sim.stats().total;
    assert_eq!(
        (stats.failed, stats.output_tokens, stats.faults["bad-crc"]),
        (1, 100, 1)
    );
    sim.stop().await;
}

#[tokio::test]
async fn a_stream_may_end_within_a_frames_prelude() {
    let sim = start(json!({})).await;
    let answer = converse_stream(&sim, "[[sim in=5 out=100 at=9 fault=bad-prelude]]").await;
    assert!(!answer.broken, "HTTP ends properly");
    let (read, error) = frames(&answer.body);
    assert_eq!(read.len(), 4);
    assert!(error.is_some());
    let stats = sim.stats().total;
    assert_eq!(
        (stats.failed, stats.output_tokens),
        (1, 9),
        "what was sent is charged"
    );
    sim.stop().await;
}

#[tokio::test]
async fn a_payload_may_be_half_a_document_in_either_wire() {
    let sim = start(json!({})).await;
    let text = "[[sim in=5 out=100 at=9 fault=bad-payload]]";
    let converse = converse_stream(&sim, text).await;
    let invoke = json!({"max_tokens": 100, "messages": [{"role": "user", "content": text}]});
    let invoke = post(&sim, &path("invoke-with-response-stream"), &invoke).await;
    for (answer, kind) in [(converse, "contentBlockDelta"), (invoke, "chunk")] {
        let (read, error) = frames(&answer.body);
        assert_eq!(error, None, "the framing is right");
        let broken: Vec<_> = read.iter().filter(|(_, json)| !json).collect();
        assert_eq!(broken, [&(kind.to_owned(), false)]);
    }
    assert_eq!(sim.stats().total.failed, 2);
    sim.stop().await;
}

#[tokio::test]
async fn an_event_of_an_unknown_type_leaves_the_answer_whole() {
    let sim = start(json!({})).await;
    let answer = converse_stream(&sim, "[[sim in=5 out=100 fault=bad-event]]").await;
    let (read, error) = frames(&answer.body);
    assert_eq!(error, None);
    let kinds: Vec<_> = read.iter().map(|(kind, _)| kind.as_str()).collect();
    assert!(
        kinds.contains(&"noveltyEvent") && kinds.ends_with(&["messageStop", "metadata"]),
        "{kinds:?}"
    );
    assert_eq!(sim.stats().total.answered, 1);
    sim.stop().await;
}

#[tokio::test]
async fn a_whole_body_may_be_half_a_document() {
    let sim = start(json!({})).await;
    for fault in ["bad-body", "bad-crc"] {
        let answer = converse(&sim, &format!("[[sim in=5 out=30 fault={fault}]]")).await;
        assert_eq!((answer.status.as_u16(), answer.broken), (200, false));
        assert_eq!(answer.header("content-type"), "application/json");
        assert!(
            serde_json::from_slice::<Value>(&answer.body)
                .unwrap_err()
                .is_eof()
        );
    }
    let stats = sim.stats().total;
    assert_eq!((stats.failed, stats.charged_tokens), (2, 2 * (5 + 30 * 5)));
    let streamed = post(
        &sim,
        &path("converse-stream"),
        &prompt("[[sim out=9 fault=bad-body]]"),
    )
    .await;
    assert!(frames(&streamed.body).0.iter().any(|(_, json)| !json));
    sim.stop().await;
}

#[tokio::test]
async fn a_spoilt_frame_of_invoke_is_a_chunk_that_would_else_be_read() {
    let sim = start(json!({})).await;
    let body = json!({"prompt": "[[sim in=5 out=20 at=4 fault=bad-crc]]", "max_gen_len": 50});
    let answer = post(
        &sim,
        "/model/meta.llama3-8b-instruct-v1:0/invoke-with-response-stream",
        &body,
    )
    .await;
    let mut bytes = answer.body.to_vec();
    let (before, error) = frames(&answer.body);
    assert!(error.is_some());
    // With its one bit set right, the whole stream is in order.
    let mut at = 0;
    for _ in &before {
        at += length(&bytes, at);
    }
    let end = at + length(&bytes, at);
    bytes[end - 1] ^= 1;
    let (all, error) = frames(&Bytes::from(bytes.clone()));
    assert_eq!(error, None);
    assert!(all.iter().all(|(kind, json)| kind == "chunk" && *json));
    let inner = read_message_from(&mut &bytes[at..end]).unwrap();
    let outer: Value = serde_json::from_slice(inner.payload()).unwrap();
    assert!(BASE64.decode(outer["bytes"].as_str().unwrap()).is_ok());
    sim.stop().await;
}

fn length(bytes: &[u8], at: usize) -> usize {
    u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap()) as usize
}
