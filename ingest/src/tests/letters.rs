//! Dead letters: sent on their way again, or dropped.

use crate::testbed::{Bed, MODEL, Said, get, post, send};
use http::Method;
use serde_json::Value;
use smoother_core::config::LaneConfig;
use smoother_core::ports::Live;
use smoother_core::{CallNo, LaneId, Request, RequestId, Rev, State};

/// A job that has failed by no fault of its own.
async fn letter(bed: &Bed) -> RequestId {
    let text = r#"{"model":"MODEL","prompt":"Hello","max_tokens":50,"priority":"batch","timeout_ms":60000}"#;
    let said = send(bed.router(), post("/v1/jobs", &[], text.replace("MODEL", MODEL))).await;
    assert_eq!(said.status, 202);
    let id = bed.arrived().await.id;
    bed.start(id);
    bed.fail(id, 500, "InternalServerException", "It broke.");
    assert!(row(bed, id).dead);
    id
}

fn row(bed: &Bed, id: RequestId) -> Request {
    bed.store.row(id).unwrap()
}

async fn redrive(bed: &Bed, id: RequestId) -> Said {
    send(bed.router(), post(&format!("/v1/dlq/{id}/redrive"), &[], "")).await
}

async fn dismiss(bed: &Bed, what: &str) -> Said {
    send(bed.router(), get(Method::DELETE, &format!("/v1/dlq{what}"))).await
}

async fn sweep(bed: &Bed, body: &str) -> Value {
    let said = send(bed.router(), post("/v1/dlq/redrive", &[], body.to_owned())).await;
    assert_eq!(said.status, 200, "{:?}", said.body);
    said.json()
}

#[tokio::test]
async fn a_redriven_job_keeps_its_id_and_stands_in_line_again() {
    let bed = Bed::new();
    let id = letter(&bed).await;
    let said = redrive(&bed, id).await;
    assert_eq!(said.status, 202);
    let said = said.json();
    assert_eq!(
        (&said["id"], &said["status"]),
        (&id.to_string().into(), &"QUEUED".into())
    );
    assert_eq!(
        (&said["redriven"], &said["times_redriven"]),
        (&true.into(), &1.into())
    );
    let waiting = bed.arrived().await;
    assert_eq!((waiting.id, waiting.last_call), (id, CallNo::new(1)));
    assert_eq!(waiting.priority.as_str(), "batch");
    assert!(!waiting.retries && waiting.deadline.is_none());
    assert!(waiting.reserve > smoother_core::Tokens::ZERO);
    // What was told of it before calls nothing off.
    let before = bed.live.readers(id);
    bed.start(id);
    bed.complete(id, "{}");
    assert_eq!((row(&bed, id).state, before), (State::Completed, 0));
}

#[tokio::test]
async fn twice_is_once_and_the_second_answer_says_so() {
    let bed = Bed::new();
    let id = letter(&bed).await;
    assert_eq!(redrive(&bed, id).await.status, 202);
    bed.arrived().await;
    let (told, rev) = (bed.lanes.told(), row(&bed, id).rev);
    let again = redrive(&bed, id).await;
    assert_eq!(again.status, 200);
    assert_eq!(again.json()["redriven"], false);
    assert_eq!((bed.lanes.told(), row(&bed, id).rev), (told, rev));
}

#[tokio::test]
async fn of_two_at_the_same_moment_one_does_it() {
    let bed = Bed::new();
    let id = letter(&bed).await;
    let store = bed.store.clone();
    bed.store.after_read(move || {
        store.apply(id, &smoother_core::Change::Redrive).unwrap();
    });
    let said = redrive(&bed, id).await;
    assert_eq!(
        (said.status.as_u16(), &said.json()["redriven"]),
        (200, &false.into())
    );
    assert_eq!(row(&bed, id).redriven, 1);
}

#[tokio::test]
async fn a_chain_that_leads_nowhere_is_not_sent_into() {
    let bed = Bed::with(|config| {
        let main = config.lanes.values_mut().find(|lane| lane.id.as_str() == "main");
        main.unwrap().fallback.lanes = vec![LaneId::new("small").unwrap()];
    });
    let id = letter(&bed).await;
    let mut config = bed.ingest.settings().config.clone();
    config.lanes.retain(|lane, _| lane.as_str() == "main");
    let without = Bed {
        ingest: crate::Ingest::new(bed.ingest.ports.clone(), config),
        ..bed.clone()
    };
    let detail = redrive(&without, id).await.problem(409);
    assert!(detail.contains("lane small"), "{detail}");
    assert!(row(&bed, id).dead);
    assert_eq!(redrive(&bed, id).await.status, 202);
}

