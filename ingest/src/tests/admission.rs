//! Doors of a lane in which ten minutes' work waits, for callers that have less time.

use super::call;
use crate::testbed::{Bed, MODEL, converse, lane, post, send};
use smoother_core::breaker::CallHealth;
use smoother_core::config::{Admission, Config};
use smoother_core::scheduler::{Again, Event, Scheduler, SchedulerConfig, Waiting};
use smoother_core::{CallNo, Millis, Priority, RequestId, TenantId, Timestamp, Tokens};

const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);

fn work(number: u16) -> Waiting {
    let mut random = [0; 10];
    random[..2].copy_from_slice(&(number + 1).to_be_bytes());
    Waiting {
        id: RequestId::fresh(NOW, random),
        tenant: TenantId::default(),
        priority: Priority::Normal,
        arrived_at: NOW.before(Millis::from_secs(1)),
        deadline: None,
        latest_start: None,
        reserve: Tokens::new(5_000),
        expected: Tokens::new(5_000),
        surplus: Tokens::ZERO,
        last_call: CallNo::NONE,
        not_before: None,
        retries: false,
        may_leave: false,
        has_next_lane: false,
        by_caller: false,
    }
}

/// Doors before 600 waiting requests of 5,000 tokens each, over 300,000 a minute.
fn behind_a_crowd(adjust: impl FnOnce(&mut Config)) -> Bed {
    let bed = Bed::with(|config| {
        let mut main = lane("main", MODEL, 300_000);
        main.pacing = smoother_core::config::Pacing::Window;
        config.lanes.insert(main.id.clone(), main);
        adjust(config);
    });
    let config = bed.ingest.settings().config.clone();
    let main = config
        .lanes
        .values()
        .find(|lane| lane.id.as_str() == "main")
        .unwrap();
    let mut scheduler = Scheduler::new(SchedulerConfig::of(&config, main), NOW);
    for number in 0..640 {
        scheduler.step(NOW, Event::Arrived(work(number)));
    }
    // What calls cost and how long they take is known from the first ones.
    for number in 0..40 {
        let (request, call) = (work(number).id, CallNo::new(1));
        scheduler.step(
            NOW,
            Event::Started {
                request,
                call,
                at: NOW,
            },
        );
        let end = Event::Ended {
            request,
            call,
            charged: Tokens::new(5_000),
            throttle: None,
            again: Again::No,
            health: CallHealth::Fine,
            at: NOW,
        };
        scheduler.step(NOW, end);
    }
    bed.lanes.run(scheduler);
    bed
}

fn job(headers: &[(&str, &str)]) -> http::Request<axum::body::Body> {
    post(
        "/v1/jobs",
        headers,
        format!(r#"{{"model":"{MODEL}","body":{}}}"#, converse()),
    )
}

#[tokio::test]
async fn a_job_without_the_time_is_refused_with_the_predicted_wait() {
    let bed = behind_a_crowd(|_| {});
    let said = send(bed.router(), job(&[("x-smoother-max-wait-ms", "60000")])).await;
    assert!(said.header("retry-after").parse::<u64>().unwrap() > 60);
    let problem = said.json();
    assert_eq!(problem["type"], "urn:bedrock-smoother:problem:too-late");
    assert_eq!(problem["limit"]["name"], "max_wait_ms");
    assert_eq!(problem["limit"]["value"], 60_000);
    let detail = said.problem(429);
    for word in [
        "max_wait_ms = 60000 cannot be met",
        "in lane main and is expected to start in",
        "ms at best",
    ] {
        assert!(detail.contains(word), "{detail}");
    }
    assert_eq!(bed.store.len(), 0);
    // With more time, or none set, it may come in.
    for headers in [&[("x-smoother-max-wait-ms", "600000")][..], &[]] {
        let said = send(bed.router(), job(headers)).await;
        assert_eq!(said.status.as_u16(), 202);
        assert!(said.json().get("will_miss").is_none());
    }
}

#[tokio::test(start_paused = true)]
async fn on_bedrocks_wire_it_is_throttled() {
    let bed = behind_a_crowd(|_| {});
    let headers = [("x-smoother-max-wait-ms", "2000")];
    let said = send(
        bed.router(),
        post(&format!("/model/{MODEL}/converse"), &headers, converse()),
    )
    .await;
    let told = said.exception(429, "ThrottlingException");
    assert!(
        told.contains("x-smoother-max-wait-ms = 2000 cannot be met"),
        "{told}"
    );
    assert!(said.header("retry-after").parse::<u64>().unwrap() > 60);
    assert_eq!(bed.store.len(), 0);
}

#[tokio::test(start_paused = true)]
async fn where_it_is_only_flagged_it_comes_in_and_is_told() {
    let bed = behind_a_crowd(|config| config.limits.admission = Admission::Flag);
    let headers = [("x-smoother-max-wait-ms", "60000")];
    let said = send(bed.router(), job(&headers)).await;
    assert_eq!(
        (said.status.as_u16(), &said.json()["will_miss"]),
        (202, &"max_wait_ms".into())
    );
    bed.arrived().await;
    let caller = call(
        &bed,
        post(&format!("/model/{MODEL}/converse"), &headers, converse()),
    );
    let id = bed.arrived().await.id;
    bed.start(id);
    bed.complete(id, "{}");
    let said = caller.await.unwrap();
    assert_eq!(said.status.as_u16(), 200, "it may be in time after all");
    assert_eq!(said.header("x-smoother-will-miss"), "x-smoother-max-wait-ms");
}
