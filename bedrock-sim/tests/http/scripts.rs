//! Scripts: what goes wrong when and where, over HTTP.

use std::time::{Duration, Instant};

use bedrock_sim::{Outcome, RunningSim, Script};
use http::{Method, StatusCode};
use http_body_util::BodyExt;
use serde_json::{Value, json};

use crate::client::{Answer, converse, converse_stream, get, open, path, prompt, request, send, start};
use crate::regions::signed;

/// The text of a script that comes with the simulator.
fn ready_made(name: &str) -> String {
    let file = format!("{}/scripts/{name}.toml", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(file).unwrap()
}

async fn put(sim: &RunningSim, script: &str) -> Answer {
    send(sim, request(Method::PUT, "/script", script.as_bytes())).await
}

async fn delete(sim: &RunningSim) -> Answer {
    send(sim, request(Method::DELETE, "/script", b"")).await
}

/// Waits until exactly these spans cover the moment; fails after ten seconds.
async fn until_active(sim: &RunningSim, names: &[&str]) {
    let poll = async {
        while get(sim, "/script").await.json()["active"] != json!(names) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), poll)
        .await
        .expect("the spans never came");
}

async fn statuses(sim: &RunningSim, calls: usize) -> Vec<u16> {
    let mut statuses = Vec::new();
    for _ in 0..calls {
        statuses.push(converse(sim, "[[sim out=1]]").await.status.as_u16());
    }
    statuses
}

#[tokio::test]
async fn a_storm_is_put_in_place_counted_and_taken_away() {
    let sim = start(json!({})).await;
    assert_eq!(get(&sim, "/script").await.json(), json!({"script": null}));
    let answer = put(&sim, &ready_made("throttle-storm")).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.json()["script"]["spans"][0]["faults"]["throttle"], 0.5);
    assert_eq!(answer.json()["active"], json!(["storm"]));
    let in_storm = statuses(&sim, 100).await;
    let count = |status| in_storm.iter().filter(|found| **found == status).count() as u64;
    let stats = sim.stats();
    let storm = &stats.spans["storm"];
    assert_eq!(storm.calls, 100);
    let faults = &storm.faults;
    assert_eq!(
        (count(429), count(503)),
        (
            faults["throttle"] + faults["throttle-requests"] + faults["throttle-connections"],
            faults["503-connections"]
        )
    );
    assert!(count(429) > 40 && count(200) > 10, "{in_storm:?}");
    assert_eq!(&stats.total.faults, faults);
    let refused = sim.calls(None).into_iter().filter(|call| call.span.is_some());
    assert!(
        refused
            .clone()
            .all(|call| call.span.as_deref() == Some("storm") && call.fault.is_some())
    );
    assert_eq!(refused.count() as u64, 100 - count(200));

    assert_eq!(delete(&sim).await.json(), json!({"script": null}));
    assert_eq!(statuses(&sim, 20).await, [200; 20]);
    assert_eq!(
        sim.stats().spans["storm"].calls,
        100,
        "what it did is not forgotten"
    );
    send(&sim, request(Method::POST, "/stats/reset", b"")).await;
    assert!(sim.stats().spans.is_empty());
    sim.stop().await;
}

#[tokio::test]
async fn the_same_script_strikes_the_same_calls_again() {
    let mut runs = Vec::new();
    for _ in 0..2 {
        let sim = start(json!({})).await;
        // What came before the script does not matter.
        statuses(&sim, runs.len() * 3).await;
        sim.set_script(Some(
            Script::read(ready_made("throttle-storm").as_bytes()).unwrap(),
        ));
        runs.push(statuses(&sim, 60).await);
        sim.stop().await;
    }
    assert_eq!(runs[0], runs[1]);
}

