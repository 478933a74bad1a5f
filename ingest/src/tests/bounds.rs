//! Doors of a lane in which as much waits as may.

use super::{call, settle};
use crate::testbed::{Bed, MODEL, converse, post, send};
use crate::{Arriving, Input, Senders, Taken};
use smoother_core::config::{Bound, Config};
use smoother_core::ports::{BoxFuture, Pointer, PointerError, Pointers};
use smoother_core::scheduler::{Scheduler, SchedulerConfig};
use smoother_core::{LaneId, Priority, TenantId, Timestamp};
use std::collections::BTreeMap;
use std::sync::Arc;

const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);

/// Doors of a lane with its scheduler behind it, in which one call may be made at a time.
fn bed(adjust: impl FnOnce(&mut Config)) -> Bed {
    let bed = Bed::with(|config| {
        let main = config.lanes.get_mut(&LaneId::new("main").unwrap()).unwrap();
        main.max_concurrency = 1;
        adjust(config);
    });
    let config = bed.ingest.settings().config.clone();
    let main = &config.lanes[&LaneId::new("main").unwrap()];
    let scheduler = Scheduler::new(SchedulerConfig::of(&config, main), NOW);
    bed.lanes.run(scheduler);
    bed
}

fn batch_bound(most: u64) -> impl FnOnce(&mut Config) {
    move |config| {
        config.limits.bands[Priority::Batch.index()] = Bound {
            requests: Some(most),
            tokens: None,
        };
    }
}

fn job(key: &str) -> String {
    format!(
        r#"{{"model":"{MODEL}","body":{},"priority":"batch","idempotency_key":"{key}"}}"#,
        converse()
    )
}

#[tokio::test]
async fn a_job_beyond_the_bound_is_told_which_and_when_to_come_back() {
    let bed = bed(batch_bound(1));
    let to = |key: &str| send(bed.router(), post("/v1/jobs", &[], job(key)));
    for key in ["runs", "waits"] {
        assert_eq!(to(key).await.status.as_u16(), 202);
    }
    let stored = bed.store.len();
    let said = to("third").await;
    assert_eq!(said.header("retry-after"), "5", "one call has to end first");
    let problem = said.json();
    assert_eq!(problem["type"], "urn:bedrock-smoother:problem:too-much-waiting");
    assert_eq!(problem["limit"]["name"], "limits.batch_waiting");
    assert_eq!(problem["limit"]["value"], 1);
    assert_eq!(problem["retry_after"], 5);
    let detail = said.problem(429);
    for word in [
        "1 requests of priority batch wait for lane main",
        "limits.batch_waiting is 1",
    ] {
        assert!(detail.contains(word), "{detail}");
    }
    assert_eq!(bed.store.len(), stored, "nothing was stored");
    // Whoever is known is in already.
    assert_eq!(to("waits").await.status.as_u16(), 202);
    assert_eq!(to("runs").await.status.as_u16(), 202);
}

#[tokio::test]
async fn bedrocks_wire_hears_it_in_bedrocks_words_and_a_retry_still_joins() {
    let bed = bed(|config| {
        config.limits.lane = Bound {
            requests: Some(1),
            tokens: None,
        };
    });
    let sdk = |id: &str, attempt: u32| {
        let attempt = format!("attempt={attempt}; max=3");
        let headers = [("amz-sdk-invocation-id", id), ("amz-sdk-request", &attempt)];
        post(&format!("/model/{MODEL}/converse"), &headers, converse())
    };
    let runs = call(&bed, sdk("runs", 1));
    bed.arrived().await;
    let waits = call(&bed, sdk("waits", 1));
    let id = bed.arrived().await.id;
    let said = call(&bed, sdk("third", 1)).await.unwrap();
    let told = said.exception(429, "ThrottlingException");
    assert!(
        told.starts_with("Too many requests, please wait before trying again.")
            && told.contains("limits.waiting is 1"),
        "{told}"
    );
    assert_eq!(said.header("retry-after"), "5");
    let again = call(&bed, sdk("waits", 2));
    settle().await;
    bed.start(id);
    bed.complete(id, "{}");
    assert_eq!(again.await.unwrap().status.as_u16(), 200);
    assert_eq!(waits.await.unwrap().status.as_u16(), 200);
    runs.abort();
}

#[tokio::test]
async fn a_tenants_own_bound_is_named_with_its_name() {
    let bed = bed(|config| {
        let own = config.tenants.entry(TenantId::default()).or_default();
        own.max_waiting.tokens = Some(smoother_core::Tokens::new(100));
    });
    let to = |key: &str| send(bed.router(), post("/v1/jobs", &[], job(key)));
    for key in ["runs", "waits"] {
        assert_eq!(to(key).await.status.as_u16(), 202);
    }
    let detail = to("third").await.problem(429);
    assert!(
        detail.contains("tenants.default.max_waiting_tokens is 100"),
        "{detail}"
    );
    assert!(detail.contains("of tenant default that will reserve"), "{detail}");
}

struct Nowhere;

impl Pointers for Nowhere {
    fn read(&self, _: &Pointer, _: u64) -> BoxFuture<'_, Result<bytes::Bytes, PointerError>> {
        Box::pin(async { Err(PointerError::Failed("there is none".to_owned())) })
    }
}

#[tokio::test]
async fn a_message_beyond_the_bound_stays_in_its_queue() {
    let bed = bed(batch_bound(1));
    let input = Input::new(bed.ingest.clone(), Senders::default(), Arc::new(Nowhere));
    let message = |id: &str| Arriving {
        id: id.to_owned(),
        body: job(id),
        attributes: BTreeMap::new(),
        sender: None,
    };
    for id in ["runs", "waits"] {
        assert!(matches!(input.take(&message(id)).await, Taken::Accepted(_)));
    }
    let Taken::Again(why) = input.take(&message("third")).await else {
        panic!("it has to come again");
    };
    assert!(why.contains("limits.batch_waiting is 1"), "{why}");
    assert!(matches!(input.take(&message("waits")).await, Taken::Accepted(_)));
}
