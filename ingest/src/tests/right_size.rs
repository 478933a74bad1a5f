//! Requests that go with a smaller max_tokens than they ask for: who agrees, how large it is, what is learned.

use super::call;
use crate::testbed::{Bed, MODEL, converse, get, post, send};
use http::Method;
use smoother_core::estimate::{Answered, Outputs};
use smoother_core::scheduler::Event;
use smoother_core::{Change, Estimate, ModelId, Request, TenantId, Timestamp, Tokens, Usage};

const ENCODED: &str = "/model/us.anthropic.claude-sonnet-4-5-20250929-v1%3A0/converse";
const STREAM: &str = "/model/us.anthropic.claude-sonnet-4-5-20250929-v1%3A0/converse-stream";
const ASKED: [(&str, &str); 1] = [("x-smoother-right-size", "true")];

/// Answers to what allows 100 tokens have had 40: 64 would do.
fn teach(bed: &Bed) {
    let (model, tenant) = (ModelId::new(MODEL).unwrap(), TenantId::default());
    let mut outputs = Outputs::default();
    for max in [100, 4_096] {
        let answered = Answered {
            model: &model,
            tenant: &tenant,
            max_output: Tokens::new(max),
            output: Tokens::new(40),
            cut_short: None,
        };
        (0..200).for_each(|_| outputs.observe(&answered, Timestamp::EPOCH));
    }
    let kept = outputs.to_keep(true).into_iter();
    bed.ingest
        .restore(kept.map(|(key, answers)| (key, answers.unwrap())).collect());
}

fn agreeing() -> Bed {
    let bed = Bed::with(|config| {
        let tenant = smoother_core::config::TenantConfig {
            right_size: true,
            ..Default::default()
        };
        config.tenants.insert(TenantId::default(), tenant);
    });
    teach(&bed);
    bed
}

/// The row of a call that is on the line, and what its lane was told to reserve.
async fn row_of(bed: &Bed, path: &str, headers: &[(&str, &str)], body: String) -> (Request, u64) {
    let caller = call(bed, post(path, headers, body));
    let waiting = bed.arrived().await;
    let row = bed.store.row(waiting.id).unwrap();
    bed.start(waiting.id);
    bed.complete(waiting.id, "{}");
    assert_eq!(caller.await.unwrap().status, 200);
    (row, waiting.reserve.get())
}

fn sent(row: &Request, body: &str) -> Option<String> {
    let size = row.right_size.as_ref()?;
    let filled = size.slot.fill(body.as_bytes(), row.estimate.max_output);
    Some(String::from_utf8(filled.unwrap().to_vec()).unwrap())
}

