//! Listing and status.

use super::world::{NOW, World, completed, job, view};
use http::StatusCode;
use serde_json::json;
use smoother_core::ports::{Live, StoreError, Update};
use smoother_core::scheduler::Forecast;
use smoother_core::{
    Call, CallEnding, CallNo, LaneId, Millis, ModelErrorKind, Rev, Settlement, State, TenantId,
    ThrottleCause, Tokens,
};

#[tokio::test]
async fn a_waiting_job_shows_its_place() {
    let world = World::new();
    let row = job(1);
    world.rows.put(row.clone());
    *world.views.forecast.lock().unwrap() = Some(Forecast {
        position: 7,
        start: NOW + Millis::from_secs(3),
        earliest: NOW,
    });
    let answer = world.get(&format!("/v1/jobs/{}", row.id)).await;
    assert_eq!(answer.status, StatusCode::OK);
    let job = answer.json();
    assert_eq!(job["status"], "QUEUED");
    assert_eq!(job["created_at"], "2026-01-01T00:00:00.000Z");
    assert_eq!(job["estimated_position"], 7);
    assert_eq!(job["estimated_start"], "2026-01-01T00:00:13.000Z");
    assert_eq!(job["timings"], json!({"queued_ms": 10_000, "total_ms": 10_000}));
    assert_eq!(job["result_url"], format!("/v1/jobs/{}/result", row.id));
    assert!(job.get("will_miss").is_none(), "it has no limit");
}

#[tokio::test]
async fn a_waiting_job_says_which_of_its_limits_it_will_miss() {
    let world = World::new();
    let mut row = job(1);
    row.latest_start = Some(NOW + Millis::from_secs(2));
    row.deadline = Some(NOW + Millis::from_secs(60));
    world.rows.put(row.clone());
    let will_miss = async |earliest: u64| {
        *world.views.forecast.lock().unwrap() = Some(Forecast {
            position: 7,
            start: NOW + Millis::from_secs(90),
            earliest: NOW + Millis::from_secs(earliest),
        });
        let answer = world.get(&format!("/v1/jobs/{}", row.id)).await;
        answer.json()["will_miss"].clone()
    };
    assert_eq!(will_miss(2).await, json!(null), "it may be in time");
    assert_eq!(will_miss(3).await, "max_wait_ms");
    // Once it has been called, only its deadline counts.
    row.calls_made = 1;
    world.rows.put(row.clone());
    assert_eq!(will_miss(3).await, json!(null));
    assert_eq!(will_miss(61).await, "timeout_ms");
}

#[tokio::test]
async fn a_finished_job_shows_calls_causes_and_timings() {
    let world = World::new();
    let mut row = completed(job(1));
    row.call = CallNo::new(2);
    row.calls_made = 2;
    row.throttles.insert(ThrottleCause::Tokens, 1);
    row.last_error = Some(ModelErrorKind::Throttled(ThrottleCause::Tokens));
    let started = row.started_at.unwrap();
    let call = |number, ending, charged: u64| Call {
        request: row.id,
        number: CallNo::new(number),
        lane: row.lane.clone(),
        reserved: Tokens::new(500),
        charged_at: started,
        settlement: Some(Settlement {
            call: CallNo::new(number),
            ending,
            charged: Tokens::new(charged),
            usage: None,
            throttle: (ending == CallEnding::Throttled).then_some(ThrottleCause::Tokens),
            error: None,
            upstream_request_id: Some(format!("up-{number}")),
            at: started + Millis::new(5),
        }),
    };
    world.rows.calls.lock().unwrap().extend([
        call(1, CallEnding::Throttled, 0),
        call(2, CallEnding::Completed, 27),
    ]);
    world.rows.put(row.clone());
    let job = world.get(&format!("/v1/jobs/{}", row.id)).await.json();
    assert_eq!(job["status"], "COMPLETED");
    assert_eq!(
        job["timings"],
        json!({"queued_ms": 4_000, "running_ms": 2_000, "first_output_ms": 1_000, "total_ms": 6_000})
    );
    assert_eq!(job["throttles"], json!({"tokens": 1}));
    assert_eq!(job["last_error"], "throttled_tokens");
    assert_eq!(job["charged_tokens"], 27);
    assert_eq!(job["usage"]["output_tokens"], 3);
    assert_eq!(job["calls"][0]["ending"], "THROTTLED");
    assert_eq!(job["calls"][0]["throttle"], "tokens");
    assert_eq!(job["calls"][1]["upstream_request_id"], "up-2");
    assert!(job.get("estimated_position").is_none());
}

