//! Results.

use super::world::{MODEL, NOW, World, completed, job};
use bytes::Bytes;
use http::StatusCode;
use smoother_core::ports::{Ended, Live, Update};
use smoother_core::scheduler::Forecast;
use smoother_core::{Failure, Millis, ModelId, Outcome, State};
use std::sync::Arc;

#[tokio::test]
async fn an_answer_comes_back_byte_for_byte_with_bedrocks_headers() {
    let world = World::new();
    let row = completed(job(1));
    world.rows.put(row.clone());
    let payload = Bytes::from_static(b"{\"a\": 1.0 }");
    world.kept.0.lock().unwrap().insert(row.id, payload.clone());
    let answer = world.get(&format!("/v1/jobs/{}/result", row.id)).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.bytes, payload);
    assert_eq!(answer.header("content-type"), "application/json");
    assert_eq!(answer.header("content-length"), "11");
    assert_eq!(answer.header("x-amzn-requestid"), "up-1");
    assert_eq!(answer.header("x-smoother-job-id"), row.id.to_string());
    assert_eq!(answer.header("x-smoother-queue-ms"), "4000");
    assert_eq!(answer.header("x-smoother-calls"), "1");
    assert_eq!(answer.header("x-smoother-model"), MODEL);
}

#[tokio::test]
async fn a_result_says_which_model_gave_it_and_when_none_did() {
    let world = World::new();
    let mut served = completed(job(1));
    served.called_model = Some(ModelId::new("amazon.nova-lite-v1:0").unwrap());
    let mut degraded = completed(job(2));
    degraded.degraded = true;
    for row in [&served, &degraded] {
        world.rows.put(row.clone());
        world
            .kept
            .0
            .lock()
            .unwrap()
            .insert(row.id, Bytes::from_static(b"{}"));
    }
    let answer = world.get(&format!("/v1/jobs/{}/result", served.id)).await;
    assert_eq!(answer.header("x-smoother-model"), "amazon.nova-lite-v1:0");
    assert!(!answer.headers.contains_key("x-smoother-degraded"));
    let answer = world.get(&format!("/v1/jobs/{}/result", degraded.id)).await;
    assert_eq!(answer.header("x-smoother-degraded"), "true");
}

#[tokio::test]
async fn an_unfinished_job_says_when_to_come_back() {
    let world = World::new();
    let row = job(1);
    world.rows.put(row.clone());
    *world.views.forecast.lock().unwrap() = Some(Forecast {
        position: 2,
        start: NOW + Millis::new(4_200),
        earliest: NOW,
    });
    let answer = world.get(&format!("/v1/jobs/{}/result", row.id)).await;
    assert_eq!(answer.status, StatusCode::ACCEPTED);
    assert_eq!(answer.header("retry-after"), "5");
    assert_eq!(answer.json()["status"], "QUEUED");
    assert_eq!(answer.json()["estimated_position"], 2);
}

#[tokio::test]
async fn ends_without_an_answer_say_why() {
    let world = World::new();
    let failure = Failure {
        kind: None,
        status: 400,
        exception: "ValidationException".to_owned(),
        message: "maxTokens is too large".to_owned(),
        headers: Vec::new(),
    };
    for (n, state, outcome, kind, detail) in [
        (
            1,
            State::Failed,
            Some(Outcome::Failure(failure)),
            "job-failed",
            "maxTokens is too large",
        ),
        (2, State::Cancelled, None, "job-cancelled", "CANCELLED"),
        (3, State::Expired, None, "job-expired", "EXPIRED"),
    ] {
        let mut row = job(n);
        row.state = state;
        row.outcome = outcome;
        row.ended_at = Some(NOW);
        world.rows.put(row.clone());
        let answer = world.get(&format!("/v1/jobs/{}/result", row.id)).await;
        assert_eq!(answer.status, StatusCode::CONFLICT);
        let problem = answer.json();
        assert!(problem["type"].as_str().unwrap().ends_with(kind));
        assert!(problem["detail"].as_str().unwrap().contains(detail));
        assert_eq!(problem["error"].is_null(), state != State::Failed);
    }
}

#[tokio::test]
async fn a_result_past_retention_is_gone() {
    let world = World::new();
    let row = completed(job(1));
    world.rows.put(row.clone());
    let answer = world.get(&format!("/v1/jobs/{}/result", row.id)).await;
    assert_eq!(answer.status, StatusCode::GONE);
}

#[tokio::test]
async fn a_long_poll_answers_at_the_end() {
    let world = World::new();
    let row = job(1);
    world.rows.put(row.clone());
    world
        .kept
        .0
        .lock()
        .unwrap()
        .insert(row.id, Bytes::from_static(b"{}"));
    let end = async {
        world.live.subscribed.notified().await;
        world.live.publish(row.id, Update::State(State::Running));
        let request = completed(row.clone());
        world.rows.put(request.clone());
        let end = Ended {
            request,
            result: None,
        };
        world.live.publish(row.id, Update::Ended(Arc::new(end)));
    };
    let path = format!("/v1/jobs/{}/result?wait_ms=60000", row.id);
    let (answer, ()) = tokio::join!(world.get(&path), end);
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.bytes, Bytes::from_static(b"{}"));
}
