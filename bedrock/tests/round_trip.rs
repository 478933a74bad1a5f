//! Bytes go upstream and come back as they are.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use bytes::Bytes;
use smoother_bedrock::Forward;
use smoother_core::ids::{LaneId, ModelId};
use smoother_core::model::Operation;
use smoother_core::ports::Model;
use support::{Part, Reply, Server, call, chunk, collect, conversation, event};

/// Odd spaces, an unknown field, escapes and a repeated key: none of it may be touched.
const ODD: &str =
    "{ \"messages\":[ ],\n\t\"fieldOfTomorrow\":{\"a\":1.50,\"a\":2},\"t\":\"\\u00e9\u{e9}\" }\n";

#[tokio::test]
async fn a_converse_call_is_untouched_both_ways() {
    let answer = r#"{"output":{"message":{"content":[{"new":1}]}}, "usage":{"inputTokens":3,"outputTokens":4}, "z":0}"#;
    let reply = Reply::json(200, answer)
        .with("x-amzn-RequestId", "r-1")
        .with("x-other", "no");
    let server = Server::start(vec![reply]).await;
    let bedrock = server.bedrock().await;
    let stream = bedrock.call(call(Operation::Converse, ODD)).await.unwrap();

    assert_eq!(stream.head.content_type, "application/json");
    assert_eq!(stream.head.upstream_request_id(), Some("r-1"));
    assert_eq!(stream.head.headers.len(), 1);
    let got = collect(stream).await;
    assert_eq!(got.pieces, [Bytes::from(answer)]);
    assert_eq!(got.usage, Some((3, 4)));

    let seen = &server.requests()[0];
    assert_eq!(seen.body, ODD.as_bytes());
    assert_eq!(
        seen.line,
        "POST /model/us.anthropic.claude-sonnet-4-5-20250929-v1%3A0/converse HTTP/1.1"
    );
    assert_eq!(seen.header("content-type"), Some("application/json"));
    let signature = seen.header("authorization").unwrap();
    assert!(
        signature.starts_with("AWS4-HMAC-SHA256 Credential="),
        "{signature}"
    );
    assert!(
        signature.contains("/us-east-1/bedrock/aws4_request"),
        "{signature}"
    );
}

#[tokio::test]
async fn an_invoke_call_passes_its_own_headers_and_counts_by_headers_first() {
    let reply = Reply::json(
        200,
        r#"{"usage":{"input_tokens":1,"output_tokens":1},"odd": true}"#,
    )
    .with("x-amzn-bedrock-input-token-count", "21")
    .with("x-amzn-bedrock-output-token-count", "8");
    let server = Server::start(vec![reply]).await;
    let bedrock = server.bedrock().await;
    let mut request = call(Operation::Invoke, ODD);
    for (name, value) in [
        ("accept", "application/json"),
        ("content-type", "application/json; charset=utf-8"),
        ("x-amzn-bedrock-guardrailidentifier", "gr-1"),
        ("x-amzn-bedrock-guardrailversion", "DRAFT"),
        ("x-amzn-bedrock-trace", "ENABLED"),
        ("x-amzn-bedrock-performanceconfig-latency", "optimized"),
        ("x-amzn-bedrock-service-tier", "flex"),
        ("authorization", "Bearer of-the-caller"),
        ("x-smoother-priority", "batch"),
    ] {
        request.headers.push((name.to_owned(), value.to_owned()));
    }
    let got = collect(bedrock.call(request.clone()).await.unwrap()).await;
    assert_eq!(got.usage, Some((21, 8)));

    let seen = &server.requests()[0];
    assert_eq!(seen.body, ODD.as_bytes());
    assert!(seen.line.ends_with("%3A0/invoke HTTP/1.1"), "{}", seen.line);
    for (name, value) in &request.headers[..7] {
        assert_eq!(seen.header(name), Some(value.as_str()), "{name}");
    }
    assert!(!seen.header("authorization").unwrap().contains("of-the-caller"));
    assert_eq!(seen.header("x-smoother-priority"), None);
}

#[tokio::test]
async fn an_arn_is_encoded_in_the_path() {
    let server = Server::start(vec![Reply::json(200, "{}")]).await;
    let bedrock = server.bedrock().await;
    let mut request = call(Operation::Invoke, "{}");
    request.model = ModelId::new("arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.x").unwrap();
    collect(bedrock.call(request).await.unwrap()).await;
    assert_eq!(
        server.requests()[0].line,
        "POST /model/arn%3Aaws%3Abedrock%3Aus-east-1%3A123456789012%3Ainference-profile%2Fus.x/invoke HTTP/1.1"
    );
}

