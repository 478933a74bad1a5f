//! Another configuration for a server that runs.

use super::{SONNET, Town, converse};
use crate::serve::reload::NotReloaded;
use serde_json::{Value, json};
use smoother_core::config::Config;
use smoother_core::{LaneId, ModelId};
use std::time::Duration;
use tokio::time::{sleep, timeout};

const SOON: Duration = Duration::from_secs(30);

fn id(name: &str) -> LaneId {
    LaneId::new(name).unwrap()
}

impl Town {
    /// The configuration in force, changed.
    fn changed(&self, change: impl FnOnce(&mut Config)) -> Config {
        let mut config = Config::clone(&self.house().config.load());
        change(&mut config);
        config
    }

    async fn submit(&self, model: &str, text: &str) -> (u16, Value) {
        let job = json!({ "model": model, "body": converse(text) });
        let (status, _, body) = self.post("/v1/jobs", &job).await;
        (status, serde_json::from_slice(&body).unwrap())
    }

    async fn json(&self, path: &str) -> Value {
        let answer = self.http.get(format!("{}{path}", self.url)).send().await.unwrap();
        serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap()
    }

    async fn lanes(&self) -> Vec<String> {
        let lanes = self.json("/v1/lanes").await;
        let name = |lane: &Value| lane["lane"].as_str().unwrap().to_owned();
        lanes["lanes"].as_array().unwrap().iter().map(name).collect()
    }

    async fn until_is(&self, job: &Value, status: &str) {
        let path = format!("/v1/jobs/{}", job["id"].as_str().unwrap());
        let reached = async {
            while self.json(&path).await["status"] != status {
                sleep(Duration::from_millis(5)).await;
            }
        };
        timeout(SOON, reached)
            .await
            .unwrap_or_else(|_| panic!("never {status}"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lane_that_is_added_serves_and_a_removed_one_ends_what_is_in_it() {
    let town = Town::open().await;
    let model = "us.amazon.nova-lite-v1:0";
    assert_eq!(town.submit(model, "x [[sim out=2]]").await.0, 400);
    let (_, hanging) = town.submit(SONNET, "x [[sim latency_ms=1500]]").await;
    town.until_is(&hanging, "PROCESSING").await;

    let next = town.changed(|config| {
        let mut lane = config.lanes.remove(&id("sonnet")).unwrap();
        (lane.id, lane.models) = (id("lite"), vec![ModelId::new(model).unwrap()]);
        config.lanes.insert(lane.id.clone(), lane);
    });
    let changes = town.house().reload(next).await.unwrap();
    let told: Vec<String> = changes.iter().map(ToString::to_string).collect();
    assert_eq!(told, ["lanes.lite: added", "lanes.sonnet: removed"]);

    let (status, job) = town.submit(model, "x [[sim out=2]]").await;
    assert_eq!(status, 202, "{job}");
    town.until_is(&job, "COMPLETED").await;
    assert_eq!(town.submit(SONNET, "too late").await.0, 400);
    town.until_is(&hanging, "COMPLETED").await;
    assert!(
        !town.lanes().await.contains(&"sonnet".to_owned()),
        "nothing is left in it"
    );
    town.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quota_in_use_does_not_come_back_under_another_name_and_its_own_lane_does() {
    let town = Town::open().await;
    let (_, job) = town.submit(SONNET, "x [[sim out=2]]").await;
    town.until_is(&job, "COMPLETED").await;
    let before = town.changed(|_| {});
    let without = town.changed(|config| drop(config.lanes.remove(&id("sonnet"))));
    town.house().reload(without).await.unwrap();
    // What it has spent in the last minute still counts.
    let renamed = town.changed(|config| {
        let mut lane = before.lanes[&id("sonnet")].clone();
        lane.id = id("other");
        config.lanes.insert(lane.id.clone(), lane);
    });
    let Err(NotReloaded::Refused(reasons)) = town.house().reload(renamed).await else {
        panic!("two ledgers for one quota")
    };
    assert!(
        reasons[0].to_string().contains("lane sonnet's quota"),
        "{reasons:?}"
    );
    town.house().reload(before).await.unwrap();
    let (status, job) = town.submit(SONNET, "x [[sim out=2]]").await;
    assert_eq!(status, 202, "{job}");
    town.until_is(&job, "COMPLETED").await;
    town.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_of_a_refused_configuration_is_in_force() {
    let town = Town::open().await;
    let next = town.changed(|config| {
        config.server.data_dir = "elsewhere".to_owned();
        config.lanes.remove(&id("sonnet"));
    });
    assert!(matches!(
        town.house().reload(next).await,
        Err(NotReloaded::Refused(_))
    ));
    let next = town.changed(|config| {
        let lane = config.lanes.get_mut(&id("sonnet")).unwrap();
        (lane.max_concurrency, lane.region) = (1, String::new());
    });
    assert!(matches!(
        town.house().reload(next).await,
        Err(NotReloaded::Setup(_))
    ));
    let sonnet = town.json("/v1/lanes/sonnet").await;
    assert_eq!(sonnet["concurrency"]["limit"], 64, "{sonnet}");
    assert_eq!(town.submit(SONNET, "x [[sim out=2]]").await.0, 202);
    town.close().await;
}
