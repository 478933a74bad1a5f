//! Whole answers and final errors, as Bedrock gives them.

use super::{call, settle};
use crate::testbed::{Bed, MODEL, SMALL_MODEL, converse, post, send};
use smoother_core::ports::Clock;
use smoother_core::ports::Live;
use smoother_core::{Change, Priority, State, Tokens, Usage};

const ENCODED: &str = "/model/us.anthropic.claude-sonnet-4-5-20250929-v1%3A0/converse";

#[tokio::test(start_paused = true)]
async fn a_call_passes_the_queue_and_is_answered_as_bedrock_answered() {
    let bed = Bed::new();
    let caller = call(&bed, post(ENCODED, &[], converse()));
    let waiting = bed.arrived().await;
    let row = bed.store.row(waiting.id).unwrap();
    assert_eq!((row.state, row.model.as_str()), (State::Queued, MODEL));
    assert_eq!(bed.store.body(row.id), converse());
    assert_eq!(
        waiting.reserve,
        row.estimate.reserve(5),
        "priced at the lane's burndown"
    );
    bed.start(row.id);
    bed.head(row.id);
    settle().await;
    assert!(!caller.is_finished(), "the answer waits for the terminal commit");
    bed.complete(row.id, r#"{"output": {"message" :{}}}"#);
    let said = caller.await.unwrap();
    assert_eq!(said.status, 200);
    assert_eq!(said.body, r#"{"output": {"message" :{}}}"#);
    for (name, value) in [
        ("content-type", "application/json"),
        ("x-amzn-requestid", "upstream-1"),
        ("x-amzn-bedrock-invocation-latency", "321"),
        ("x-smoother-model", MODEL),
        ("x-smoother-calls", "1"),
        ("x-smoother-queue-ms", "0"),
    ] {
        assert_eq!(said.header(name), value, "{name}");
    }
    assert_eq!(said.header("x-smoother-job-id"), row.id.to_string());
    // Those of the connection upstream are not the caller's.
    assert_eq!(said.header("transfer-encoding"), "");
    assert_eq!(said.header("content-length"), said.body.len().to_string());
}

#[tokio::test]
async fn invoke_takes_the_same_way_with_its_own_headers() {
    let bed = Bed::new();
    let body = r#"{"anthropic_version":"bedrock-2023-05-31","max_tokens":9,"messages":[{"role":"user","content":"hi"}]}"#;
    let headers = [
        ("content-type", ""),
        ("accept", "application/json"),
        ("x-amzn-bedrock-guardrailidentifier", "g1"),
        ("x-amzn-bedrock-service-tier", "flex"),
        ("authorization", "AWS4-HMAC-SHA256 secret"),
    ];
    let caller = call(&bed, post(&format!("/model/{MODEL}/invoke"), &headers, body));
    let waiting = bed.arrived().await;
    let row = bed.store.row(waiting.id).unwrap();
    assert_eq!(
        (row.estimate.max_output.get(), row.priority),
        (9, Priority::Batch)
    );
    let mut travelling: Vec<&str> = row.headers.iter().map(|(name, _)| name.as_str()).collect();
    travelling.sort_unstable();
    assert_eq!(
        travelling,
        [
            "x-amzn-bedrock-guardrailidentifier",
            "x-amzn-bedrock-service-tier"
        ]
    );
    bed.start(row.id);
    bed.complete(row.id, "{}");
    assert_eq!(caller.await.unwrap().status, 200);
}

/// So the AWS SDKs for JavaScript and for Rust call a body of InvokeModel where their caller names no type.
#[tokio::test]
async fn an_invoke_body_of_a_type_that_its_sender_does_not_know_is_read_as_json() {
    let bed = Bed::new();
    let untold = [("content-type", "application/octet-stream")];
    let body = r#"{"anthropic_version":"bedrock-2023-05-31","max_tokens":9,"messages":[{"role":"user","content":"hi"}]}"#;
    let mut callers = Vec::new();
    for operation in ["invoke", "invoke-with-response-stream"] {
        let path = format!("/model/{MODEL}/{operation}");
        callers.push(call(&bed, post(&path, &untold, body)));
        let row = bed.store.row(bed.arrived().await.id).unwrap();
        assert_eq!(
            (row.operation.as_str(), row.estimate.max_output.get()),
            (operation, 9)
        );
    }
    let said = send(
        bed.router(),
        post(&format!("/model/{MODEL}/converse"), &untold, converse()),
    )
    .await;
    assert!(
        said.exception(415, "UnsupportedMediaTypeException")
            .contains("octet-stream")
    );
}

#[tokio::test]
async fn a_final_failure_is_told_in_bedrocks_words() {
    let bed = Bed::new();
    for (status, name, retry) in [
        (400, "ValidationException", ""),
        (429, "ThrottlingException", "1"),
        (424, "ModelErrorException", ""),
    ] {
        let caller = call(&bed, post(ENCODED, &[], converse()));
        let id = bed.arrived().await.id;
        bed.start(id);
        bed.fail(id, status, name, "what Bedrock said");
        let said = caller.await.unwrap();
        assert_eq!(said.exception(status, name), "what Bedrock said");
        assert_eq!(said.header("x-amzn-requestid"), "upstream-7");
        assert_eq!(said.header("retry-after"), retry);
        assert_eq!(said.header("x-smoother-calls"), "1");
    }
}

#[tokio::test]
async fn a_request_called_off_by_its_owner_is_not_worth_a_retry() {
    let bed = Bed::new();
    let caller = call(&bed, post(ENCODED, &[], converse()));
    let id = bed.arrived().await.id;
    bed.ingest.cancel(id).await.unwrap();
    bed.tell_end(id);
    let said = caller.await.unwrap().exception(409, "ConflictException");
    assert!(said.contains(&id.to_string()), "{said}");
    assert_eq!(bed.live.readers(id), 0);
}

#[tokio::test]
async fn a_result_that_is_not_at_hand_is_read_from_the_store() {
    let bed = Bed::new();
    let caller = call(&bed, post(ENCODED, &[], converse()));
    let id = bed.arrived().await.id;
    let row = bed.start(id);
    bed.store.keep_result(id, "{\"stored\":1}".into());
    let answer = smoother_core::Outcome::Answer {
        head: crate::testbed::head(),
        usage: None,
        bytes: 12,
    };
    let at = bed.clock.now();
    bed.end(
        id,
        &Change::Complete {
            call: row.call,
            answer,
            first_output_at: None,
            at,
        },
        None,
    );
    assert_eq!(caller.await.unwrap().body, "{\"stored\":1}");
}

#[tokio::test(start_paused = true)]
async fn the_band_comes_from_the_header_then_the_body_then_the_tenant() {
    let bed = Bed::with(|config| {
        let tenant = smoother_core::config::TenantConfig {
            default_priority: Priority::Batch,
            ..Default::default()
        };
        config.tenants.insert(smoother_core::TenantId::default(), tenant);
    });
    let hinting = converse().replace(
        "\"inference",
        "\"requestMetadata\":{\"priority\":\"normal\"},\"inference",
    );
    let interactive = [("x-smoother-priority", "interactive")];
    for (headers, body, priority) in [
        (&interactive[..], hinting.clone(), Priority::Interactive),
        (&[], hinting, Priority::Normal),
        (&[], converse(), Priority::Batch),
    ] {
        let caller = call(&bed, post(ENCODED, headers, body));
        assert_eq!(bed.arrived().await.priority, priority);
        caller.abort();
        assert!(caller.await.unwrap_err().is_cancelled());
        // The caller went away without a way back.
        assert!(matches!(
            bed.event().await,
            smoother_core::scheduler::Event::Left { .. }
        ));
    }
}

#[tokio::test]
async fn a_store_that_commits_in_no_order_is_waited_for_before_the_lane_is_told() {
    let bed = Bed::new();
    bed.store.commit_out_of_order();
    let caller = call(&bed, post(ENCODED, &[], converse()));
    let id = bed.arrived().await.id;
    bed.start(id);
    bed.complete(id, "{}");
    assert_eq!(caller.await.unwrap().status, 200);
}

#[tokio::test]
async fn what_calls_used_corrects_the_next_estimate() {
    let bed = Bed::new();
    let usage = |input| Usage {
        input: Tokens::new(input),
        output: Tokens::new(40),
        ..Default::default()
    };
    let mut estimates = Vec::new();
    for _ in 0..2 {
        let caller = call(&bed, post(ENCODED, &[], converse()));
        let id = bed.arrived().await.id;
        let row = bed.start(id);
        estimates.push(row.estimate);
        bed.ingest.learn(&row, &usage(row.estimate.input.get() * 2));
        bed.complete(id, "{}");
        caller.await.unwrap();
    }
    assert_eq!(estimates[1].input.get(), estimates[0].input.get() * 2);
    assert_eq!(estimates[1].expected_output.get(), 40);
    assert_eq!(bed.ingest.estimate_errors().count(), 2);
}

#[tokio::test]
async fn long_answers_make_a_request_wait_for_more_room_but_never_rule_it_out() {
    let bed = Bed::new();
    let path = format!("/model/{SMALL_MODEL}/invoke");
    for _ in 0..3 {
        let caller = call(&bed, post(&path, &[], r#"{"prompt":"Hello","max_gen_len":1500}"#));
        let waiting = bed.arrived().await;
        assert!(waiting.reserve.get() <= 2_000, "{waiting:?}");
        let row = bed.start(waiting.id);
        // At a burndown of 5 such an answer settles far above the lane's 2,000 a minute.
        let usage = Usage {
            input: row.estimate.input,
            output: Tokens::new(1_500),
            ..Default::default()
        };
        bed.ingest.learn(&row, &usage);
        bed.complete(row.id, "{}");
        assert_eq!(caller.await.unwrap().status, 200);
    }
}