#[tokio::test]
async fn calls_fail_and_hang_in_their_shares() {
    let sim = start(json!({})).await;
    put(&sim, &ready_made("errors-and-hangs")).await;
    let body = prompt("[[sim out=3]]").to_string();
    let calls: Vec<_> = (0..300)
        .map(|_| {
            let call = open(
                sim.addr(),
                request(Method::POST, &path("converse"), body.as_bytes()),
            );
            tokio::spawn(tokio::time::timeout(Duration::from_secs(3), async {
                let (head, body) = call.await.unwrap().into_parts();
                body.collect().await.map(|_| head.status)
            }))
        })
        .collect();
    let (mut hung, mut failed, mut answered) = (0, 0, 0);
    for call in calls {
        match call.await.unwrap() {
            Err(_) => hung += 1,
            Ok(status) if status.as_ref().is_ok_and(StatusCode::is_server_error) => failed += 1,
            Ok(status) => {
                assert_eq!(status.unwrap(), 200);
                answered += 1;
            }
        }
    }
    let stats = sim.stats();
    let struck = |span: &str| stats.spans[span].faults.values().sum::<u64>();
    assert_eq!((failed, hung), (struck("errors"), struck("hangs")));
    assert_eq!(stats.total.answered, answered);
    assert!(failed >= 15 && hung >= 5, "{failed} {hung}");
    sim.stop().await;
}

#[tokio::test]
async fn one_region_is_out_and_the_others_are_well() {
    let sim = start(json!({})).await;
    put(&sim, &ready_made("region-out")).await;
    for region in [Some("us-east-1"), None, Some("us-west-2"), Some("eu-central-1")] {
        let out = region.is_none_or(|region| region == "us-east-1");
        for _ in 0..20 {
            match open(sim.addr(), signed(region, "[[sim out=1]]")).await {
                Ok(answer) => assert_eq!(answer.status(), if out { 503 } else { 200 }, "{region:?}"),
                Err(_) => assert!(out, "{region:?} was cut"),
            }
        }
    }
    let out = sim.stats().spans["out"].clone();
    assert_eq!((out.calls, out.faults.values().sum::<u64>()), (40, 40));
    sim.stop().await;
}

#[tokio::test]
async fn starts_and_tokens_come_later() {
    let sim = start(json!({"latency": {"tokens_per_event": 1}})).await;
    put(
        &sim,
        r#"{"spans": [{"name": "slow", "slow_start": {"share": 1, "added_ms": [80, 90]},
            "slow_tokens": {"share": 1, "added_ms": [5, 5]}}]}"#,
    )
    .await;
    let (began, body) = (Instant::now(), prompt("[[sim out=20]]").to_string());
    let stream = request(Method::POST, &path("converse-stream"), body.as_bytes());
    let response = open(sim.addr(), stream).await.unwrap();
    assert!(
        began.elapsed() >= Duration::from_millis(80),
        "the head comes with the first token"
    );
    response.into_body().collect().await.unwrap();
    assert!(began.elapsed() >= Duration::from_millis(80 + 20 * 5));
    let slow = sim.calls(None)[0].slow.unwrap();
    assert!((80.0..90.0).contains(&slow.start_ms), "{slow:?}");
    assert_eq!((slow.token_ms, slow.factor), (5.0, 1.0));
    let span = sim.stats().spans["slow"].clone();
    assert_eq!((span.slow_starts, span.slow_tokens), (1, 1));

    put(
        &sim,
        "[[spans]]\nname = 'factor'\nlatency_factor = { from = 20, to = 20 }",
    )
    .await;
    let began = Instant::now();
    converse(&sim, "[[sim out=10 latency_ms=4 token_ms=1]]").await;
    assert!(
        began.elapsed() >= Duration::from_millis(20 * (4 + 10)),
        "{:?}",
        began.elapsed()
    );
    assert_eq!(converse_stream(&sim, "[[sim out=1]]").await.status, 200);
    sim.stop().await;
}

