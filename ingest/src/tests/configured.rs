//! Submissions before and after another configuration.

use super::settle;
use crate::testbed::{Bed, MODEL, converse, lane, post, send};
use smoother_core::LaneId;
use smoother_core::config::Config;

const NEW_MODEL: &str = "amazon.nova-lite-v1:0";

fn changed(bed: &Bed, change: impl FnOnce(&mut Config)) -> Config {
    let mut config = bed.ingest.settings().config.clone();
    change(&mut config);
    config
}

fn job(model: &str) -> String {
    format!(r#"{{"model":"{model}","body":{}}}"#, converse())
}

#[tokio::test]
async fn a_new_lane_takes_and_a_removed_one_does_not() {
    let bed = Bed::new();
    let to = |model: &str| send(bed.router(), post("/v1/jobs", &[], job(model)));
    to(NEW_MODEL).await.problem(400);
    let next = changed(&bed, |config| {
        config.lanes.remove(&LaneId::new("main").unwrap());
        let new = lane("new", NEW_MODEL, 300_000);
        config.lanes.insert(new.id.clone(), new);
    });
    bed.ingest.reconfigure(next);
    assert_eq!(to(NEW_MODEL).await.status.as_u16(), 202);
    let row = bed.store.row(bed.arrived().await.id).unwrap();
    assert_eq!(row.lane.as_str(), "new");
    let said = to(MODEL).await.problem(400);
    assert!(said.contains("new (amazon.nova-lite-v1:0)"), "{said}");
}

#[tokio::test]
async fn a_caller_on_the_line_of_a_removed_lane_gets_its_answer() {
    let bed = Bed::new();
    let caller = super::call(&bed, post(&format!("/model/{MODEL}/converse"), &[], converse()));
    let id = bed.arrived().await.id;
    settle().await;
    bed.ingest.reconfigure(changed(&bed, |config| {
        config.lanes.remove(&LaneId::new("main").unwrap());
    }));
    bed.start(id);
    bed.complete(id, "{\"output\":1}");
    assert_eq!(caller.await.unwrap().status.as_u16(), 200);
}

#[tokio::test]
async fn limits_of_the_server_count_from_then_on() {
    let bed = Bed::new();
    bed.ingest
        .reconfigure(changed(&bed, |config| config.server.max_body_bytes = 10));
    send(bed.router(), post("/v1/jobs", &[], job(MODEL)))
        .await
        .problem(413);
}
