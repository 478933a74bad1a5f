//! Errors in Bedrock's shape.

use http::Method;
use serde_json::json;

use crate::client::{Answer, converse, path, post, prompt, prompt_of, request, send, start};

fn is(answer: &Answer, status: u16, kind: &str, message: &str) {
    assert_eq!((answer.status.as_u16(), answer.error()), (status, kind));
    let full = format!("{kind}:http://internal.amazon.com/coral/com.amazon.bedrock/");
    assert_eq!(answer.header("x-amzn-errortype"), full);
    assert_eq!(answer.header("x-amzn-requestid").len(), 36);
    assert!(answer.header("retry-after").is_empty(), "Bedrock sends none");
    let json = answer.json();
    let found = json["message"].as_str().unwrap();
    assert!(found.starts_with(message), "{found}");
}

#[tokio::test]
async fn invalid_requests_are_refused_and_charge_nothing() {
    let sim = start(json!({"quota": {"requests_per_minute": 6}})).await;
    let malformed = send(
        &sim,
        request(Method::POST, &path("converse"), b"{\"messages\": ["),
    )
    .await;
    is(&malformed, 400, "ValidationException", "Malformed input request");
    let empty = post(&sim, &path("converse"), &json!({"messages": []})).await;
    is(
        &empty,
        400,
        "ValidationException",
        "A conversation must start with a user message",
    );
    let large = post(&sim, &path("converse-stream"), &prompt_of("hi", 1_000_000)).await;
    is(
        &large,
        400,
        "ValidationException",
        "The maximum tokens you requested exceeds the model limit of 64000",
    );
    let stats = sim.stats();
    assert_eq!(
        (stats.total.calls, stats.total.invalid, stats.total.accepted),
        (3, 3, 0)
    );
    assert_eq!(converse(&sim, "hi").await.status, 200);
    sim.stop().await;
}

#[tokio::test]
async fn unknown_models_and_paths_are_named() {
    let sim = start(json!({"models": {"amazon.nova-pro-v1:0": {}}, "only_known_models": true})).await;
    is(
        &converse(&sim, "hi").await,
        400,
        "ValidationException",
        "The provided model identifier is invalid.",
    );
    let known = post(&sim, "/model/amazon.nova-pro-v1:0/converse", &prompt("hi")).await;
    assert_eq!(known.status, 200);
    let nowhere = post(&sim, "/model/x/teapot", &prompt("hi")).await;
    is(
        &nowhere,
        404,
        "UnknownOperationException",
        "The requested operation",
    );
    sim.stop().await;
}

#[tokio::test]
async fn a_body_over_the_limit_is_refused() {
    let sim = start(json!({})).await;
    let huge = vec![b' '; 25_000_001];
    let answer = send(&sim, request(Method::POST, &path("converse"), &huge)).await;
    is(
        &answer,
        400,
        "ValidationException",
        "The request body could not be read",
    );
    assert_eq!(converse(&sim, "hi").await.status, 200);
    sim.stop().await;
}

#[tokio::test]
async fn each_cause_of_throttling_has_bedrocks_message() {
    let cases = [
        (
            json!({"tokens_per_minute": 6_000}),
            429,
            "ThrottlingException",
            "Too many tokens, please wait",
        ),
        (
            json!({"requests_per_minute": 0}),
            429,
            "ThrottlingException",
            "Too many requests, please wait",
        ),
        (
            json!({"tokens_per_day": 60}),
            429,
            "ThrottlingException",
            "Too many tokens per day, please wait",
        ),
        (
            json!({"max_concurrency": 0}),
            503,
            "ServiceUnavailableException",
            "Too many connections, please wait",
        ),
    ];
    for (quota, status, kind, message) in cases {
        let sim = start(json!({ "quota": quota })).await;
        is(&converse(&sim, "hi").await, status, kind, message);
        assert_eq!(sim.stats().total.throttled.total(), 1);
        sim.stop().await;
    }
}

#[tokio::test]
async fn marks_ask_for_any_error() {
    let sim = start(json!({})).await;
    let cases = [
        ("throttle", 429, "ThrottlingException"),
        ("throttle-day", 429, "ThrottlingException"),
        ("throttle-connections", 429, "ThrottlingException"),
        ("not-ready", 429, "ModelNotReadyException"),
        ("500", 500, "InternalServerException"),
        ("503", 503, "ServiceUnavailableException"),
        ("408", 408, "ModelTimeoutException"),
        ("424", 424, "ModelErrorException"),
        ("403", 403, "AccessDeniedException"),
        ("404", 404, "ResourceNotFoundException"),
    ];
    for (fault, status, kind) in cases {
        for operation in ["converse", "converse-stream"] {
            let body = prompt(&format!("[[sim fault={fault}]]"));
            is(&post(&sim, &path(operation), &body).await, status, kind, "");
        }
    }
    let stats = sim.stats().total;
    assert_eq!((stats.faults["500"], stats.throttled.total()), (2, 0));
    assert_eq!(
        (stats.accepted, stats.failed),
        (4, 4),
        "408 and 424 come after admission"
    );
    sim.stop().await;
}

#[tokio::test]
async fn an_array_where_an_object_is_wanted_is_refused_by_every_operation() {
    let sim = start(json!({})).await;
    let user = json!(["user", [{"text": "hi"}]]);
    let whole = json!([[["user", [{"text": "hi"}]]]]);
    for operation in [
        "converse",
        "converse-stream",
        "invoke",
        "invoke-with-response-stream",
    ] {
        for body in [&whole, &json!({ "messages": [user] })] {
            let answer = post(&sim, &path(operation), body).await;
            is(&answer, 400, "ValidationException", "Malformed input request");
        }
    }
    let count = post(&sim, &path("count-tokens"), &json!([{"converse": prompt("hi")}])).await;
    is(&count, 400, "ValidationException", "Malformed input request");
    let guardrail = post(&sim, "/guardrail/g/version/1/apply", &json!(["INPUT", []])).await;
    is(&guardrail, 400, "ValidationException", "Malformed input request");
    assert_eq!(sim.stats().total.accepted, 0);
    sim.stop().await;
}
