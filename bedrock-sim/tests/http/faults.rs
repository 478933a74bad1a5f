//! Streams and answers that break.

use serde_json::json;

use crate::client::{converse, converse_stream, open, path, post, prompt, request, send, start};

#[tokio::test]
async fn an_exception_comes_inside_the_stream() {
    let sim = start(json!({})).await;
    for (fault, name) in [
        ("stream-424", "modelStreamErrorException"),
        ("stream-throttle", "throttlingException"),
        ("stream-500", "internalServerException"),
        ("stream-503", "serviceUnavailableException"),
    ] {
        let answer = converse_stream(&sim, &format!("[[sim in=5 out=100 at=9 fault={fault}]]")).await;
        assert_eq!((answer.status.as_u16(), answer.broken), (200, false));
        let events = answer.events();
        let (kind, json) = events.last().unwrap();
        assert_eq!(kind, name);
        assert!(json["message"].is_string());
        assert_eq!(events.len(), 5, "messageStart, 1 + 4 + 4 tokens, the exception");
    }
    let stats = sim.stats().total;
    assert_eq!((stats.failed, stats.charged_tokens), (4, 4 * (5 + 9 * 5)));
    let whole = converse(&sim, "[[sim fault=stream-500]]").await;
    assert_eq!(whole.status, 500, "an answer in one piece fails as a whole");
    sim.stop().await;
}

#[tokio::test]
async fn a_stream_is_cut_before_or_after_its_first_token() {
    let sim = start(json!({})).await;
    let before = converse_stream(&sim, "[[sim in=5 out=100 fault=cut-before]]").await;
    assert_eq!(
        (before.status.as_u16(), before.broken, before.body.len()),
        (200, true, 0)
    );
    let after = converse_stream(&sim, "[[sim in=5 out=100 fault=cut-after]]").await;
    assert!(after.broken);
    let events = after.events();
    assert_eq!(
        (events[0].0.as_str(), events[1].0.as_str()),
        ("messageStart", "contentBlockDelta")
    );
    assert!(events.iter().all(|(kind, _)| kind != "messageStop"));
    let stats = sim.stats().total;
    assert_eq!((stats.cut, stats.output_tokens, stats.in_flight), (2, 50, 0));
    sim.stop().await;
}

#[tokio::test]
async fn a_whole_answer_is_cut_before_or_within() {
    let sim = start(json!({})).await;
    let body = prompt("[[sim fault=cut-before]]").to_string();
    let cut = open(
        sim.addr(),
        request(http::Method::POST, &path("converse"), body.as_bytes()),
    )
    .await;
    assert!(cut.is_err(), "no answer at all");
    let half = converse(&sim, "[[sim out=100 fault=cut-after]]").await;
    assert!(half.broken && !half.body.is_empty());
    assert_eq!(
        half.header("content-length").parse::<usize>().unwrap() / 2,
        half.body.len()
    );
    assert_eq!(sim.stats().total.cut, 2);
    sim.stop().await;
}

#[tokio::test]
async fn a_fault_of_a_mark_may_strike_only_the_first_calls_of_its_id() {
    let sim = start(json!({})).await;
    let text = "[[sim id=r1 times=2 fault=503]]";
    let mut statuses = Vec::new();
    for _ in 0..4 {
        statuses.push(converse(&sim, text).await.status.as_u16());
    }
    assert_eq!(statuses, [503, 503, 200, 200]);
    assert_eq!(
        converse(&sim, "[[sim id=r2 times=1 fault=503]]").await.status,
        503
    );
    assert_eq!(sim.calls(Some("r1")).len(), 4);
    sim.stop().await;
}

#[tokio::test]
async fn planned_faults_strike_their_share_of_the_calls_again_in_the_same_order() {
    let mut runs = Vec::new();
    for _ in 0..2 {
        let rules = json!([{"fault": "503", "share": 0.2}, {"fault": "throttle", "share": 0.2}]);
        let sim = start(json!({"faults": {"seed": 3, "rules": rules}})).await;
        let mut statuses = Vec::new();
        for _ in 0..60 {
            statuses.push(converse(&sim, "[[sim out=1]]").await.status.as_u16());
        }
        runs.push(statuses);
        sim.stop().await;
    }
    assert_eq!(runs[0], runs[1]);
    let count = |status| runs[0].iter().filter(|found| **found == status).count();
    assert!(
        count(503) > 4 && count(429) > 4 && count(200) > 20,
        "{:?}",
        runs[0]
    );
}

#[tokio::test]
async fn invoke_streams_raise_exceptions_too() {
    let sim = start(json!({})).await;
    let body = json!({"max_tokens": 100, "messages": [{"role": "user", "content": "[[sim out=50 fault=stream-408]]"}]});
    let answer = post(&sim, &path("invoke-with-response-stream"), &body).await;
    assert_eq!(answer.events().last().unwrap().0, "modelTimeoutException");
    let retried = send(
        &sim,
        request(http::Method::POST, &path("invoke"), body.to_string().as_bytes()),
    )
    .await;
    assert_eq!(
        (retried.status.as_u16(), retried.error()),
        (408, "ModelTimeoutException")
    );
    sim.stop().await;
}