#[tokio::test]
async fn a_converse_stream_keeps_every_frame() {
    let frames = conversation();
    let parts = frames.iter().cloned().map(Part::Data).collect();
    let server = Server::start(vec![Reply::stream(parts).with("x-amzn-requestid", "r-2")]).await;
    let bedrock = server.bedrock().await;
    let stream = bedrock.call(call(Operation::ConverseStream, ODD)).await.unwrap();
    assert_eq!(stream.head.content_type, "application/vnd.amazon.eventstream");
    assert_eq!(stream.head.upstream_request_id(), Some("r-2"));
    let got = collect(stream).await;
    assert_eq!(got.error, None);
    assert_eq!(got.pieces, frames);
    assert_eq!(got.output, [false, true, false, false, false]);
    assert_eq!(got.usage, Some((12, 34)));
    assert_eq!(server.requests()[0].body, ODD.as_bytes());
    assert!(server.requests()[0].line.contains("/converse-stream "));
}

#[tokio::test]
async fn frames_are_found_wherever_the_network_cuts() {
    let whole: Vec<u8> = conversation().concat();
    for size in [1, 3, 11, 12, 13, 100, whole.len()] {
        let parts = whole
            .chunks(size)
            .map(|piece| Part::Data(Bytes::copy_from_slice(piece)))
            .collect();
        let server = Server::start(vec![Reply::stream(parts)]).await;
        let bedrock = server.bedrock().await;
        let got = collect(bedrock.call(call(Operation::ConverseStream, "{}")).await.unwrap()).await;
        assert_eq!(
            (got.pieces, got.error),
            (conversation(), None),
            "pieces of {size} bytes"
        );
    }
}

#[tokio::test]
async fn an_invoke_stream_keeps_every_chunk_and_knows_where_content_begins() {
    let frames = vec![
        chunk(r#"{"type":"message_start","message":{"usage":{"input_tokens":5,"output_tokens":1}}}"#),
        chunk(r#"{"type": "ping"}"#),
        chunk(r#"{"type":"content_block_start","index":0}"#),
        chunk(r#"{"type":"content_block_delta","delta":{"text":"a"}}"#),
        chunk(r#"{"type":"message_delta","usage":{"output_tokens":9}}"#),
        chunk(r#"{"type":"message_stop"}"#),
    ];
    let parts = frames.iter().cloned().map(Part::Data).collect();
    let server = Server::start(vec![Reply::stream(parts)]).await;
    let bedrock = server.bedrock().await;
    let got = collect(
        bedrock
            .call(call(Operation::InvokeWithResponseStream, ODD))
            .await
            .unwrap(),
    )
    .await;
    assert_eq!((got.pieces, got.error), (frames, None));
    assert_eq!(got.output, [false, false, true, true, true, true]);
    assert_eq!(got.usage, Some((5, 9)));
    assert_eq!(server.requests()[0].body, ODD.as_bytes());
}

#[tokio::test]
async fn a_chunk_in_an_unknown_form_counts_as_content() {
    let frames = [
        event("chunk", r#"{"bytes":"not base64!"}"#),
        chunk("no json"),
        event("eventOfTomorrow", "{}"),
    ];
    let server = Server::start(vec![Reply::stream(
        frames.iter().cloned().map(Part::Data).collect(),
    )])
    .await;
    let bedrock = server.bedrock().await;
    let got = collect(
        bedrock
            .call(call(Operation::InvokeWithResponseStream, "{}"))
            .await
            .unwrap(),
    )
    .await;
    assert_eq!(got.output, [true, true, false]);
    assert_eq!(got.usage, None);
}

#[tokio::test]
async fn operations_without_cost_are_forwarded() {
    let server = Server::start(vec![
        Reply::json(200, r#"{"inputTokens": 7}"#),
        Reply::json(200, r#"{"action":"NONE"}"#),
    ])
    .await;
    let bedrock = server.bedrock().await;
    let lane = LaneId::new("sonnet").unwrap();
    let model = ModelId::new(support::MODEL).unwrap();
    let (head, body) = bedrock
        .forward(&lane, Forward::CountTokens { model: &model }, ODD.into(), &[])
        .await
        .unwrap();
    assert_eq!(
        (head.content_type.as_str(), &body[..]),
        ("application/json", &br#"{"inputTokens": 7}"#[..])
    );
    let guardrail = Forward::ApplyGuardrail {
        identifier: "gr/1",
        version: "DRAFT",
    };
    let (_, body) = bedrock.forward(&lane, guardrail, ODD.into(), &[]).await.unwrap();
    assert_eq!(&body[..], br#"{"action":"NONE"}"#);

    let seen = server.requests();
    assert!(
        seen[0].line.ends_with("%3A0/count-tokens HTTP/1.1"),
        "{}",
        seen[0].line
    );
    assert_eq!(
        seen[1].line,
        "POST /guardrail/gr%2F1/version/DRAFT/apply HTTP/1.1"
    );
    assert!(seen.iter().all(|request| request.body == ODD.as_bytes()));
}
