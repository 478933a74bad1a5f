//! Dead letters as an operator reads them.

use super::world::{NOW, World, job};
use bytes::Bytes;
use http::StatusCode;
use serde_json::Value;
use smoother_core::call::{CallEnding, Settlement};
use smoother_core::{Call, CallNo, Failure, LaneId, Millis, ModelErrorKind, Outcome, Request, State, Tokens};

/// The `n`th job, dead `ago` seconds ago of an error of this kind.
fn letter(n: u8, kind: Option<ModelErrorKind>, ago: u64) -> Request {
    Request {
        state: State::Failed,
        dead: true,
        call: CallNo::new(1),
        calls_made: 1,
        ended_at: Some(NOW.before(Millis::from_secs(ago))),
        outcome: Some(Outcome::Failure(Failure {
            kind,
            status: 500,
            exception: "InternalServerException".to_owned(),
            message: "It broke.".to_owned(),
            headers: Vec::new(),
        })),
        ..job(n)
    }
}

fn world() -> World {
    let world = World::new();
    world.rows.put(job(1));
    world.rows.put(letter(2, Some(ModelErrorKind::Internal), 9));
    world.rows.put(letter(3, None, 5));
    world.rows.put(Request {
        lane: LaneId::new("haiku").unwrap(),
        ..letter(4, Some(ModelErrorKind::Internal), 1)
    });
    world
}

async fn ids(world: &World, query: &str) -> Vec<String> {
    let page = world.get(&format!("/v1/dlq{query}")).await;
    assert_eq!(page.status, StatusCode::OK, "{query}: {:?}", page.bytes);
    let page = page.json();
    let letters = page["letters"].as_array().unwrap();
    letters
        .iter()
        .map(|l| l["id"].as_str().unwrap().to_owned())
        .collect()
}

fn id(n: u8) -> String {
    job(n).id.to_string()
}

#[tokio::test]
async fn only_what_is_asked_for_is_listed() {
    let world = world();
    for (query, expected) in [
        ("", vec![4, 3, 2]),
        ("?lane=sonnet", vec![3, 2]),
        ("?error=internal", vec![4, 2]),
        ("?error=none", vec![3]),
        ("?after=2026-01-01T00:00:05Z", vec![4, 3]),
        ("?before=2026-01-01T00:00:05Z", vec![2]),
        ("?lane=haiku&error=none", vec![]),
    ] {
        let expected: Vec<String> = expected.into_iter().map(id).collect();
        assert_eq!(ids(&world, query).await, expected, "{query}");
    }
}

#[tokio::test]
async fn pages_go_on_with_their_cursor_and_their_filter() {
    let world = world();
    let page = world.get("/v1/dlq?limit=2").await.json();
    assert_eq!(page["letters"].as_array().unwrap().len(), 2);
    let cursor = page["next_cursor"].as_str().unwrap();
    let rest = world
        .get(&format!("/v1/dlq?limit=2&cursor={cursor}"))
        .await
        .json();
    assert_eq!(rest["letters"][0]["id"], id(2));
    assert_eq!(rest["next_cursor"], Value::Null);
    let moved = world.get(&format!("/v1/dlq?error=none&cursor={cursor}")).await;
    assert_eq!(moved.status, StatusCode::BAD_REQUEST);
    let jobs = world.get(&format!("/v1/jobs?cursor={cursor}")).await;
    assert_eq!(
        jobs.status,
        StatusCode::BAD_REQUEST,
        "a cursor of another listing"
    );
}

#[tokio::test]
async fn a_list_tells_the_cause_and_where_the_body_lies_but_not_the_body() {
    let world = world();
    let letter = world.get("/v1/dlq?error=internal&lane=sonnet").await.json()["letters"][0].clone();
    assert_eq!(letter["error"]["kind"], "internal");
    assert_eq!(letter["error"]["message"], "It broke.");
    assert_eq!(letter["body"]["bytes"], 10);
    assert_eq!(letter["body"]["url"], format!("/v1/dlq/{}?body=true", id(2)));
    assert_eq!(letter["dead_letter"], true);
}

#[tokio::test]
async fn one_is_told_with_its_calls_and_its_body_byte_for_byte() {
    let world = world();
    let row = letter(2, Some(ModelErrorKind::Internal), 9);
    world.rows.calls.lock().unwrap().push(Call {
        request: row.id,
        number: CallNo::new(1),
        lane: row.lane.clone(),
        reserved: Tokens::new(70),
        charged_at: NOW,
        settlement: Some(Settlement {
            call: CallNo::new(1),
            ending: CallEnding::Failed,
            charged: Tokens::new(7),
            usage: None,
            throttle: None,
            error: Some(ModelErrorKind::Internal),
            upstream_request_id: None,
            at: NOW,
        }),
    });
    world
        .kept
        .0
        .lock()
        .unwrap()
        .insert(row.id, Bytes::from_static(b"{\"a\":\xc3\xa9}"));
    let told = world.get(&format!("/v1/dlq/{}", row.id)).await.json();
    assert_eq!(told["calls"][0]["error"], "internal");
    assert_eq!(told["charged_tokens"], 7);
    let body = world.get(&format!("/v1/dlq/{}?body=true", row.id)).await;
    assert_eq!(
        (body.status, &body.bytes[..]),
        (StatusCode::OK, &b"{\"a\":\xc3\xa9}"[..])
    );
    assert_eq!(body.header("content-type"), "application/json");
    let gone = world.get(&format!("/v1/dlq/{}?body=true", id(3))).await;
    assert_eq!(gone.status, StatusCode::GONE);
}

#[tokio::test]
async fn what_is_no_dead_letter_and_what_cannot_be_read_is_a_problem() {
    let world = world();
    for (path, status, says) in [
        (format!("/v1/dlq/{}", id(1)), 404, "QUEUED"),
        (format!("/v1/dlq/{}", id(9)), 404, "No job"),
        ("/v1/dlq/x".to_owned(), 400, "id"),
        ("/v1/dlq?error=Internal".to_owned(), 400, "throttled_tokens"),
        ("/v1/dlq?before=noon".to_owned(), 400, "before"),
        ("/v1/dlq?lane=opus".to_owned(), 404, "opus"),
        ("/v1/dlq?colour=blue".to_owned(), 400, "colour"),
        (format!("/v1/dlq/{}?body=perhaps", id(2)), 400, "body"),
    ] {
        let answer = world.get(&path).await;
        assert_eq!(answer.status.as_u16(), status, "{path}");
        assert!(
            answer.json()["detail"].as_str().unwrap().contains(says),
            "{path}: {:?}",
            answer.bytes
        );
    }
}