#[tokio::test]
async fn a_request_of_a_tenant_that_agrees_reserves_and_sends_what_its_answers_need() {
    let bed = agreeing();
    let (row, reserve) = row_of(&bed, ENCODED, &[], converse()).await;
    assert!(row.is_right_sized());
    assert_eq!(
        (row.estimate.max_output, row.own_max_output()),
        (Tokens::new(64), Tokens::new(100))
    );
    assert_eq!(sent(&row, &converse()).unwrap(), converse().replace("100", "64"));
    assert_eq!(reserve, row.estimate.reserve(5).get());
    // Where none is set the model's own maximum counts, and the smaller value is put in.
    let unset = r#"{"messages":[{"role":"user","content":[{"text":"Hello there"}]}]}"#;
    let (row, _) = row_of(&bed, ENCODED, &[], unset.to_owned()).await;
    assert_eq!(
        (row.estimate.max_output, row.own_max_output()),
        (Tokens::new(64), Tokens::new(4_096))
    );
    let with = sent(&row, unset).unwrap();
    assert!(
        with.starts_with(r#"{"inferenceConfig":{"maxTokens":64},"messages""#),
        "{with}"
    );
}

#[tokio::test]
async fn a_request_says_otherwise_than_its_tenant() {
    let bed = agreeing();
    let (row, _) = row_of(&bed, ENCODED, &[("x-smoother-right-size", "false")], converse()).await;
    assert!(row.right_size.is_none());
    let bed = Bed::new();
    teach(&bed);
    let (row, _) = row_of(&bed, ENCODED, &[], converse()).await;
    assert!(row.right_size.is_none(), "nobody has agreed");
    let (row, _) = row_of(&bed, ENCODED, &ASKED, converse()).await;
    assert!(row.is_right_sized());
    let odd = [("x-smoother-right-size", "maybe")];
    let said = send(bed.router(), post(ENCODED, &odd, converse())).await;
    let message = said.exception(400, "ValidationException");
    assert!(message.contains("true or false"), "{message}");
}

#[tokio::test]
async fn a_stream_on_the_line_is_right_sized_only_where_its_caller_says_so() {
    let bed = agreeing();
    let (row, _) = row_of(&bed, STREAM, &[], converse()).await;
    assert!(row.right_size.is_none());
    let (row, _) = row_of(&bed, STREAM, &ASKED, converse()).await;
    assert!(row.is_right_sized());
}

#[tokio::test]
async fn a_job_may_ask_for_it_and_nothing_is_known_at_first() {
    let bed = Bed::new();
    let job = format!(
        r#"{{"model":"{MODEL}","operation":"converse-stream","body":{},"right_size":true}}"#,
        converse()
    );
    let submit = |bed: &Bed| send(bed.router(), post("/v1/jobs", &[], job.clone()));
    assert_eq!(submit(&bed).await.status, 202);
    let row = bed.store.row(bed.arrived().await.id).unwrap();
    assert!(
        row.right_size.is_some() && !row.is_right_sized(),
        "too few answers are known"
    );
    teach(&bed);
    assert_eq!(submit(&bed).await.status, 202);
    let row = bed.store.row(bed.arrived().await.id).unwrap();
    assert!(row.is_right_sized());
    let known = send(bed.router(), get(Method::DELETE, &format!("/v1/jobs/{}", row.id))).await;
    assert!(known.status.is_success());
}

#[tokio::test]
async fn a_request_that_would_not_fit_with_its_own_value_is_refused_all_the_same() {
    let bed = Bed::with(|config| {
        for lane in config.lanes.values_mut() {
            lane.tokens_per_minute = smoother_core::TokensPerMinute::new(2_000);
        }
    });
    teach(&bed);
    let body = converse().replace("100", "4000");
    let said = send(bed.router(), post(ENCODED, &ASKED, body)).await;
    assert!(said.status.is_client_error(), "{}", said.status);
}

#[tokio::test]
async fn what_was_cut_short_is_learned_at_its_whole_length_and_raises_the_size() {
    let bed = agreeing();
    let mut sizes = Vec::new();
    for _ in 0..6 {
        let caller = call(&bed, post(ENCODED, &[], converse()));
        let id = bed.arrived().await.id;
        let first = bed.start(id);
        sizes.push(first.estimate.max_output.get());
        let cut = bed.store.apply(id, &Change::Rerun { call: first.call });
        assert_eq!(cut.is_ok(), first.is_right_sized());
        let again = if cut.is_ok() { bed.start(id) } else { first };
        let Estimate { max_output, .. } = again.estimate;
        assert_eq!(max_output, Tokens::new(100), "its caller's own");
        let usage = Usage {
            input: again.estimate.input,
            output: Tokens::new(70),
            ..Usage::default()
        };
        bed.ingest.learn(&again, &usage);
        bed.complete(id, "{}");
        caller.await.unwrap();
    }
    // After the fourth: 70 tokens and a quarter, which is not below 100 in steps of 64.
    assert_eq!(sizes, [64, 64, 64, 64, 100, 100]);
}

#[tokio::test]
async fn a_request_that_waits_is_resized_as_soon_as_its_size_is_known() {
    let bed = Bed::new();
    let job = |body: &str, sized: bool| {
        let job = format!(r#"{{"model":"{MODEL}","body":{body},"right_size":{sized}}}"#);
        send(bed.router(), post("/v1/jobs", &[], job))
    };
    let large = converse().replace("100", "4000");
    assert_eq!(job(&large, true).await.status, 202);
    let waits = bed.arrived().await;
    assert_eq!(job(&large, false).await.status, 202);
    let as_it_is = bed.arrived().await.id;
    assert_eq!(job(&large, true).await.status, 202);
    let running = bed.start(bed.arrived().await.id);
    let usage = Usage {
        input: running.estimate.input,
        output: Tokens::new(40),
        ..Usage::default()
    };
    // Thirty-two answers of 10 tokens: 64 will do.
    for _ in 0..32 {
        let short = Usage {
            output: Tokens::new(10),
            ..usage
        };
        bed.ingest.learn(&running, &short);
    }
    let Event::Resized {
        request,
        reserve,
        expected,
        ..
    } = bed.event().await
    else {
        panic!("the lane is told of the new cost")
    };
    let row = bed.store.row(waits.id).unwrap();
    assert_eq!(request, waits.id);
    assert_eq!(
        (row.estimate.max_output, row.own_max_output()),
        (Tokens::new(64), Tokens::new(4_000))
    );
    assert_eq!(
        (reserve, expected),
        (row.estimate.reserve(5), row.estimate.settled(5))
    );
    assert!(reserve < waits.reserve);
    bed.ingest.at_rest().await;
    let others = [as_it_is, running.id].map(|id| bed.store.row(id).unwrap());
    assert!(
        others.iter().all(|row| !row.is_right_sized()),
        "one did not agree, one is on its way"
    );
}

#[tokio::test]
async fn nobody_is_noted_whose_size_is_known_or_whose_request_is_over() {
    let bed = Bed::new();
    let job = |max: u64| {
        let body = converse().replace("100", &max.to_string());
        let job = format!(r#"{{"model":"{MODEL}","body":{body},"right_size":true}}"#);
        send(bed.router(), post("/v1/jobs", &[], job))
    };
    let noted = || bed.ingest.unsized_ones.count();
    let mut waiting = Vec::new();
    for _ in 0..4 {
        assert_eq!(job(256).await.status, 202);
        waiting.push(bed.arrived().await.id);
    }
    assert_eq!(noted(), 4);
    // One that is cancelled, and one that gives an answer of which Bedrock has counted nothing.
    bed.ingest.cancel(waiting[0]).await.unwrap();
    bed.cancelled(waiting[0]).await;
    bed.ingest.ended(&bed.store.row(waiting[0]).unwrap());
    bed.start(waiting[1]);
    bed.complete(waiting[1], "{}");
    bed.ingest.ended(&bed.store.row(waiting[1]).unwrap());
    assert_eq!(noted(), 2);
    // Answers that come near what is allowed: nothing smaller would do, and nobody waits for it any more.
    let running = bed.start(waiting[2]);
    let usage = Usage {
        input: running.estimate.input,
        output: Tokens::new(250),
        ..Usage::default()
    };
    (0..199).for_each(|_| drop(bed.ingest.learn(&running, &usage)));
    assert_eq!(noted(), 2, "it is not sure yet");
    bed.ingest.learn(&running, &usage);
    assert_eq!(noted(), 0);
    assert_eq!(job(256).await.status, 202);
    assert_eq!(noted(), 0, "nor is the next one noted");
    assert_eq!(job(4_000).await.status, 202);
    assert_eq!(noted(), 1, "of larger ones nothing is known");
    bed.ingest.at_rest().await;
    let row = bed.store.row(waiting[3]).unwrap();
    assert!(!row.is_right_sized());
    // Found waiting at a start, it is noted unless nothing smaller would do.
    let bed = bed.restarted();
    bed.ingest.await_return(&row);
    assert_eq!(bed.ingest.unsized_ones.count(), 1, "nothing is known");
    bed.ingest.ended(&row);
    (0..200).for_each(|_| drop(bed.ingest.learn(&running, &usage)));
    bed.ingest.await_return(&row);
    assert_eq!(bed.ingest.unsized_ones.count(), 0);
}
