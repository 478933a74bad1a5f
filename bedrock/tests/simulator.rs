//! The port against the bundled simulator: every operation, every family of models, every fault it can play.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use bedrock_sim::{Latency, RunningSim, Settings, Sim, SimConfig};
use serde_json::{Value, json};
use smoother_bedrock::{Bedrock, Forward, Options};
use smoother_core::ThrottleCause::{Capacity, Day, Requests, Tokens};
use smoother_core::ids::ModelId;
use smoother_core::model::{ModelCall, ModelErrorKind as Kind, Operation};
use smoother_core::ports::Model;
use support::{Collected, call, collect, lane};

async fn start() -> (RunningSim, Bedrock) {
    let settings = Settings {
        latency: Latency {
            base_ms: 0.0,
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
    let bedrock = Bedrock::connect([&lane(&sim.url())], Options::default())
        .await
        .unwrap();
    (sim, bedrock)
}

fn prompt(operation: Operation, model: &str, text: &str) -> ModelCall {
    let messages = json!([{"role": "user", "content": [{"text": text}]}]);
    let body = if operation.is_converse() || model.contains("nova") {
        json!({"messages": messages, "inferenceConfig": {"maxTokens": 500}})
    } else if model.contains("titan") {
        json!({"inputText": text, "textGenerationConfig": {"maxTokenCount": 500}})
    } else if model.contains("llama") {
        json!({"prompt": text, "max_gen_len": 500})
    } else {
        let messages = json!([{"role": "user", "content": text}]);
        json!({"anthropic_version": "bedrock-2023-05-31", "max_tokens": 500, "messages": messages})
    };
    ModelCall {
        model: ModelId::new(model).unwrap(),
        ..call(operation, &body.to_string())
    }
}

const FAMILIES: [&str; 4] = [
    "us.anthropic.claude-sonnet-4-5-20250929-v1:0",
    "amazon.nova-pro-v1:0",
    "amazon.titan-text-express-v1",
    "meta.llama3-3-70b-instruct-v1:0",
];

#[tokio::test]
async fn every_operation_of_every_family_is_answered_and_counted() {
    let (sim, bedrock) = start().await;
    for model in FAMILIES {
        for operation in Operation::ALL {
            let stream = bedrock
                .call(prompt(operation, model, "[[sim in=120 out=37]] Hello"))
                .await
                .unwrap();
            let id = stream.head.upstream_request_id().unwrap().to_owned();
            let got = collect(stream).await;
            assert_eq!(got.error, None, "{model} {operation}");
            assert_eq!(got.usage, Some((120, 37)), "{model} {operation}");
            assert!(!got.cut_short, "{model} {operation}");
            if operation.streams() {
                assert!(got.output.contains(&true), "{model} {operation}");
            } else {
                let body: Value = serde_json::from_slice(&got.pieces[0]).unwrap();
                assert!(body.is_object(), "{model} {operation}");
            }
            let seen = sim
                .calls(None)
                .into_iter()
                .find(|record| record.request_id == id)
                .unwrap();
            assert_eq!(
                (seen.operation.as_str(), seen.model.as_str()),
                (operation.as_str(), model)
            );
        }
    }
    assert_eq!(sim.calls(None).len(), 16);
    sim.stop().await;
}

#[tokio::test]
async fn an_answer_that_max_tokens_cuts_short_says_so_in_every_family() {
    let (sim, bedrock) = start().await;
    for model in FAMILIES {
        for operation in Operation::ALL {
            // As long as any model's own preset: longer than what is asked for.
            let text = "[[sim in=120 out=100000]] Hello";
            let stream = bedrock.call(prompt(operation, model, text)).await.unwrap();
            let got = collect(stream).await;
            assert_eq!(got.error, None, "{model} {operation}");
            assert!(got.cut_short, "{model} {operation}");
            assert!(got.usage.is_some(), "{model} {operation}");
        }
    }
    sim.stop().await;
}

#[tokio::test]
async fn prompt_cache_counts_arrive() {
    use futures_util::StreamExt;
    use smoother_core::model::ModelEvent;
    let (sim, bedrock) = start().await;
    for operation in Operation::ALL {
        let text = "[[sim in=10 out=5 cache_read=700 cache_write=80]] Hello";
        let events = bedrock
            .call(prompt(operation, FAMILIES[0], text))
            .await
            .unwrap()
            .events;
        let last = events.collect::<Vec<_>>().await.pop().unwrap().unwrap();
        let ModelEvent::Usage(usage) = last else {
            panic!("{operation}: no usage")
        };
        assert_eq!(
            (usage.cache_read.get(), usage.cache_write.get()),
            (700, 80),
            "{operation}"
        );
    }
    sim.stop().await;
}

async fn faulty(bedrock: &Bedrock, operation: Operation, fault: &str) -> Collected {
    let text = format!("[[sim out=40 id={operation}.{fault} fault={fault}]] Hello");
    match bedrock.call(prompt(operation, FAMILIES[0], &text)).await {
        Ok(stream) => collect(stream).await,
        Err(error) => Collected {
            error: Some(error),
            ..Collected::default()
        },
    }
}

#[tokio::test]
async fn every_fault_is_told_apart_and_called_once() {
    let (sim, bedrock) = start().await;
    let table = [
        ("throttle", Kind::Throttled(Tokens)),
        ("throttle-requests", Kind::Throttled(Requests)),
        ("throttle-day", Kind::Throttled(Day)),
        ("not-ready", Kind::NotReady),
        ("400", Kind::Validation),
        ("403", Kind::AccessDenied),
        ("404", Kind::NotFound),
        ("500", Kind::Internal),
        ("503", Kind::Unavailable),
        ("503-connections", Kind::Throttled(Capacity)),
        ("408", Kind::ModelTimeout),
        ("424", Kind::ModelFailed),
        ("stream-throttle", Kind::Throttled(Tokens)),
        ("stream-500", Kind::Internal),
        ("stream-503", Kind::Unavailable),
        ("stream-408", Kind::ModelTimeout),
        ("stream-424", Kind::ModelFailed),
        ("cut-before", Kind::Cut),
        ("cut-after", Kind::Cut),
    ];
    for operation in Operation::ALL {
        for (fault, kind) in table {
            let got = faulty(&bedrock, operation, fault).await;
            assert_eq!(
                got.error.map(|error| error.kind),
                Some(kind),
                "{operation} {fault}"
            );
            let calls = sim.calls(Some(&format!("{operation}.{fault}")));
            assert_eq!(calls.len(), 1, "{operation} {fault}");
            assert_eq!(
                calls[0].sdk_request.as_deref(),
                Some("attempt=1; max=1"),
                "{operation} {fault}"
            );
        }
    }
    sim.stop().await;
}

#[tokio::test]
async fn guardrails_are_applied_past_the_queue() {
    let (sim, bedrock) = start().await;
    let guardrail = Forward::ApplyGuardrail {
        identifier: "gr1",
        version: "1",
    };
    let body = json!({"source": "INPUT", "content": [{"text": {"text": "hello"}}]}).to_string();
    let sonnet = lane("http://127.0.0.1:1").id;
    let (_, answer) = bedrock
        .forward(&sonnet, guardrail, body.into(), &[])
        .await
        .unwrap();
    let answer: Value = serde_json::from_slice(&answer).unwrap();
    assert!(answer["action"].is_string(), "{answer}");
    sim.stop().await;
}
