//! The house as a whole.

mod ending;
mod leaving;
mod pipeline;
mod reloading;
mod versions;

use super::bundled;
use super::house::{Built, House};
use super::listen::Listener;
use bedrock_sim::RunningSim;
use metrics_exporter_prometheus::PrometheusBuilder;
use serde_json::{Value, json};
use smoother_core::config::Config;
use smoother_core::scheduler::Event;
use smoother_core::{LaneId, RequestId};
use tempfile::TempDir;
use tokio::sync::mpsc::UnboundedReceiver;

const SONNET: &str = "us.anthropic.claude-sonnet-4-5-20250929-v1:0";

struct Town {
    house: Option<House>,
    sim: RunningSim,
    url: String,
    http: reqwest::Client,
    tap: UnboundedReceiver<(LaneId, Event)>,
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
        let tap = house.tap();
        house.open_doors(listener, PrometheusBuilder::new().build_recorder().handle());
        Self {
            house: Some(house),
            sim,
            url,
            http: http_client(),
            tap,
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

    fn house(&self) -> &House {
        self.house.as_ref().unwrap()
    }

    /// The house, for somebody else to end.
    fn take_house(&mut self) -> House {
        self.house.take().unwrap()
    }

    async fn close(mut self) {
        let house = self.take_house();
        assert_eq!(house.drain().await, 0);
        house.close().await.unwrap();
        self.sim.stop().await;
    }
}

fn converse(text: &str) -> Value {
    json!({ "messages": [{ "role": "user", "content": [{ "text": text }] }] })
}

fn http_client() -> reqwest::Client {
    let nowhere = "http://127.0.0.1".parse().unwrap();
    let tls = crate::client::tls_for(&nowhere).unwrap();
    let builder = reqwest::Client::builder().tls_backend_preconfigured(tls);
    builder.build().unwrap()
}
