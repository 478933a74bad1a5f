//! The job API.

use crate::testbed::{Bed, MODEL, SMALL_MODEL, converse, get, post, send};
use axum::body::Body;
use http::{Method, Request};
use smoother_core::{Door, OnDisconnect, OnIndeterminate, Operation, Priority, State};

fn job(text: &str) -> Request<Body> {
    post("/v1/jobs", &[], text.replace("MODEL", MODEL))
}

#[tokio::test]
async fn a_job_is_accepted_once_it_is_durable_and_in_its_lane() {
    let bed = Bed::new();
    let text = r#"{"model":"MODEL","operation":"converse-stream","body":BODY,"priority":"batch","timeout_ms":600000,
        "max_wait_ms":300000,"idempotency_key":"n1","on_indeterminate":"fail"}"#;
    let said = send(bed.router(), job(&text.replace("BODY", &converse()))).await;
    assert_eq!(said.status, 202);
    let waiting = bed.arrived().await;
    let row = bed.store.row(waiting.id).unwrap();
    assert_eq!(
        (row.door, row.operation, row.priority),
        (Door::Job, Operation::ConverseStream, Priority::Batch)
    );
    assert_eq!(
        (row.on_disconnect, row.on_indeterminate),
        (OnDisconnect::Finish, OnIndeterminate::Fail)
    );
    assert_eq!(bed.store.body(row.id), converse());
    let (id, told) = (row.id.to_string(), said.json());
    let url = format!("/v1/jobs/{id}");
    for (field, value) in [
        ("id", id.as_str()),
        ("status", "QUEUED"),
        ("status_url", &url),
        ("result_url", &format!("{url}/result")),
        ("lane", "main"),
        ("priority", "batch"),
        ("operation", "converse-stream"),
        ("estimated_start", "2027-01-15T08:01:00.000Z"),
    ] {
        assert_eq!(told[field], value, "{field}");
    }
    assert_eq!(told["estimated_position"], 3);
    assert_eq!(said.header("location"), url);
}

#[tokio::test]
async fn the_same_key_and_body_are_the_same_job_in_its_current_state() {
    let bed = Bed::new();
    let text = r#"{"model":"MODEL","prompt":"Hello","max_tokens":50,"idempotency_key":"n1"}"#;
    let first = send(bed.router(), job(text)).await;
    let id = bed.arrived().await.id;
    bed.start(id);
    let second = send(bed.router(), job(text)).await;
    assert_eq!(
        (second.status.as_u16(), &second.json()["status"]),
        (202, &"PROCESSING".into())
    );
    assert_eq!(second.json()["id"], first.json()["id"]);
    bed.complete(id, "{}");
    let by_header = text
        .replace(",\"idempotency_key\":\"n1\"", "")
        .replace("MODEL", MODEL);
    let third = send(
        bed.router(),
        post("/v1/jobs", &[("idempotency-key", "n1")], by_header),
    )
    .await;
    assert_eq!(
        (third.status.as_u16(), &third.json()["status"]),
        (200, &"COMPLETED".into())
    );
    assert!(third.json().get("estimated_start").is_none());
    assert_eq!((bed.store.len(), bed.lanes.told()), (1, 1));
    let other = send(bed.router(), job(&text.replace("Hello", "Goodbye"))).await;
    assert!(other.problem(409).contains(&id.to_string()));
    assert_eq!(bed.store.len(), 1);
}

