//! The four operations, CountTokens and ApplyGuardrail as an SDK sees them.

use base64::Engine;
use serde_json::{Value, json};

use crate::client::{SONNET, converse, converse_stream, path, post, prompt, start};

#[tokio::test]
async fn converse_answers_with_bedrocks_headers() {
    let sim = start(json!({})).await;
    let answer = converse(&sim, "[[sim in=5 out=3]]").await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type"), "application/json");
    assert_eq!(answer.header("x-amzn-requestid").len(), 36);
    assert_eq!(
        answer.json()["usage"],
        json!({"inputTokens": 5, "outputTokens": 3, "totalTokens": 8})
    );
    let again = converse(&sim, "[[sim in=5 out=3]]").await;
    assert_ne!(
        answer.header("x-amzn-requestid"),
        again.header("x-amzn-requestid")
    );
    assert_eq!(answer.json()["output"], again.json()["output"]);
    sim.stop().await;
}

#[tokio::test]
async fn a_converse_stream_is_chunked_and_complete() {
    let sim = start(json!({"latency": {"tokens_per_event": 10}})).await;
    let answer = converse_stream(&sim, "[[sim in=5 out=21]]").await;
    assert_eq!(
        answer.header("content-type"),
        "application/vnd.amazon.eventstream"
    );
    assert_eq!(answer.header("transfer-encoding"), "chunked");
    let events = answer.events();
    let kinds: Vec<_> = events.iter().map(|(kind, _)| kind.as_str()).collect();
    let delta = "contentBlockDelta";
    assert_eq!(
        kinds,
        [
            "messageStart",
            delta,
            delta,
            delta,
            "contentBlockStop",
            "messageStop",
            "metadata"
        ]
    );
    assert_eq!(events[6].1["usage"]["outputTokens"], 21);
    sim.stop().await;
}

#[tokio::test]
async fn invoke_answers_token_counts_in_headers() {
    let sim = start(json!({})).await;
    let body = json!({"anthropic_version": "bedrock-2023-05-31", "max_tokens": 50,
        "messages": [{"role": "user", "content": "[[sim in=5 out=3 cache_read=7 cache_write=9]]"}]});
    // The Anthropic SDK does not encode the colon.
    let answer = post(&sim, &format!("/model/{SONNET}/invoke"), &body).await;
    let counts = ["input", "output", "cache-read-input", "cache-write-input"].map(|name| {
        answer
            .header(&format!("x-amzn-bedrock-{name}-token-count"))
            .to_owned()
    });
    assert_eq!(counts, ["5", "3", "7", "9"]);
    assert!(!answer.header("x-amzn-bedrock-invocation-latency").is_empty());
    assert_eq!(answer.json()["usage"]["cache_read_input_tokens"], 7);

    let stream = post(&sim, &path("invoke-with-response-stream"), &body).await;
    assert_eq!(stream.header("x-amzn-bedrock-content-type"), "application/json");
    let events = stream.events();
    assert_eq!(events[0].1["type"], "message_start");
    let metrics = &events.last().unwrap().1["amazon-bedrock-invocationMetrics"];
    assert_eq!(
        (&metrics["outputTokenCount"], &metrics["cacheReadInputTokenCount"]),
        (&json!(3), &json!(7))
    );
    sim.stop().await;
}

#[tokio::test]
async fn an_inference_profiles_arn_shares_the_models_quota() {
    let sim = start(json!({"quota": {"requests_per_minute": 6, "bucket_seconds": 10}})).await;
    let arn = format!("arn:aws:bedrock:us-east-1:111122223333:inference-profile/{SONNET}");
    let encoded = arn.replace(':', "%3A").replace('/', "%2F");
    let first = post(&sim, &format!("/model/{encoded}/converse"), &prompt("hi")).await;
    let second = converse(&sim, "hi").await;
    assert_eq!((first.status.as_u16(), second.status.as_u16()), (200, 429));
    assert_eq!(sim.stats().models[SONNET].counts.throttled.requests, 1);
    sim.stop().await;
}

#[tokio::test]
async fn tokens_are_counted_and_guardrails_applied_without_quota() {
    let sim = start(json!({"quota": {"requests_per_minute": 0}})).await;
    let inner = prompt("12345678");
    let counted = post(
        &sim,
        &path("count-tokens"),
        &json!({"input": {"converse": inner}}),
    )
    .await;
    assert_eq!(counted.json(), json!({"inputTokens": 2}));
    let body = base64::engine::general_purpose::STANDARD
        .encode(json!({"messages": [{"role": "user", "content": "1234"}]}).to_string());
    let counted = post(
        &sim,
        &path("count-tokens"),
        &json!({"input": {"invokeModel": {"body": body}}}),
    )
    .await;
    assert_eq!(counted.json(), json!({"inputTokens": 1}));

    let text = json!({"source": "INPUT", "content": [{"text": {"text": "hello"}}]});
    let applied = post(&sim, "/guardrail/gr1/version/DRAFT/apply", &text).await;
    assert_eq!(applied.json()["action"], "NONE");
    assert_eq!(applied.json()["usage"]["contentPolicyUnits"], 1);
    let wrong = json!({"source": "BOTH", "content": []});
    assert_eq!(
        post(&sim, "/guardrail/gr1/version/1/apply", &wrong).await.error(),
        "ValidationException"
    );
    assert_eq!(sim.stats().total.calls, 0);
    sim.stop().await;
}

#[tokio::test]
async fn tokens_are_streamed_at_their_pace() {
    let sim = start(json!({"latency": {"base_ms": 40, "per_token_ms": 1, "tokens_per_event": 20}})).await;
    let started = std::time::Instant::now();
    let answer = converse_stream(&sim, "[[sim out=60]]").await;
    let took = started.elapsed().as_millis();
    assert!((100..2_000).contains(&took), "{took} ms for 40 + 60 × 1");
    let latency = answer.events().last().unwrap().1["metrics"]["latencyMs"]
        .as_u64()
        .unwrap();
    assert!((100..2_000).contains(&latency), "{latency}");
    let started = std::time::Instant::now();
    let whole = converse(&sim, "[[sim out=60 latency_ms=5 token_ms=0.5]]").await;
    let took = started.elapsed().as_millis();
    assert!((35..2_000).contains(&took), "{took} ms for 5 + 60 × 0.5");
    assert_eq!(whole.json()["usage"]["outputTokens"], 60);
    sim.stop().await;
}

#[tokio::test]
async fn many_calls_use_one_connection() {
    use http_body_util::{BodyExt, Full};
    let sim = start(json!({})).await;
    let stream = tokio::net::TcpStream::connect(sim.addr()).await.unwrap();
    let io = hyper_util::rt::TokioIo::new(stream);
    let (mut sender, connection) = hyper::client::conn::http1::handshake::<_, Full<bytes::Bytes>>(io)
        .await
        .unwrap();
    tokio::spawn(connection);
    for round in 0..20 {
        let operation = if round % 2 == 0 {
            "converse"
        } else {
            "converse-stream"
        };
        let body = prompt("[[sim out=8]]").to_string();
        let request = crate::client::request(http::Method::POST, &path(operation), body.as_bytes());
        sender.ready().await.unwrap();
        let response = sender.send_request(request).await.unwrap();
        assert_eq!(response.status(), 200);
        let body = response.into_body().collect().await.unwrap().to_bytes();
        assert!(serde_json::from_slice::<Value>(&body).is_ok() == (round % 2 == 0));
    }
    assert_eq!(sim.stats().total.answered, 20);
    sim.stop().await;
}
