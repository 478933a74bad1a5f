//! Clients that go away, and the simulator's own end.

use std::time::Duration;

use bedrock_sim::{RunningSim, StatsReport};
use http::Method;
use http_body_util::BodyExt;
use serde_json::json;

use crate::client::{converse, open, path, prompt, request, start};

/// Waits until the statistics say so; fails after ten seconds.
async fn until(sim: &RunningSim, wanted: impl Fn(&StatsReport) -> bool) -> StatsReport {
    let poll = async {
        loop {
            let stats = sim.stats();
            if wanted(&stats) {
                return stats;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), poll)
        .await
        .expect("the statistics never said so")
}

#[tokio::test]
async fn a_stream_whose_reader_leaves_is_settled_with_what_was_generated() {
    let sim = start(json!({"latency": {"per_token_ms": 2, "tokens_per_event": 1},
        "quota": {"tokens_per_minute": 1_000_000}}))
    .await;
    let body = prompt("[[sim in=10 out=5000]]").to_string();
    let response = open(
        sim.addr(),
        request(Method::POST, &path("converse-stream"), body.as_bytes()),
    )
    .await
    .unwrap();
    let mut body = response.into_body();
    for _ in 0..5 {
        body.frame().await.unwrap().unwrap();
    }
    assert_eq!(sim.stats().total.in_flight, 1);
    drop(body);
    let stats = until(&sim, |stats| stats.total.aborted == 1).await;
    assert_eq!(stats.total.in_flight, 0);
    let output = stats.total.output_tokens;
    assert!((4..2_500).contains(&output), "{output}");
    assert_eq!(stats.total.charged_tokens, 10 + output * 5);
    sim.stop().await;
}

#[tokio::test]
async fn a_whole_answer_that_nobody_awaits_is_settled_at_the_time_generated() {
    let sim = start(json!({"latency": {"base_ms": 20, "per_token_ms": 5}})).await;
    let body = prompt("[[sim in=10 out=10000]]").to_string();
    let waiting = open(
        sim.addr(),
        request(Method::POST, &path("converse"), body.as_bytes()),
    );
    assert!(
        tokio::time::timeout(Duration::from_millis(250), waiting)
            .await
            .is_err()
    );
    let stats = until(&sim, |stats| stats.total.aborted == 1).await;
    let output = stats.total.output_tokens;
    assert!((1..2_000).contains(&output), "{output}");
    sim.stop().await;
}

#[tokio::test]
async fn a_call_that_hangs_holds_its_quota_until_its_client_leaves() {
    let sim = start(json!({"quota": {"max_concurrency": 1}})).await;
    for (operation, fault) in [
        ("converse", "hang"),
        ("converse-stream", "hang"),
        ("converse-stream", "hang-after"),
    ] {
        let body = prompt(&format!("[[sim in=4 out=10 fault={fault}]]")).to_string();
        let call = open(
            sim.addr(),
            request(Method::POST, &path(operation), body.as_bytes()),
        );
        let held = tokio::time::timeout(Duration::from_millis(400), async {
            let mut body = call.await.unwrap().into_body();
            while let Some(frame) = body.frame().await {
                frame.unwrap();
            }
        });
        let (held, refused) = tokio::join!(held, async {
            until(&sim, |stats| stats.total.in_flight == 1).await;
            converse(&sim, "hi").await
        });
        assert!(held.is_err(), "{fault} ended");
        assert_eq!(refused.status, 503);
        until(&sim, |stats| stats.total.in_flight == 0).await;
        assert_eq!(converse(&sim, "hi").await.status, 200);
    }
    assert_eq!(sim.stats().total.aborted, 3);
    sim.stop().await;
}

#[tokio::test]
async fn stop_lets_running_calls_finish_and_ends_hanging_ones() {
    let sim = start(json!({})).await;
    let addr = sim.addr();
    let slow = prompt("[[sim out=5 latency_ms=150]]").to_string();
    let slow = open(
        sim.addr(),
        request(Method::POST, &path("converse"), slow.as_bytes()),
    );
    let hanging = prompt("[[sim fault=hang]]").to_string();
    let hanging = open(
        sim.addr(),
        request(Method::POST, &path("converse"), hanging.as_bytes()),
    );
    let (slow, hanging) = (
        tokio::spawn(slow_answer(slow)),
        tokio::spawn(slow_answer(hanging)),
    );
    until(&sim, |stats| stats.total.in_flight == 2).await;
    sim.stop_within(Duration::from_millis(1_000)).await;
    assert!(slow.await.unwrap(), "the slow call was answered");
    assert!(!hanging.await.unwrap());
    assert!(
        tokio::net::TcpStream::connect(addr).await.is_err(),
        "nothing listens any more"
    );
}

async fn slow_answer(
    call: impl Future<Output = hyper::Result<http::Response<hyper::body::Incoming>>>,
) -> bool {
    match call.await {
        Ok(response) => response.into_body().collect().await.is_ok(),
        Err(_) => false,
    }
}
