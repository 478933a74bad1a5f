//! The house as a whole: whatever reaches the model has been stored and has passed its lane's queue.

use super::bundled;
use super::house::{Built, House};
use super::listen::Listener;
use bedrock_sim::RunningSim;
use metrics_exporter_prometheus::PrometheusBuilder;
use serde_json::{Value, json};
use smoother_core::config::Config;
use smoother_core::ports::Store;
use smoother_core::scheduler::Event;
use smoother_core::{CallNo, LaneId, RequestId, State};
use std::collections::HashMap;
use std::time::Duration;
use tempfile::TempDir;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

const SONNET: &str = "us.anthropic.claude-sonnet-4-5-20250929-v1:0";

struct Town {
    house: House,
    sim: RunningSim,
    url: String,
    http: reqwest::Client,
    tap: UnboundedReceiver<(LaneId, Event)>,
    stop: CancellationToken,
    serving: JoinHandle<()>,
    _dir: TempDir,
}

impl Town {
    async fn open() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let text = format!(
            "[server]\nlisten = \"127.0.0.1:0\"\ndata_dir = {:?}\n",
            dir.path()
        );
        let mut config = Config::load(Some(("test", &text)), None).unwrap();
        let sim = bundled::stand_in(&mut config).await.unwrap();
        let mut settings = sim.settings();
        settings.latency.base_ms = 0.0;
        settings.latency.per_token_ms = 0.0;
        sim.configure(settings).unwrap();
        let listener = Listener::bind(config.server.listen).await.unwrap();
        let url = format!("http://{}", listener.address());
        let Built { house, .. } = House::build(config).await.unwrap();
        let metrics = PrometheusBuilder::new().build_recorder().handle();
        let stop = CancellationToken::new();
        let tap = house.tap();
        let serving =
            tokio::spawn(listener.serve(house.router(metrics), stop.clone(), Duration::from_secs(5)));
        Self {
            house,
            sim,
            url,
            http: reqwest::Client::new(),
            tap,
            stop,
            serving,
            _dir: dir,
        }
    }

    async fn post(&self, path: &str, body: &Value) -> (u16, Option<RequestId>, Vec<u8>) {
        let answer = self
            .http
            .post(format!("{}{path}", self.url))
            .json(body)
            .send()
            .await
            .unwrap();
        let id = answer
            .headers()
            .get("x-smoother-job-id")
            .map(|id| id.to_str().unwrap().parse().unwrap());
        (
            answer.status().as_u16(),
            id,
            answer.bytes().await.unwrap().to_vec(),
        )
    }

    async fn close(self) {
        self.stop.cancel();
        assert_eq!(self.house.drain().await, 0);
        self.serving.await.unwrap();
        self.house.close().await.unwrap();
        self.sim.stop().await;
    }
}

fn converse(text: &str) -> Value {
    json!({ "messages": [{ "role": "user", "content": [{ "text": text }] }] })
}

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
            .house
            .store()
            .get(*id)
            .await
            .unwrap()
            .expect("a call without a stored request");
        assert_eq!(row.state, State::Completed);
        let made = town.house.store().calls(*id).await.unwrap();
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
