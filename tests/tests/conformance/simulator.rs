//! The model port on Bedrock's wire, against the simulator.

use bedrock_sim::{Latency, Outcome, RunningSim, Settings, Sim, SimConfig};
use serde_json::json;
use smoother_bedrock::{Bedrock, Options};
use smoother_core::config::Config;
use smoother_core::ports::{BoxFuture, Model};
use smoother_core::{CallNo, LaneId, ModelCall, ModelErrorKind, ModelId, Operation, ThrottleCause};
use smoother_tests::conformance::model::{self, Behaviour};
use smoother_tests::conformance::{id, pass};
use std::sync::Arc;
use std::time::Duration;

const MODEL: &str = "us.anthropic.claude-sonnet-4-5-20250929-v1:0";

struct SimStand {
    sim: RunningSim,
    model: Arc<Bedrock>,
    lane: LaneId,
    calls: u64,
}

impl SimStand {
    async fn start() -> Self {
        let settings = Settings {
            latency: Latency {
                base_ms: 1.0,
                per_token_ms: 0.0,
                ..Latency::default()
            },
            ..Settings::default()
        };
        let sim = Sim::start(SimConfig {
            call_log: 1_000,
            settings,
            ..SimConfig::default()
        })
        .await
        .unwrap();
        let text = format!(
            "[lanes.sonnet]\nmodel = \"{MODEL}\"\nregion = \"us-east-1\"\nendpoint = \"{}\"\ntokens_per_minute = 300000\n",
            sim.url()
        );
        let config = Config::load(Some(("the lane of this test", &text)), None).unwrap();
        let lane = config.lanes.values().next().unwrap();
        let model = Bedrock::connect([lane], Options::default()).await.unwrap();
        Self {
            sim,
            model: Arc::new(model),
            lane: lane.id.clone(),
            calls: 0,
        }
    }
}

/// The mark that makes the simulator behave so.
fn mark(behaviour: Behaviour, operation: Operation) -> String {
    let fault = |name: &str| format!("out=40 fault={name}");
    match behaviour {
        Behaviour::Answer(input, output) => format!("in={input} out={output}"),
        // Generates for ever, as far as a test is concerned; a stream shows something of it at once.
        Behaviour::Stall if operation.streams() => "out=60000 token_ms=5".to_owned(),
        Behaviour::Stall => fault("hang"),
        Behaviour::Refuse(kind) => fault(refusal(kind)),
        Behaviour::Break(kind) => fault(breaking(kind)),
    }
}

fn refusal(kind: ModelErrorKind) -> &'static str {
    match kind {
        ModelErrorKind::Throttled(ThrottleCause::Tokens) => "throttle",
        ModelErrorKind::Throttled(ThrottleCause::Requests) => "throttle-requests",
        ModelErrorKind::Throttled(ThrottleCause::Day) => "throttle-day",
        ModelErrorKind::NotReady => "not-ready",
        ModelErrorKind::Validation => "400",
        ModelErrorKind::AccessDenied => "403",
        ModelErrorKind::NotFound => "404",
        ModelErrorKind::Internal => "500",
        ModelErrorKind::Unavailable => "503",
        ModelErrorKind::ModelTimeout => "408",
        ModelErrorKind::ModelFailed => "424",
        other => panic!("the simulator has no fault for {other:?}"),
    }
}

fn breaking(kind: ModelErrorKind) -> &'static str {
    match kind {
        ModelErrorKind::Throttled(ThrottleCause::Tokens) => "stream-throttle",
        ModelErrorKind::Internal => "stream-500",
        ModelErrorKind::Unavailable => "stream-503",
        ModelErrorKind::ModelTimeout => "stream-408",
        ModelErrorKind::ModelFailed => "stream-424",
        ModelErrorKind::Cut => "cut-after",
        other => panic!("the simulator has no fault for {other:?}"),
    }
}

impl model::Stand for SimStand {
    fn model(&self) -> Arc<dyn Model> {
        self.model.clone()
    }

    fn call(&mut self, operation: Operation, behaviour: Behaviour) -> ModelCall {
        self.calls += 1;
        let n = self.calls;
        let text = format!("[[sim id=c{n} {}]] Hello", mark(behaviour, operation));
        let body = if operation.is_converse() {
            json!({
                "messages": [{"role": "user", "content": [{"text": text}]}],
                "inferenceConfig": {"maxTokens": 60_000},
            })
        } else {
            json!({
                "anthropic_version": "bedrock-2023-05-31",
                "max_tokens": 60_000,
                "messages": [{"role": "user", "content": text}],
            })
        };
        ModelCall {
            request: id(n),
            number: CallNo::new(1),
            lane: self.lane.clone(),
            operation,
            model: ModelId::new(MODEL).unwrap(),
            body: body.to_string().into(),
            headers: Vec::new(),
        }
    }

    fn made(&self) -> usize {
        self.sim.calls(None).len()
    }

    fn dropped(&self, count: usize) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            let dropped = || {
                let calls = self.sim.calls(None);
                calls
                    .iter()
                    .filter(|call| call.outcome == Outcome::Aborted)
                    .count()
            };
            // The simulator has no bell for it.
            while dropped() < count {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        })
    }

    fn notices_dropped_bodies(&self) -> bool {
        true
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_model() {
    pass(model::CASES, || async {
        Box::new(SimStand::start().await) as Box<dyn model::Stand>
    })
    .await;
}
