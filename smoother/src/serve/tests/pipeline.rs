//! Whatever reaches the model has been stored and has passed its lane's queue.

use super::{SONNET, Town, converse};
use serde_json::{Value, json};
use smoother_core::ports::Store;
use smoother_core::scheduler::Event;
use smoother_core::{CallNo, LaneId, RequestId, State};
use std::collections::HashMap;
use tokio::sync::mpsc::UnboundedReceiver;

fn messages(text: &str) -> Value {
    json!({
        "anthropic_version": "bedrock-2023-05-31", "max_tokens": 50,
        "messages": [{ "role": "user", "content": text }],
    })
}

/// The calls the lane queues saw start, by request.
fn started(
    tap: &mut UnboundedReceiver<(LaneId, Event)>,
) -> (Vec<RequestId>, HashMap<RequestId, Vec<CallNo>>) {
    let (mut arrived, mut calls) = (Vec::new(), HashMap::<_, Vec<_>>::new());
    while let Ok((_, event)) = tap.try_recv() {
        match event {
            Event::Arrived(waiting) => arrived.push(waiting.id),
            Event::Started { request, call, .. } => calls.entry(request).or_default().push(call),
            _ => {}
        }
    }
    (arrived, calls)
}

#[tokio::test(flavor = "multi_thread")]
async fn every_call_upstream_is_a_stored_request_that_passed_the_lane_queue() {
    let mut town = Town::open().await;
    let before = town.sim.stats().total.accepted;
    let mut ids = Vec::new();
    for (operation, body) in [
        ("converse", converse("a [[sim out=5]]")),
        ("converse-stream", converse("b [[sim out=5]]")),
        ("invoke", messages("c [[sim out=5]]")),
        ("invoke-with-response-stream", messages("d [[sim out=5]]")),
    ] {
        let (status, id, said) = town.post(&format!("/model/{SONNET}/{operation}"), &body).await;
        assert_eq!(status, 200, "{operation}: {}", String::from_utf8_lossy(&said));
        ids.push(id.unwrap());
    }
    let job = json!({ "model": SONNET, "body": converse("e [[sim out=5]]") });
    let (status, _, body) = town.post("/v1/jobs", &job).await;
    assert_eq!(status, 202);
    let id = serde_json::from_slice::<Value>(&body).unwrap()["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let result = town
        .http
        .get(format!("{}/v1/jobs/{id}/result?wait_ms=5000", town.url))
        .send()
        .await
        .unwrap();
    assert_eq!(result.status().as_u16(), 200);
    ids.push(id.parse().unwrap());

    let (arrived, calls) = started(&mut town.tap);
    assert_eq!(
        town.sim.stats().total.accepted - before,
        5,
        "no more calls upstream than requests"
    );
    for id in &ids {
        assert!(arrived.contains(id), "{id} did not pass its lane's queue");
        assert_eq!(calls[id], [CallNo::new(1)]);
        let row = town
            .house()
            .store()
            .get(*id)
            .await
            .unwrap()
            .expect("a call without a stored request");
        assert_eq!(row.state, State::Completed);
        let made = town.house().store().calls(*id).await.unwrap();
        assert_eq!(made.len(), 1);
    }
    assert_eq!(arrived.len(), ids.len());
    town.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_request_neither_passes_the_queue_nor_reaches_the_model() {
    let mut town = Town::open().await;
    let refused = [
        (format!("/model/{SONNET}/converse"), json!({ "messages": [] })),
        ("/model/no-such-model/converse".to_owned(), converse("x")),
        (format!("/model/{SONNET}/invoke"), json!([1])),
    ];
    for (path, body) in refused {
        let (status, _, _) = town.post(&path, &body).await;
        assert!((400..500).contains(&status), "{path}: {status}");
    }
    let (arrived, calls) = started(&mut town.tap);
    assert!(arrived.is_empty() && calls.is_empty());
    assert_eq!(town.sim.stats().total.accepted, 0);
    town.close().await;
}
