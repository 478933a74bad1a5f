//! How the server ends: told to, by the loss of a part, by the loss of its store.

use super::{SONNET, Town, converse};
use crate::serve::attend::attend;
use crate::serve::reload::Reloads;
use crate::serve::signals::Signals;
use serde_json::json;
use smoother_core::ports::{BoxFuture, StoreError};
use std::time::Duration;
use tokio::time::{sleep, timeout};

/// Far more than any of this takes, and far less than `drain_timeout_ms`.
const SOON: Duration = Duration::from_secs(30);

fn never() -> BoxFuture<'static, StoreError> {
    Box::pin(std::future::pending())
}

impl Town {
    /// Status and text of a path.
    async fn read(&self, path: &str) -> (u16, String) {
        let answer = self.http.get(format!("{}{path}", self.url)).send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    }

    /// A job whose call has begun and never ends by itself.
    async fn hanging_job(&self) -> String {
        let job = json!({ "model": SONNET, "body": converse("x [[sim fault=hang]]") });
        let (status, _, body) = self.post("/v1/jobs", &job).await;
        assert_eq!(status, 202);
        let job: serde_json::Value = serde_json::from_slice(&body).unwrap();
        let id = job["id"].as_str().unwrap().to_owned();
        self.until(&format!("/v1/jobs/{id}"), "PROCESSING").await;
        id
    }

    /// Reads a path until its text holds `words`.
    async fn until(&self, path: &str, words: &str) {
        let seen = async {
            while !self.read(path).await.1.contains(words) {
                sleep(Duration::from_millis(5)).await;
            }
        };
        timeout(SOON, seen)
            .await
            .unwrap_or_else(|_| panic!("{path} never said {words}"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_part_that_is_lost_is_seen_at_readyz_and_ends_the_server() {
    let names: Vec<String> = {
        let town = Town::open().await;
        let names = town.house().parts().into_iter().map(|(name, _)| name).collect();
        town.close().await;
        names
    };
    for part in ["lane sonnet", "worker", "listener", "outbox", "removes ended"] {
        assert!(names.iter().any(|name| name.contains(part)), "{part}: {names:?}");
    }
    for name in names {
        let mut town = Town::open().await;
        let (_, handle) = town
            .house()
            .parts()
            .into_iter()
            .find(|(known, _)| *known == name)
            .unwrap();
        handle.abort();
        let lost = timeout(SOON, town.house().loss().first()).await.unwrap();
        assert!(lost.to_string().starts_with(&name), "{lost}");
        if !name.contains("listener") {
            let (status, text) = town.read("/readyz").await;
            assert_eq!(status, 503, "{name}");
            assert!(text.contains(&name), "{text}");
        }
        let (_hand, signals) = Signals::by_hand();
        let ended = timeout(SOON, attend(town.take_house(), never(), signals, Reloads::none())).await;
        let error = ended
            .unwrap_or_else(|_| panic!("without {name} the server hangs"))
            .unwrap_err();
        assert!(format!("{error:#}").contains(&name), "{error:#}");
        town.sim.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn while_calls_finish_reads_are_answered_and_submissions_refused() {
    let mut town = Town::open().await;
    let id = town.hanging_job().await;
    let (hand, signals) = Signals::by_hand();
    let house = town.take_house();
    let ending = tokio::spawn(attend(house, never(), signals, Reloads::none()));
    hand.send("SIGTERM").unwrap();
    town.until("/readyz", "stopping").await;

    assert_eq!(town.read("/readyz").await.0, 503);
    assert_eq!(town.read("/healthz").await.0, 200);
    assert_eq!(town.read("/metrics").await.0, 200);
    let (status, job) = town.read(&format!("/v1/jobs/{id}")).await;
    assert_eq!(status, 200);
    assert!(job.contains("PROCESSING"), "{job}");
    assert_eq!(town.read(&format!("/v1/jobs/{id}/result")).await.0, 202);
    let job = json!({ "model": SONNET, "body": converse("late") });
    assert_eq!(town.post("/v1/jobs", &job).await.0, 503);
    let url = format!("{}/model/{SONNET}/converse", town.url);
    let refused = town.http.post(url).json(&converse("late")).send().await.unwrap();
    assert_eq!(refused.status().as_u16(), 503);
    assert_eq!(
        refused.headers()["x-amzn-errortype"].to_str().unwrap(),
        "ServiceUnavailableException"
    );

    let url = format!("{}/v1/jobs/{id}", town.url);
    let cancelled = town.http.delete(url).send().await.unwrap();
    assert_eq!(cancelled.status().as_u16(), 200);
    timeout(SOON, ending).await.unwrap().unwrap().unwrap();
    let gone = town.http.get(format!("{}/healthz", town.url)).send().await;
    assert!(gone.unwrap_err().is_connect(), "the port is closed at the end");
    town.sim.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_fails_during_the_drain_ends_it_at_once() {
    let mut town = Town::open().await;
    town.hanging_job().await;
    let (hand, signals) = Signals::by_hand();
    let (fail, failure) = tokio::sync::oneshot::channel();
    let fatal = Box::pin(async move { failure.await.unwrap() });
    let house = town.take_house();
    let ending = tokio::spawn(attend(house, fatal, signals, Reloads::none()));
    hand.send("SIGTERM").unwrap();
    town.until("/readyz", "stopping").await;
    fail.send(StoreError::Failed("fsync: input/output error".to_owned()))
        .unwrap();
    let ended = timeout(SOON, ending)
        .await
        .expect("the drain goes on without a store");
    let error = ended.unwrap().unwrap_err();
    assert!(format!("{error:#}").contains("fsync"), "{error:#}");
    town.sim.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_signal_ends_the_drain() {
    let mut town = Town::open().await;
    town.hanging_job().await;
    let (hand, signals) = Signals::by_hand();
    let house = town.take_house();
    let ending = tokio::spawn(attend(house, never(), signals, Reloads::none()));
    hand.send("SIGTERM").unwrap();
    town.until("/readyz", "stopping").await;
    hand.send("SIGINT").unwrap();
    let error = timeout(SOON, ending).await.unwrap().unwrap().unwrap_err();
    assert!(format!("{error:#}").contains("second SIGINT"), "{error:#}");
    town.sim.stop().await;
}