#[tokio::test]
async fn what_could_not_be_served_is_not_sent() {
    let bed = Bed::new();
    let (gone, moved) = (letter(&bed).await, letter(&bed).await);
    bed.store.lose_body(gone);
    assert!(redrive(&bed, gone).await.problem(410).contains("submit it anew"));
    let elsewhere = Bed::with(|config| {
        let lanes = std::mem::take(&mut config.lanes);
        let small = lanes.into_iter().filter(|(id, _)| id.as_str() == "small");
        config.lanes = small.collect::<std::collections::BTreeMap<_, LaneConfig>>();
    });
    let elsewhere = Bed {
        ingest: crate::Ingest::new(
            bed.ingest.ports.clone(),
            elsewhere.ingest.settings().config.clone(),
        ),
        ..bed.clone()
    };
    let detail = redrive(&elsewhere, moved).await.problem(409);
    assert!(
        detail.contains("lane main") && detail.contains("small"),
        "{detail}"
    );
    let told = bed.lanes.told();
    assert_eq!((row(&bed, gone).rev, row(&bed, moved).dead), (Rev::new(4), true));
    bed.ingest.drain().await;
    redrive(&bed, moved).await.problem(503);
    assert_eq!(bed.lanes.told(), told);
}

#[tokio::test]
async fn only_dead_letters_are_meant() {
    let bed = Bed::new();
    let said = send(
        bed.router(),
        post(
            "/v1/jobs",
            &[],
            format!(r#"{{"model":"{MODEL}","prompt":"Hello","max_tokens":5}}"#),
        ),
    )
    .await;
    let id = said.json()["id"].as_str().unwrap().to_owned();
    let open: RequestId = id.parse().unwrap();
    assert!(redrive(&bed, open).await.problem(409).contains("QUEUED"));
    assert!(
        dismiss(&bed, &format!("/{id}"))
            .await
            .problem(409)
            .contains("QUEUED")
    );
    let unknown = RequestId::from_bytes([7; 16]);
    redrive(&bed, unknown).await.problem(404);
    dismiss(&bed, &format!("/{unknown}")).await.problem(404);
    dismiss(&bed, "/x").await.problem(400);
    dismiss(&bed, "").await.problem(400);
    send(
        bed.router(),
        post(&format!("/v1/dlq/{open}/redrive?now=1"), &[], ""),
    )
    .await
    .problem(400);
    send(bed.router(), post("/v1/dlq/redrive", &[], "{}"))
        .await
        .problem(400);
}

#[tokio::test]
async fn a_dropped_one_stays_failed_and_is_dead_no_more() {
    let bed = Bed::new();
    let id = letter(&bed).await;
    let said = dismiss(&bed, &format!("/{id}")).await;
    assert_eq!(
        (said.status.as_u16(), &said.json()["dropped"]),
        (200, &true.into())
    );
    assert_eq!((row(&bed, id).state, row(&bed, id).dead), (State::Failed, false));
    let again = dismiss(&bed, &format!("/{id}")).await;
    assert_eq!(
        (again.status.as_u16(), &again.json()["dropped"]),
        (200, &false.into())
    );
    redrive(&bed, id).await.problem(409);
}

#[tokio::test]
async fn many_are_sent_in_batches_and_one_that_cannot_be_harms_no_other() {
    let bed = Bed::new();
    let mut ids = Vec::new();
    for _ in 0..5 {
        ids.push(letter(&bed).await);
    }
    ids.sort();
    bed.store.lose_body(ids[3]);
    let first = sweep(&bed, r#"{"lane":"main","limit":3}"#).await;
    assert_eq!(first["redriven"], 2);
    let refused = &first["refused"][0];
    assert_eq!(
        (&refused["id"], &refused["reason"]),
        (&ids[3].to_string().into(), &"body-gone".into())
    );
    let cursor = first["next_cursor"].as_str().unwrap();
    let rest = sweep(
        &bed,
        &format!(r#"{{"lane":"main","limit":3,"cursor":"{cursor}"}}"#),
    )
    .await;
    assert_eq!(
        (&rest["redriven"], &rest["next_cursor"]),
        (&2.into(), &Value::Null)
    );
    let mut arrived = Vec::new();
    for _ in 0..4 {
        arrived.push(bed.arrived().await.id);
    }
    arrived.sort();
    assert_eq!(arrived, [ids[0], ids[1], ids[2], ids[4]]);

    let dropped = dismiss(&bed, "?error=none&lane=small").await;
    assert_eq!(dropped.json()["dropped"], 0);
    let slip = dismiss(&bed, "?lane=mian").await.problem(404);
    assert!(slip.contains("main, small"), "{slip}");
    let dropped = dismiss(&bed, "?all=true").await;
    assert_eq!(
        (&dropped.json()["dropped"], row(&bed, ids[3]).dead),
        (&1.into(), false)
    );
}