#[tokio::test]
async fn a_capacity_refuses_what_comes_on_top() {
    let sim = start(json!({"quota": {"max_concurrency": 9}})).await;
    put(
        &sim,
        "[[spans]]\nname = 'narrow'\ncapacity = { from = 1, to = 1 }",
    )
    .await;
    let held = converse(&sim, "[[sim out=1 latency_ms=400]]");
    let refused = async {
        while sim.stats().total.in_flight == 0 {
            tokio::task::yield_now().await;
        }
        let elsewhere = send(&sim, signed(Some("eu-west-1"), "[[sim out=1]]")).await;
        (converse(&sim, "[[sim id=second]]").await, elsewhere)
    };
    let (held, (refused, elsewhere)) = tokio::join!(held, refused);
    assert_eq!((held.status.as_u16(), elsewhere.status.as_u16()), (200, 200));
    assert_eq!(
        (refused.status.as_u16(), refused.error()),
        (503, "ServiceUnavailableException")
    );
    assert!(
        refused.json()["message"]
            .as_str()
            .unwrap()
            .starts_with("Too many connections")
    );
    let stats = sim.stats();
    assert_eq!(
        (stats.spans["narrow"].refused, stats.total.throttled.concurrency),
        (1, 1)
    );
    let call = sim.calls(Some("second")).remove(0);
    assert_eq!(
        (call.outcome, call.span.as_deref()),
        (Outcome::Refused, Some("narrow"))
    );
    sim.stop().await;
}

#[tokio::test]
async fn a_model_dies_slowly_and_recovers() {
    let sim = start(json!({})).await;
    // A minute in a second.
    put(&sim, &format!("speed = 60\n{}", ready_made("slow-death"))).await;
    assert_eq!(converse(&sim, "[[sim out=1]]").await.status, 200);
    until_active(&sim, &["dead"]).await;
    assert_eq!(statuses(&sim, 5).await, [503; 5]);
    put(&sim, &format!("speed = 60\n{}", ready_made("recovery"))).await;
    assert_eq!(converse(&sim, "[[sim out=1]]").await.status, 503);
    until_active(&sim, &[]).await;
    assert_eq!(statuses(&sim, 5).await, [200; 5]);
    let spans = sim.stats().spans;
    assert_eq!((spans["dead"].faults["503"], spans["dying"].calls), (5, 1));
    sim.stop().await;
}

#[tokio::test]
async fn a_wrong_script_is_refused_and_the_one_in_place_stays() {
    let sim = start(json!({})).await;
    put(&sim, "[[spans]]\nname = 'all'\nfaults = { 500 = 1 }").await;
    for (wrong, said) in [
        ("[[spans]]\nname = 'a'\nfaults = { teapot = 1 }", "line 3"),
        (
            "[[spans]]\nname = 'a'\nfaults = { 500 = 2 }",
            "faults.500 is 2; it must be from 0 to 1",
        ),
        ("{\"spans\": []}", "spans is empty"),
        ("", "missing field `spans`"),
    ] {
        let refused = put(&sim, wrong).await;
        assert_eq!(refused.status, 400);
        let message = refused.json()["message"].as_str().unwrap().to_owned();
        assert!(message.contains(said), "{message}");
    }
    assert_eq!(converse(&sim, "hi").await.status, 500);
    let other = send(&sim, request(Method::POST, "/script", b"{}")).await;
    assert_eq!(other.status, 405);
    sim.stop().await;
}

#[tokio::test]
async fn a_mark_comes_before_the_script_and_the_script_before_the_settings() {
    let sim = start(json!({"faults": {"rules": [{"fault": "424", "share": 1}]}})).await;
    assert_eq!(converse(&sim, "hi").await.status, 424);
    put(&sim, "[[spans]]\nname = 'all'\nfaults = { 500 = 1 }").await;
    assert_eq!(converse(&sim, "hi").await.status, 500);
    assert_eq!(converse(&sim, "[[sim fault=403]]").await.status, 403);
    let span = serde_json::to_value(&sim.stats().spans["all"]).unwrap();
    assert_eq!(span["faults"], json!({"500": 1}));
    let spans: Vec<Value> = get(&sim, "/calls").await.json()["calls"]
        .as_array()
        .unwrap()
        .iter()
        .map(|call| call["span"].clone())
        .collect();
    assert_eq!(spans, [json!(null), json!("all"), json!(null)]);
    sim.stop().await;
}