#[tokio::test]
async fn bad_jobs_are_problems_that_name_what_is_wrong() {
    let bed = Bed::new();
    let small = SMALL_MODEL;
    for (status, text, word) in [
        (400, "{".to_owned(), "Malformed"),
        (
            400,
            r#"{"model":"MODEL","prompt":"x","colour":"red"}"#.to_owned(),
            "colour",
        ),
        (400, r#"{"model":"nobody","prompt":"x"}"#.to_owned(), "nobody"),
        (400, r#"{"model":"MODEL","prompt":" "}"#.to_owned(), "blank"),
        (
            400,
            r#"{"model":"MODEL","body":{"messages":[]}}"#.to_owned(),
            "at least one message",
        ),
        (
            400,
            r#"{"model":"MODEL","prompt":"x","priority":"high"}"#.to_owned(),
            "interactive, normal, batch",
        ),
        (
            400,
            r#"{"model":"MODEL","prompt":"x","timeout_ms":0}"#.to_owned(),
            "from 1 to 604800000",
        ),
        (
            400,
            r#"{"model":"MODEL","prompt":"x","idempotency_key":""}"#.to_owned(),
            "1 to 256",
        ),
        (
            400,
            r#"{"model":"MODEL","prompt":"x","max_tokens":5000}"#.to_owned(),
            "4096",
        ),
        (
            400,
            r#"{"model":"MODEL","prompt":"x","tenant":"acme"}"#.to_owned(),
            "tenant",
        ),
        (
            400,
            format!(r#"{{"model":"{small}","prompt":"x"}}"#),
            "tokens_per_minute is 2000",
        ),
    ] {
        let said = send(bed.router(), job(&text)).await;
        let detail = said.problem(status);
        assert!(detail.contains(word), "{text}: {detail}");
    }
    let never = send(
        bed.router(),
        job(&format!(r#"{{"model":"{small}","prompt":"x"}}"#)),
    )
    .await
    .json();
    assert_eq!(
        never["limit"],
        serde_json::json!({"name": "tokens_per_minute", "value": 2_000})
    );
    assert_eq!((bed.store.len(), bed.lanes.told()), (0, 0));
    assert_eq!(
        send(bed.router(), job(r#"{"model":"MODEL","prompt":"x"}"#))
            .await
            .status,
        202
    );
}

#[tokio::test]
async fn only_json_is_read() {
    let bed = Bed::new();
    for content_type in ["", "text/plain", "application/x-www-form-urlencoded"] {
        let said = send(
            bed.router(),
            post("/v1/jobs", &[("content-type", content_type)], "{}"),
        )
        .await;
        assert!(said.problem(415).contains("application/json"), "{content_type}");
    }
    let body = format!(r#"{{"model":"{MODEL}","prompt":"x"}}"#);
    let said = send(
        bed.router(),
        post(
            "/v1/jobs",
            &[("content-type", "application/json; charset=utf-8")],
            body,
        ),
    )
    .await;
    assert_eq!(said.status, 202);
}

#[tokio::test]
async fn a_field_and_its_header_must_agree() {
    let bed = Bed::new();
    let text = format!(r#"{{"model":"{MODEL}","prompt":"x","priority":"batch"}}"#);
    let said = send(
        bed.router(),
        post("/v1/jobs", &[("x-smoother-priority", "normal")], text.clone()),
    )
    .await;
    assert!(said.problem(400).contains("priority"));
    let said = send(
        bed.router(),
        post("/v1/jobs", &[("x-smoother-priority", "batch")], text),
    )
    .await;
    assert_eq!(
        (said.status.as_u16(), &said.json()["priority"]),
        (202, &"batch".into())
    );
}

#[tokio::test]
async fn bedrocks_own_headers_go_along_with_a_job() {
    let bed = Bed::new();
    let text = format!(
        r#"{{"model":"{MODEL}","operation":"invoke","body":{{"anthropic_version":"bedrock-2023-05-31","max_tokens":9,
        "messages":[{{"role":"user","content":"hi"}}]}}}}"#
    );
    let headers = [
        ("accept", "text/plain"),
        ("x-amzn-bedrock-guardrailidentifier", "gr-1"),
        ("x-amzn-bedrock-service-tier", "flex"),
        ("x-amzn-trace-id", "Root=1"),
    ];
    let said = send(bed.router(), post("/v1/jobs", &headers, text)).await;
    assert_eq!(said.status, 202);
    let row = bed.store.row(bed.arrived().await.id).unwrap();
    assert_eq!(row.priority, Priority::Batch, "as on Bedrock's wire");
    let mut along = row.headers;
    along.sort();
    let expected = [headers[1], headers[2]].map(|(name, value)| (name.to_owned(), value.to_owned()));
    assert_eq!(along, expected);
}

#[tokio::test]
async fn a_job_can_be_called_off_once() {
    let bed = Bed::new();
    send(bed.router(), job(r#"{"model":"MODEL","prompt":"x"}"#)).await;
    let id = bed.arrived().await.id;
    let row = bed.start(id);
    let path = format!("/v1/jobs/{id}");
    for _ in 0..2 {
        let said = send(bed.router(), get(Method::DELETE, &path)).await;
        assert_eq!(
            (said.status.as_u16(), &said.json()["status"]),
            (200, &"CANCELLED".into())
        );
    }
    bed.cancelled_while_running(&row).await;
    assert!(bed.live.was_aborted(id));
    assert_eq!(bed.lanes.told(), 3, "the second time nothing is left to tell");
}

#[tokio::test]
async fn a_job_that_has_ended_stays_as_it_ended() {
    let bed = Bed::new();
    send(bed.router(), job(r#"{"model":"MODEL","prompt":"x"}"#)).await;
    let id = bed.arrived().await.id;
    bed.start(id);
    bed.complete(id, "{}");
    let said = send(bed.router(), get(Method::DELETE, &format!("/v1/jobs/{id}"))).await;
    assert_eq!(
        (said.status.as_u16(), &said.json()["status"]),
        (200, &"COMPLETED".into())
    );
    assert_eq!(bed.store.row(id).unwrap().state, State::Completed);
}

#[tokio::test]
async fn an_unknown_or_malformed_id_is_said_to_be() {
    let bed = Bed::new();
    // The same words as those of GET.
    for (id, status, title, detail) in [
        (
            "0190a0e0-0000-7000-8000-000000000000",
            404,
            "There is no such job",
            "No job has the id 0190a0e0-0000-7000-8000-000000000000; it may have passed its retention. \
             GET /v1/jobs lists those there are.",
        ),
        (
            "nonsense",
            400,
            "The job id is not valid",
            "job id \"nonsense\" is not a UUID; a submission answers with the job's id.",
        ),
    ] {
        let said = send(bed.router(), get(Method::DELETE, &format!("/v1/jobs/{id}"))).await;
        assert_eq!(said.problem(status), detail);
        assert_eq!(said.json()["title"], title);
    }
}

#[tokio::test]
async fn an_id_that_is_no_text_is_a_problem_too() {
    let bed = Bed::new();
    let said = send(bed.router(), get(Method::DELETE, "/v1/jobs/%ff")).await;
    assert!(said.problem(400).contains("UTF-8"));
}

#[tokio::test]
async fn a_request_cancelled_before_a_job_joins_it_stays_cancelled() {
    let bed = Bed::new();
    let text = r#"{"model":"MODEL","prompt":"Hello","idempotency_key":"n1"}"#;
    send(bed.router(), job(text)).await;
    let id = bed.arrived().await.id;
    bed.ingest.cancel(id).await.unwrap();
    let said = send(bed.router(), job(text)).await.json();
    let id = id.to_string();
    assert_eq!(
        (said["id"].as_str(), said["status"].as_str()),
        (Some(id.as_str()), Some("CANCELLED"))
    );
}

#[tokio::test]
async fn nothing_in_a_query_is_overlooked() {
    let bed = Bed::new();
    let body = format!(r#"{{"model":"{MODEL}","prompt":"x"}}"#);
    let said = send(bed.router(), post("/v1/jobs?priority=batch", &[], body)).await;
    assert!(
        said.problem(400)
            .contains("\"priority\" is no query parameter here")
    );
    let path = "/v1/jobs/0190a0e0-0000-7000-8000-000000000000?force";
    let said = send(bed.router(), get(Method::DELETE, path)).await;
    assert!(said.problem(400).contains("\"force\" is no query parameter"));
    assert_eq!(bed.store.len(), 0);
}

#[tokio::test]
async fn a_job_that_is_stored_is_accepted_although_its_lane_could_not_be_told() {
    let bed = Bed::new();
    bed.store.commit_out_of_order();
    bed.lanes.fail();
    let text = r#"{"model":"MODEL","prompt":"Hello","max_tokens":50}"#;
    let said = send(bed.router(), job(text)).await;
    assert_eq!(said.status, 202, "it will run, so nobody must send it again");
    let id = said.json()["id"].as_str().unwrap().parse().unwrap();
    assert_eq!(bed.store.row(id).unwrap().state, State::Queued);
    assert_eq!((bed.store.len(), bed.lanes.told()), (1, 0));
}
