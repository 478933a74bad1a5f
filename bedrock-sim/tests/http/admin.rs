//! `/stats`, `/control`, `/calls`.

use bedrock_sim::{Settings, Sim, SimConfig, StatsReport};
use http::Method;
use serde_json::{Value, json};

use crate::client::{SONNET, converse, get, path, post, prompt, request, send, start};

#[tokio::test]
async fn statistics_are_served_and_reset() {
    let sim = start(json!({"quota": {"requests_per_minute": 12}})).await;
    converse(&sim, "[[sim in=3 out=2 prio=interactive]]").await;
    converse(&sim, "[[sim in=3 out=2 prio=batch]]").await;
    converse(&sim, "[[sim in=3 out=2 prio=batch]]").await;
    let served: StatsReport = serde_json::from_slice(&get(&sim, "/stats").await.body).unwrap();
    let total = &served.total;
    assert_eq!(
        (
            total.calls,
            total.accepted,
            total.answered,
            total.throttled.requests
        ),
        (3, 2, 2, 1)
    );
    assert_eq!(served.by_priority["batch"].throttled.requests, 1);
    assert_eq!(served.by_priority["interactive"].accepted, 1);
    assert!(
        served.utilisation.requests.is_none_or(|share| share > 1.0),
        "a burst of two at once"
    );
    assert_eq!(post(&sim, "/stats/reset", &json!({})).await.status, 200);
    let stats = sim.stats();
    assert_eq!((stats.total.calls, stats.by_priority.len()), (0, 0));
    assert_eq!(
        (
            stats.models[SONNET].counts.calls,
            served.models[SONNET].counts.calls
        ),
        (0, 3)
    );
    assert_eq!(converse(&sim, "hi").await.status, 429, "the quota is not reset");
    sim.stop().await;
}

#[tokio::test]
async fn settings_change_while_it_runs() {
    let sim = start(json!({})).await;
    assert_eq!(converse(&sim, "hi").await.status, 200);
    let patch =
        json!({"quota": {"requests_per_minute": 0}, "latency": {"base_ms": 1.5}, "external_load": 0.25});
    let answer = post(&sim, "/control", &patch).await.json();
    assert_eq!(
        (&answer["external_load"], &answer["latency"]["base_ms"]),
        (&json!(0.25), &json!(1.5))
    );
    assert_eq!(converse(&sim, "hi").await.status, 429);
    assert_eq!(get(&sim, "/control").await.json(), answer);
    post(&sim, "/control", &json!({"quota": {"requests_per_minute": null}})).await;
    assert_eq!(converse(&sim, "hi").await.status, 200);
    post(
        &sim,
        "/control",
        &json!({"faults": {"rules": [{"fault": "500", "share": 1.0}]}}),
    )
    .await;
    assert_eq!(converse(&sim, "hi").await.status, 500);
    let wrong = post(&sim, "/control", &json!({"quotas": {}})).await;
    assert_eq!(wrong.status, 400);
    assert!(wrong.json()["message"].as_str().unwrap().contains("quotas"));
    assert_eq!(
        send(&sim, request(Method::POST, "/control", b"nonsense"))
            .await
            .status,
        400
    );
    sim.stop().await;
}

#[tokio::test]
async fn the_call_log_tells_every_call_of_one_client_request() {
    let sim = start(json!({})).await;
    for attempt in 1..=2 {
        let body = prompt("[[sim id=job-1 out=3 fault=throttle times=1]]").to_string();
        let mut request = request(Method::POST, &path("converse"), body.as_bytes());
        let headers = request.headers_mut();
        headers.insert("amz-sdk-invocation-id", "inv-1".parse().unwrap());
        headers.insert(
            "amz-sdk-request",
            format!("attempt={attempt}; max=3").parse().unwrap(),
        );
        send(&sim, request).await;
    }
    converse(&sim, "[[sim id=job-2]]").await;
    let calls = get(&sim, "/calls?id=job-1").await.json()["calls"].clone();
    let told: Vec<_> = calls
        .as_array()
        .unwrap()
        .iter()
        .map(|call| {
            (
                call["outcome"].clone(),
                call["invocation_id"].clone(),
                call["sdk_request"].clone(),
            )
        })
        .collect();
    let attempt = |outcome: &str, number| {
        (
            json!(outcome),
            json!("inv-1"),
            json!(format!("attempt={number}; max=3")),
        )
    };
    assert_eq!(told, [attempt("refused", 1), attempt("answered", 2)]);
    assert_eq!(calls[0]["fault"], "throttle");
    assert_eq!(calls[1]["model"], SONNET);
    assert_eq!(
        get(&sim, "/calls").await.json()["calls"]
            .as_array()
            .unwrap()
            .len(),
        3
    );
    sim.stop().await;
}

#[tokio::test]
async fn the_call_log_keeps_the_newest_calls() {
    let config = SimConfig {
        port: 0,
        call_log: 2,
        ..SimConfig::default()
    };
    let sim = Sim::start(config).await.unwrap();
    for id in ["a", "b", "c"] {
        converse(&sim, &format!("[[sim id={id}]]")).await;
    }
    let ids: Vec<_> = sim.calls(None).into_iter().map(|call| call.id.unwrap()).collect();
    assert_eq!(ids, ["b", "c"]);
    sim.stop().await;
}

#[tokio::test]
async fn other_paths_and_methods_are_refused() {
    let sim = start(json!({})).await;
    assert_eq!(get(&sim, "/healthz").await.json(), json!({"status": "ok"}));
    assert_eq!(get(&sim, "/stats/reset").await.status, 405);
    assert_eq!(get(&sim, "/nowhere").await.status, 404);
    assert_eq!(get(&sim, &path("converse")).await.status, 404);
    sim.stop().await;
}

#[tokio::test]
async fn wrong_settings_and_a_taken_port_are_reported_at_the_start() {
    let settings = Settings {
        external_load: 2.0,
        ..Settings::default()
    };
    let wrong = Sim::start(SimConfig {
        settings,
        ..SimConfig::default()
    })
    .await
    .unwrap_err();
    assert!(wrong.to_string().contains("external_load is 2"));
    let sim = start(Value::Object(serde_json::Map::new())).await;
    let taken = SimConfig {
        port: sim.addr().port(),
        ..SimConfig::default()
    };
    assert!(
        Sim::start(taken)
            .await
            .unwrap_err()
            .to_string()
            .contains("cannot listen on 127.0.0.1:")
    );
    sim.stop().await;
}
