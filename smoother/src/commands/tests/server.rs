//! A server that speaks the smoother's API and obeys marks in the body: `refuse`, `fail`, `slow`, `forever`,
//! `away`.

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde_json::{Value, json};
use smoother_core::{RequestId, TenantId};
use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use tokio::net::TcpListener;

/// What was handed in under a key.
#[derive(Debug, Clone)]
pub struct Handed {
    pub key: String,
    pub form: Value,
    pub priority: Option<String>,
    pub timeout_ms: Option<String>,
    /// How often its result was asked for before it was there.
    pub asked: u32,
    pub cancelled: bool,
}

#[derive(Debug, Default)]
pub struct Jobs {
    pub jobs: HashMap<String, Handed>,
    /// Submissions that the server has seen, joined ones included.
    pub submissions: u32,
    /// Submissions it has turned away with 503.
    pub away: u32,
}

type Shared = Arc<Mutex<Jobs>>;

/// A running server.
pub struct Server {
    pub url: String,
    pub jobs: Shared,
}

impl Server {
    pub async fn start() -> Self {
        let jobs = Shared::default();
        let router = Router::new()
            .route("/v1/jobs", axum::routing::post(submit))
            .route("/v1/jobs/{id}", get(status).delete(cancel))
            .route("/v1/jobs/{id}/result", get(result))
            .route("/v1/models", get(models))
            .route("/v1/lanes", get(lanes))
            .with_state(Arc::clone(&jobs));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url, jobs }
    }

    /// The only job there is.
    pub fn only(&self) -> (String, Handed) {
        let jobs = self.jobs.lock().unwrap();
        assert_eq!(jobs.jobs.len(), 1);
        let (id, job) = jobs.jobs.iter().next().unwrap();
        (id.clone(), job.clone())
    }
}

fn problem(status: StatusCode, word: &str, detail: &str) -> Response {
    let body = json!({
        "type": format!("urn:bedrock-smoother:problem:{word}"),
        "title": "A title", "status": status.as_u16(), "detail": detail,
    });
    let kind = [(header::CONTENT_TYPE, "application/problem+json")];
    (status, kind, body.to_string()).into_response()
}

fn answer(status: StatusCode, body: &Value) -> Response {
    let kind = [(header::CONTENT_TYPE, "application/json")];
    (status, kind, body.to_string()).into_response()
}

async fn submit(State(shared): State<Shared>, headers: HeaderMap, body: Bytes) -> Response {
    let mut jobs = shared.lock().unwrap();
    jobs.submissions += 1;
    let form: Value = serde_json::from_slice(&body).unwrap();
    let text = form["body"].to_string();
    if text.contains("refuse") {
        return problem(StatusCode::BAD_REQUEST, "never-fits", "it can never fit");
    }
    if text.contains("away") && jobs.away < 2 {
        jobs.away += 1;
        return problem(
            StatusCode::SERVICE_UNAVAILABLE,
            "stopping",
            "the smoother is stopping",
        );
    }
    let named = |name: &str| headers.get(name).map(|v| v.to_str().unwrap().to_owned());
    let key = named("idempotency-key").unwrap();
    let id = RequestId::keyed(&TenantId::default(), &key).to_string();
    let handed = Handed {
        key,
        form,
        priority: named("x-smoother-priority"),
        timeout_ms: named("x-smoother-timeout-ms"),
        asked: 0,
        cancelled: false,
    };
    jobs.jobs.entry(id.clone()).or_insert(handed);
    answer(
        StatusCode::ACCEPTED,
        &json!({"id": id, "status": "QUEUED", "estimated_position": 3}),
    )
}

fn state_of(job: &Handed) -> &'static str {
    let text = job.form["body"].to_string();
    match () {
        () if job.cancelled => "CANCELLED",
        () if text.contains("forever") => "QUEUED",
        () if text.contains("slow") && job.asked < 2 => "QUEUED",
        () if text.contains("fail") => "FAILED",
        () => "COMPLETED",
    }
}

