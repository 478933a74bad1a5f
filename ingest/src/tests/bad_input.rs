//! Bad input: each is answered with what was wrong, stores nothing, tells no lane, and harms no neighbour.

use super::call;
use crate::testbed::{Bed, MODEL, SMALL_MODEL, Said, converse, get, post, send};
use axum::body::Body;
use http::{Method, Request};

/// Sends `bad` while another call is on the line, and returns what was said to it after the other has got its answer.
async fn beside_a_neighbour(bed: &Bed, bad: Request<Body>) -> Said {
    let path = format!("/model/{MODEL}/converse");
    let neighbour = call(bed, post(&path, &[], converse()));
    let id = bed.arrived().await.id;
    let (rows, told) = (bed.store.len(), bed.lanes.told());
    let said = send(bed.router(), bad).await;
    assert_eq!(
        (bed.store.len(), bed.lanes.told()),
        (rows, told),
        "nothing may be stored or told"
    );
    bed.start(id);
    bed.complete(id, "{\"fine\":true}");
    let answer = neighbour.await.unwrap();
    assert_eq!(
        (answer.status.as_u16(), &answer.body[..]),
        (200, &b"{\"fine\":true}"[..])
    );
    said
}

async fn refused(bad: Request<Body>) -> String {
    beside_a_neighbour(&Bed::new(), bad)
        .await
        .exception(400, "ValidationException")
}

fn at(operation: &str, headers: &[(&str, &str)], body: impl Into<Body>) -> Request<Body> {
    post(&format!("/model/{MODEL}/{operation}"), headers, body)
}

fn with_max(most: &str) -> String {
    converse().replace("100", most)
}

#[tokio::test]
async fn malformed_json() {
    for bad in ["", "{", "{\"messages\": [}", "\"text\"", "[]"] {
        for operation in [
            "converse",
            "converse-stream",
            "invoke",
            "invoke-with-response-stream",
        ] {
            let said = refused(at(operation, &[], bad)).await;
            assert!(
                said.starts_with("Malformed input request"),
                "{operation} {bad:?}: {said}"
            );
        }
    }
}

#[tokio::test]
async fn an_unknown_model_is_answered_with_the_lanes() {
    let said = refused(post("/model/openai.gpt-99/converse", &[], converse())).await;
    assert!(
        said.starts_with("The provided model identifier is invalid."),
        "{said}"
    );
    assert!(
        said.contains("openai.gpt-99") && said.contains(MODEL) && said.contains("small"),
        "{said}"
    );
}

#[tokio::test]
async fn an_empty_prompt() {
    let said = refused(at("converse", &[], converse().replace("Hello there", "   "))).await;
    assert!(said.contains("messages.0.content.0 is blank"), "{said}");
}

#[tokio::test]
async fn too_many_messages() {
    let one = r#"{"role":"user","content":[{"text":"x"}]},"#.repeat(1_000);
    let body = format!("{{\"messages\":[{one}{{\"role\":\"user\",\"content\":[{{\"text\":\"x\"}}]}}]}}");
    let said = refused(at("converse", &[], body)).await;
    assert!(said.contains("1001 messages; at most 1000"), "{said}");
}

#[tokio::test]
async fn an_unknown_priority() {
    let said = refused(at("converse", &[("x-smoother-priority", "urgent")], converse())).await;
    assert!(
        said.contains("urgent") && said.contains("interactive, normal, batch"),
        "{said}"
    );
}

#[tokio::test]
async fn a_priority_above_the_tenants_highest() {
    let bed = Bed::with(|config| {
        let capped = config.tenants.values().next().cloned().unwrap();
        config.tenants.insert(smoother_core::TenantId::default(), capped);
    });
    let bad = at("converse", &[("x-smoother-priority", "interactive")], converse());
    let said = beside_a_neighbour(&bed, bad)
        .await
        .exception(400, "ValidationException");
    assert!(said.contains("interactive") && said.contains("highest"), "{said}");
}

#[tokio::test]
async fn absurd_timeouts() {
    for name in ["x-smoother-timeout-ms", "x-smoother-max-wait-ms"] {
        for value in ["-1", "0", "abc", "1.5", "86400001", "184467440737095516160"] {
            let said = refused(at("converse", &[(name, value)], converse())).await;
            assert!(
                said.contains(name) && said.contains("from 1 to 86400000"),
                "{said}"
            );
        }
    }
}

#[tokio::test]
async fn other_odd_headers() {
    for (name, value, word) in [
        ("x-smoother-on-disconnect", "explode", "cancel or finish"),
        ("idempotency-key", &"k".repeat(257), "1 to 256"),
    ] {
        let said = refused(at("converse", &[(name, value)], converse())).await;
        assert!(said.contains(word), "{said}");
    }
}

#[tokio::test]
async fn max_tokens_above_the_models_or_no_number_at_all() {
    let said = refused(at("converse", &[], with_max("4097"))).await;
    assert!(
        said.contains("exceeds the model limit of 4096") && said.contains("4097"),
        "{said}"
    );
    for bad in ["0", "-1", "1.5", "\"many\""] {
        let said = refused(at("converse", &[], with_max(bad))).await;
        assert!(said.contains("inferenceConfig.maxTokens"), "{said}");
    }
}

#[tokio::test]
async fn a_request_that_can_never_fit_names_the_limit_and_its_size() {
    let body = r#"{"prompt":"Hello","max_gen_len":3000}"#;
    let said = refused(post(&format!("/model/{SMALL_MODEL}/invoke"), &[], body)).await;
    assert!(
        said.contains("tokens_per_minute is 2000") && said.contains("lane small"),
        "{said}"
    );
    // Unset, it counts as the model's maximum.
    let said = refused(post(
        &format!("/model/{SMALL_MODEL}/invoke"),
        &[],
        r#"{"prompt":"Hello"}"#,
    ))
    .await;
    assert!(
        said.contains("4096, the model's maximum as none is set"),
        "{said}"
    );
}

#[tokio::test]
async fn a_wrong_content_type() {
    let bad = at("converse", &[("content-type", "text/plain")], converse());
    let said = beside_a_neighbour(&Bed::new(), bad)
        .await
        .exception(415, "UnsupportedMediaTypeException");
    assert!(
        said.contains("text/plain") && said.contains("application/json"),
        "{said}"
    );
}

#[tokio::test]
async fn an_unknown_operation_or_method() {
    let bed = Bed::new();
    let said = beside_a_neighbour(&bed, at("converze", &[], converse())).await;
    said.exception(404, "UnknownOperationException");
    let said = beside_a_neighbour(&bed, get(Method::GET, &format!("/model/{MODEL}/converze"))).await;
    said.exception(404, "UnknownOperationException");
    for method in [Method::GET, Method::PUT, Method::DELETE] {
        let said = beside_a_neighbour(&bed, get(method, &format!("/model/{MODEL}/converse"))).await;
        let told = said.exception(405, "MethodNotAllowedException");
        assert!(told.contains("POST"), "{told}");
        assert_eq!(said.header("allow"), "POST");
    }
}

#[tokio::test]
async fn a_tenant_that_is_only_named_is_not_believed() {
    let bed = Bed::new();
    let caller = call(
        &bed,
        at("converse", &[("x-smoother-tenant", "capped")], converse()),
    );
    assert_eq!(bed.arrived().await.tenant, smoother_core::TenantId::default());
    caller.abort();
}