#[tokio::test]
async fn released_and_running_read_processing() {
    let world = World::new();
    for (n, state) in [(1, State::Released), (2, State::Running)] {
        let mut row = job(n);
        row.state = state;
        world.rows.put(row.clone());
        let job = world.get(&format!("/v1/jobs/{}", row.id)).await.json();
        assert_eq!(job["status"], "PROCESSING");
    }
}

#[tokio::test]
async fn unknown_foreign_and_malformed_ids_are_told_apart_only_where_they_may() {
    let world = World::new();
    let mut foreign = job(1);
    foreign.tenant = TenantId::new("other").unwrap();
    world.rows.put(foreign.clone());
    for (id, status) in [
        (foreign.id.to_string(), StatusCode::NOT_FOUND),
        (job(9).id.to_string(), StatusCode::NOT_FOUND),
        ("no-uuid".to_owned(), StatusCode::BAD_REQUEST),
        ("%FF".to_owned(), StatusCode::BAD_REQUEST),
    ] {
        for path in [format!("/v1/jobs/{id}"), format!("/v1/jobs/{id}/result")] {
            let answer = world.get(&path).await;
            assert_eq!(answer.status, status, "{path}");
            assert_eq!(answer.header("content-type"), "application/problem+json");
            assert_eq!(answer.json()["status"], status.as_u16());
        }
    }
}

#[tokio::test]
async fn a_list_pages_through_everything_once_newest_first() {
    let world = World::new();
    for n in 0..25 {
        world.rows.put(job(n));
    }
    let mut seen = Vec::new();
    let mut path = "/v1/jobs?limit=10".to_owned();
    loop {
        let page = world.get(&path).await.json();
        for job in page["jobs"].as_array().unwrap() {
            seen.push(job["id"].as_str().unwrap().to_owned());
        }
        let Some(cursor) = page["next_cursor"].as_str() else {
            break;
        };
        path = format!("/v1/jobs?limit=10&cursor={cursor}");
    }
    let newest_first: Vec<String> = (0..25).rev().map(|n| job(n).id.to_string()).collect();
    assert_eq!(seen, newest_first);
}

#[tokio::test]
async fn a_list_filters_by_public_state_and_lane() {
    let world = World::new();
    for (n, state) in [
        (1, State::Queued),
        (2, State::Released),
        (3, State::Running),
        (4, State::Failed),
    ] {
        let mut row = job(n);
        row.state = state;
        world.rows.put(row);
    }
    let mut elsewhere = job(5);
    elsewhere.lane = LaneId::new("haiku").unwrap();
    world.rows.put(elsewhere);
    for (query, count) in [
        ("status=processing", 2),
        ("status=QUEUED,FAILED", 3),
        ("lane=haiku", 1),
        ("lane=haiku&status=FAILED", 0),
        ("", 5),
    ] {
        let page = world.get(&format!("/v1/jobs?{query}")).await.json();
        assert_eq!(page["jobs"].as_array().unwrap().len(), count, "{query}");
    }
}

#[tokio::test]
async fn bad_queries_are_refused_by_name() {
    let world = World::new();
    for n in 0..3 {
        world.rows.put(job(n));
    }
    let page = world.get("/v1/jobs?limit=1").await.json();
    let cursor = page["next_cursor"].as_str().unwrap();
    for (query, names) in [
        ("limit=0".to_owned(), "1 to 1000"),
        ("limit=1001".to_owned(), "1 to 1000"),
        ("limit=x".to_owned(), "1 to 1000"),
        ("status=WAITING".to_owned(), "PROCESSING"),
        ("lane=a/b".to_owned(), "lane"),
        ("cursor=xyz".to_owned(), "cursor"),
        (format!("status=FAILED&cursor={cursor}"), "cursor"),
        ("states=FAILED".to_owned(), "states"),
    ] {
        let answer = world.get(&format!("/v1/jobs?{query}")).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{query}");
        let detail = answer.json()["detail"].as_str().unwrap().to_owned();
        assert!(detail.contains(names), "{query}: {detail}");
    }
}