fn view(id: &str, job: &Handed) -> Value {
    let status = state_of(job);
    let mut view = json!({
        "id": id, "status": status, "rev": 1 + u64::from(job.asked), "model": job.form["model"], "lane": "sonnet",
        "operation": job.form["operation"], "priority": "normal", "tenant": "default",
        "created_at": "2026-01-01T00:00:00.000Z", "calls_made": 1, "tries": 0, "throttles": {"tokens": 2},
        "timings": {"queued_ms": 1_500, "running_ms": 2_000, "total_ms": 3_500},
        "usage": {"input_tokens": 1_200, "output_tokens": 30, "cache_read_tokens": 0, "cache_write_tokens": 0},
        "charged_tokens": 1_350,
        "calls": [{"number": 1, "started_at": "2026-01-01T00:00:01.500Z", "ending": "COMPLETED",
            "charged_tokens": 1_350, "upstream_request_id": "up-1"}],
    });
    if status == "FAILED" {
        view["error"] = json!({"exception": "ValidationException", "message": "the prompt says so"});
    }
    view
}

/// Finds the job, counts the question, and lets `then` answer.
fn about(shared: &Shared, id: &str, then: impl FnOnce(&mut Handed) -> Response) -> Response {
    match shared.lock().unwrap().jobs.get_mut(id) {
        None => problem(StatusCode::NOT_FOUND, "unknown-job", "no job has that id"),
        Some(job) => then(job),
    }
}

async fn status(State(shared): State<Shared>, Path(id): Path<String>) -> Response {
    about(&shared, &id, |job| {
        let view = view(&id, job);
        job.asked += 1;
        answer(StatusCode::OK, &view)
    })
}

async fn cancel(State(shared): State<Shared>, Path(id): Path<String>) -> Response {
    about(&shared, &id, |job| {
        job.cancelled = state_of(job) == "QUEUED";
        answer(StatusCode::OK, &json!({"id": id, "status": state_of(job)}))
    })
}

async fn result(
    State(shared): State<Shared>,
    Path(id): Path<String>,
    Query(query): Query<HashMap<String, u64>>,
) -> Response {
    assert!(query.keys().all(|key| key == "wait_ms"));
    about(&shared, &id, |job| {
        let state = state_of(job);
        job.asked += 1;
        match state {
            "COMPLETED" => {
                let said = job.form["body"]["messages"][0]["content"][0]["text"].clone();
                let said = said.as_str().unwrap_or("nothing");
                let text = json!({"text": format!("you said {said}")});
                answer(
                    StatusCode::OK,
                    &json!({"output": {"message": {"content": [text]}}}),
                )
            }
            "FAILED" => {
                let mut body = json!({
                    "type": "urn:bedrock-smoother:problem:job-failed", "title": "The job failed",
                    "detail": "ValidationException: the prompt says so",
                });
                body["error"] = json!({"status": 424, "exception": "ModelErrorException"});
                answer(StatusCode::CONFLICT, &body)
            }
            "CANCELLED" => problem(StatusCode::CONFLICT, "job-cancelled", "somebody cancelled it"),
            _ => answer(StatusCode::ACCEPTED, &view(&id, job)),
        }
    })
}

async fn models() -> Response {
    let model = |id: &str| json!({"id": id, "lane": "sonnet"});
    answer(
        StatusCode::OK,
        &json!({"models": [model("claude"), model("claude-alias")]}),
    )
}

async fn lanes() -> Response {
    let lane = json!({
        "lane": "sonnet", "at": "2026-01-01T00:00:00.000Z", "pacing": "auto",
        "tokens": {"limit": 300_000, "used": 12_345, "free": 40_000}, "requests": null, "day": null,
        "concurrency": {"limit": 64, "used": 5, "free": 59}, "released": 0, "running": 5,
        "waiting": {"batch": {"requests": 1_200, "tokens": 9, "oldest_ms": 65_000, "more": true}},
        "throttles": {"tokens": 3}, "parked_until": "2026-01-02T00:00:00.000Z",
    });
    answer(StatusCode::OK, &json!({"lanes": [lane]}))
}
