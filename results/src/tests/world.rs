//! A stage on ports in memory, and jobs to put there.

use super::fakes::{Entries, Fixed, Kept, Logs, Rows, Views, shared};
use crate::{Notify, Probes, Readiness, Results, ResultsConfig, ResultsPorts};
use axum::Router;
use axum::body::Body;
use bytes::Bytes;
use http::{Request as HttpRequest, StatusCode};
use http_body_util::BodyExt;
use serde_json::Value;
use smoother_core::config::{LaneConfig, Pacing};
use smoother_core::ports::Clock;
use smoother_core::request::Fresh;
use smoother_core::scheduler::{LaneView, LimitView, WaitingView};
use smoother_core::{
    CallNo, Door, Estimate, LaneId, Millis, ModelHead, ModelId, Operation, Outcome, Request, RequestId,
    RequestsPerMinute, Rev, State, TenantId, Timestamp, Tokens, TokensPerMinute, Usage,
};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tower::ServiceExt;

pub const NOW: Timestamp = Timestamp::from_millis(1_767_225_610_000);
pub const MODEL: &str = "us.anthropic.claude-sonnet-4-5-20250929-v1:0";

pub struct World {
    pub rows: Arc<Rows>,
    pub kept: Arc<Kept>,
    pub outbox: Arc<Entries>,
    pub live: Arc<Logs>,
    pub views: Arc<Views>,
    pub ready: Arc<AtomicBool>,
    pub results: Arc<Results>,
    router: Router,
}

pub struct Answer {
    pub status: StatusCode,
    pub headers: http::HeaderMap,
    pub bytes: Bytes,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.bytes).unwrap()
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |v| v.to_str().unwrap())
    }
}

impl World {
    pub fn new() -> Self {
        Self::with(Vec::new())
    }

    pub fn with(hooks: Vec<Arc<dyn Notify>>) -> Self {
        let (rows, kept, outbox) = (shared::<Rows>(), shared::<Kept>(), shared::<Entries>());
        let (live, views) = (shared::<Logs>(), shared::<Views>());
        let clock: Arc<dyn Clock> = Arc::new(Fixed(NOW));
        let ports = ResultsPorts {
            store: rows.clone(),
            payloads: kept.clone(),
            outbox: outbox.clone(),
            live: live.clone(),
            views: views.clone(),
            clock,
        };
        let config = ResultsConfig {
            lanes: vec![lane()],
            mark_every: Millis::new(1),
            hooks,
            ..ResultsConfig::default()
        };
        let ready = Arc::new(AtomicBool::new(true));
        let results = Results::new(ports, config);
        let flag = Arc::clone(&ready);
        let router = results.router(Probes {
            readiness: Arc::new(move || match flag.load(Ordering::Relaxed) {
                true => Readiness::Ready,
                false => Readiness::NotReady("draining".to_owned()),
            }),
            metrics: Arc::new(|| "# metrics\n".to_owned()),
        });
        Self {
            rows,
            kept,
            outbox,
            live,
            views,
            ready,
            results,
            router,
        }
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.get_as(path, &[]).await
    }

    /// In these tenants' names; an empty one is none.
    pub async fn get_as(&self, path: &str, tenants: &[&str]) -> Answer {
        let mut request = HttpRequest::get(path);
        for tenant in tenants.iter().filter(|tenant| !tenant.is_empty()) {
            request = request.header("x-smoother-tenant", *tenant);
        }
        let request = request.body(Body::empty()).unwrap();
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        Answer {
            status: parts.status,
            headers: parts.headers,
            bytes: body.collect().await.unwrap().to_bytes(),
        }
    }
}

fn lane() -> LaneConfig {
    LaneConfig {
        id: LaneId::new("sonnet").unwrap(),
        models: vec![ModelId::new(MODEL).unwrap(), ModelId::new("alias").unwrap()],
        region: "us-east-1".to_owned(),
        endpoint: None,
        role_arn: None,
        tokens_per_minute: TokensPerMinute::new(300_000),
        requests_per_minute: Some(RequestsPerMinute::new(600)),
        tokens_per_day: None,
        max_concurrency: 64,
        output_burndown: 5,
        max_output_tokens: 64_000,
        pacing: Pacing::Auto,
        chunk_timeout: Millis::from_secs(60),
        call_timeout: Millis::from_secs(600),
        max_tries: 5,
        fallback: smoother_core::config::FallbackConfig::default(),
        breaker: smoother_core::breaker::BreakerConfig::default(),
    }
}

pub fn view() -> LaneView {
    LaneView {
        lane: LaneId::new("sonnet").unwrap(),
        at: NOW,
        pacing: "auto".to_owned(),
        tokens: LimitView {
            limit: 300_000,
            used: 1_000,
            free: 49_000,
        },
        requests: None,
        day: None,
        concurrency: LimitView {
            limit: 64,
            used: 2,
            free: 62,
        },
        released: 1,
        running: 2,
        waiting: [(
            "batch".to_owned(),
            WaitingView {
                requests: 7,
                tokens: 9_000,
                oldest_ms: Millis::new(1_500),
                more: false,
            },
        )]
        .into(),
        throttles: [("tokens".to_owned(), 3)].into(),
        day_parked: false,
        breaker: smoother_core::breaker::Breaker::new(Default::default()).view(NOW),
        retries_left: 10,
        retries_put_off: 4,
        sent_on: 5,
        shed: 2,
        parked_until: None,
        learned_ceiling: None,
        others_percent: 0,
        limiters: Vec::new(),
    }
}

/// The `n`th job, QUEUED ten seconds before [`NOW`].
pub fn job(n: u8) -> Request {
    let arrived_at = NOW.before(Millis::from_secs(10));
    Request::fresh(Fresh {
        // The last byte is the only one whose bits a UUIDv7 keeps all of.
        id: RequestId::fresh(arrived_at, [0, 0, 0, 0, 0, 0, 0, 0, 0, n]),
        tenant: TenantId::default(),
        lane: LaneId::new("sonnet").unwrap(),
        model: ModelId::new(MODEL).unwrap(),
        operation: Operation::Converse,
        door: Door::Job,
        arrived_at,
        body_hash: [0; 32],
        body_bytes: 10,
        estimate: Estimate::default(),
    })
}

/// The job, answered: 4 s in the queue, 2 s running, 1 s to the first output.
pub fn completed(mut row: Request) -> Request {
    let started = row.arrived_at + Millis::from_secs(4);
    row.state = State::Completed;
    row.rev = Rev::new(4);
    row.call = CallNo::new(1);
    row.calls_made = 1;
    row.started_at = Some(started);
    row.first_output_at = Some(started + Millis::from_secs(1));
    row.ended_at = Some(started + Millis::from_secs(2));
    row.outcome = Some(Outcome::Answer {
        head: ModelHead {
            content_type: "application/json".to_owned(),
            headers: vec![
                ("x-amzn-requestid".to_owned(), "up-1".to_owned()),
                ("content-length".to_owned(), "999".to_owned()),
            ],
        },
        usage: Some(Usage {
            input: Tokens::new(12),
            output: Tokens::new(3),
            ..Usage::default()
        }),
        bytes: 11,
    });
    row
}