#[tokio::test]
async fn a_store_that_fails_says_come_back() {
    let world = World::new();
    *world.rows.broken.lock().unwrap() = Some(StoreError::Closed);
    let answer = world.get(&format!("/v1/jobs/{}", job(1).id)).await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(answer.header("retry-after"), "1");
}

#[tokio::test]
async fn a_long_poll_answers_at_the_next_change() {
    let world = World::new();
    let row = job(1);
    world.rows.put(row.clone());
    let path = format!("/v1/jobs/{}?wait_ms=60000&rev=1", row.id);
    let change = async {
        world.live.subscribed.notified().await;
        let mut released = row.clone();
        released.state = State::Released;
        released.rev = Rev::new(2);
        world.rows.put(released);
        world.live.publish(row.id, Update::State(State::Released));
    };
    let (answer, ()) = tokio::join!(world.get(&path), change);
    assert_eq!(answer.json()["status"], "PROCESSING");
    assert_eq!(answer.json()["rev"], 2);
}

#[tokio::test(start_paused = true)]
async fn a_long_poll_sees_changes_that_no_log_told_and_ends_by_itself() {
    let world = World::new();
    let row = job(1);
    world.rows.put(row.clone());
    let change = async {
        world.live.subscribed.notified().await;
        world.rows.put(completed(row.clone()));
    };
    let path = format!("/v1/jobs/{}?wait_ms=60000", row.id);
    let (answer, ()) = tokio::join!(world.get(&path), change);
    assert_eq!(answer.json()["status"], "COMPLETED");

    world.rows.put(job(2));
    let answer = world
        .get(&format!("/v1/jobs/{}?wait_ms=999999999", job(2).id))
        .await;
    assert_eq!(answer.json()["status"], "QUEUED");
}

#[tokio::test]
async fn a_drain_ends_long_polls_and_begins_none() {
    let world = World::new();
    let row = job(1);
    world.rows.put(row.clone());
    let path = format!("/v1/jobs/{}/result?wait_ms=60000", row.id);
    let drain = async {
        world.live.subscribed.notified().await;
        world.results.drain();
    };
    let (answer, ()) = tokio::join!(world.get(&path), drain);
    assert_eq!(answer.status, StatusCode::ACCEPTED);
    assert_eq!(world.get(&path).await.status, StatusCode::ACCEPTED);
}

#[tokio::test]
async fn a_query_that_cannot_be_read_is_told_in_the_apis_words() {
    let world = World::new();
    world.rows.put(job(1));
    let one = format!("/v1/jobs/{}", job(1).id);
    for (path, detail) in [
        (
            "/v1/jobs?colour=red".to_owned(),
            "\"colour\" is no query parameter here; known are status, lane, limit, cursor.",
        ),
        (
            format!("{one}?until=done"),
            "\"until\" is no query parameter here; known are wait_ms or rev.",
        ),
        (
            format!("{one}/result?rev=1"),
            "\"rev\" is no query parameter here; known are wait_ms.",
        ),
        (format!("{one}?wait_ms=soon"), "wait_ms must be a whole number."),
        (format!("{one}?wait_ms="), "wait_ms must be a whole number."),
        (
            "/v1/jobs?limit=1&limit=2".to_owned(),
            "limit is given twice; give it once.",
        ),
    ] {
        let answer = world.get(&path).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{path}");
        assert_eq!(answer.json()["detail"], detail, "{path}");
    }
}

#[tokio::test]
async fn jobs_of_a_lane_that_never_was_are_not_an_empty_list() {
    let world = World::new();
    world.views.views.lock().unwrap().insert(view().lane, view());
    let mut old = job(1);
    old.lane = LaneId::new("retired").unwrap();
    world.rows.put(old);
    let answer = world.get("/v1/jobs?lane=nope").await;
    assert_eq!(answer.status, StatusCode::NOT_FOUND);
    let problem = answer.json();
    assert_eq!(problem["type"], "urn:bedrock-smoother:problem:unknown-lane");
    assert!(
        problem["detail"].as_str().unwrap().contains("sonnet"),
        "{problem}"
    );
    let kept = world.get("/v1/jobs?lane=retired").await;
    assert_eq!(kept.json()["jobs"].as_array().unwrap().len(), 1);
    let none_yet = world.get("/v1/jobs?lane=sonnet").await;
    assert_eq!(
        (none_yet.status, none_yet.json()["jobs"].clone()),
        (StatusCode::OK, json!([]))
    );
}
