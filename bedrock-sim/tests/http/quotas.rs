//! What is charged, over HTTP.

use bedrock_sim::Outcome;
use serde_json::json;

use crate::client::{SONNET, converse, path, post, prompt_of, start};

#[tokio::test]
async fn a_call_reserves_its_max_tokens_and_settles_to_what_it_used() {
    let sim = start(json!({"quota": {"tokens_per_minute": 600_000, "limiter": "sliding"}})).await;
    let text = "[[sim in=100 out=20 cache_read=50 cache_write=10 id=a prio=batch]]";
    assert_eq!(
        post(&sim, &path("converse"), &prompt_of(text, 4_096))
            .await
            .status,
        200
    );
    let call = sim.calls(Some("a")).remove(0);
    assert_eq!(
        (call.reserved, call.charged),
        (100 + 50 + 10 + 4_096, 100 + 10 + 20 * 5)
    );
    assert_eq!((call.outcome, call.output_tokens), (Outcome::Answered, 20));
    let stats = sim.stats();
    assert_eq!(stats.total.charged_tokens, 210);
    assert_eq!(stats.by_priority["batch"].charged_tokens, 210);
    assert_eq!(stats.by_priority.len(), 1);
    sim.stop().await;
}

#[tokio::test]
async fn an_unset_max_tokens_reserves_the_models_maximum() {
    let sim = start(json!({"max_output_tokens": 5_000,
        "quota": {"tokens_per_minute": 30_000, "bucket_seconds": 10}}))
    .await;
    assert_eq!(
        converse(&sim, "[[sim in=1 out=1]]").await.status,
        429,
        "5,001 of 5,000"
    );
    let small = post(&sim, &path("converse"), &prompt_of("[[sim in=1 out=1]]", 4_999)).await;
    assert_eq!(small.status, 200);
    sim.stop().await;
}

#[tokio::test]
async fn the_reservation_is_held_while_the_call_runs() {
    let sim = start(
        json!({"quota": {"tokens_per_minute": 60_000, "max_concurrency": 5},
        "latency": {"base_ms": 400}}),
    )
    .await;
    let body = prompt_of("[[sim in=10 out=10]]", 5_900);
    let converse_path = path("converse");
    let first = post(&sim, &converse_path, &body);
    let second = async {
        // The first is admitted once it is counted as in flight.
        while sim.stats().total.in_flight == 0 {
            tokio::task::yield_now().await;
        }
        post(&sim, &converse_path, &body).await
    };
    let (first, second) = tokio::join!(first, second);
    assert_eq!((first.status.as_u16(), second.status.as_u16()), (200, 429));
    assert_eq!(
        post(&sim, &path("converse"), &body).await.status,
        200,
        "settled to 60, the rest is free"
    );
    assert_eq!(sim.stats().total.peak_in_flight, 1);
    sim.stop().await;
}

#[tokio::test]
async fn utilisation_is_what_was_charged_over_the_busy_time() {
    let sim = start(
        json!({"quota": {"tokens_per_minute": 600_000, "requests_per_minute": 60_000},
        "output_burndown": 1, "latency": {"base_ms": 100}}),
    )
    .await;
    let body = prompt_of("[[sim in=1000 out=1000]]", 1_000);
    for _ in 0..2 {
        assert_eq!(post(&sim, &path("converse"), &body).await.status, 200);
    }
    let report = sim.stats();
    let model = &report.models[SONNET];
    assert_eq!(model.counts.charged_tokens, 4_000);
    let busy_minutes = model.busy.busy_ms as f64 / 60_000.0;
    let expected = 4_000.0 / (600_000.0 * busy_minutes);
    let found = model.utilisation.tokens.unwrap();
    assert!((found / expected - 1.0).abs() < 0.02, "{found} {expected}");
    assert_eq!(
        model.utilisation.binding, model.utilisation.tokens,
        "tokens bind, not requests"
    );
    assert_eq!(report.utilisation, model.utilisation);
    sim.stop().await;
}
