//! What other processes have learned of outputs, as a way in that hears of no ends takes it up.

use crate::testbed::{Bed, Known, MODEL, SMALL_MODEL, converse, post, send};
use smoother_core::estimate::OutputKey;
use smoother_core::ports::Clock;
use smoother_core::{Hop, Millis, ModelId, Request, TenantId, Tokens};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::advance;

fn key(model: &str, max: u64) -> OutputKey {
    OutputKey::of_tenant(
        &ModelId::new(model).unwrap(),
        &TenantId::default(),
        Tokens::new(max),
    )
}

fn beds() -> (Bed, Arc<Known>) {
    let known = Arc::new(Known::default());
    (Bed::new().reading(known.clone()), known)
}

/// The row of a job that agrees to be sent right-sized, with this value of its own.
async fn row_of(bed: &Bed, max: u64, more: &str) -> Request {
    let body = converse().replace("100", &max.to_string());
    let job = format!(r#"{{"model":"{MODEL}","body":{body},"right_size":true{more}}}"#);
    assert_eq!(send(bed.router(), post("/v1/jobs", &[], job)).await.status, 202);
    bed.store.row(bed.arrived().await.id).unwrap()
}

#[tokio::test(start_paused = true)]
async fn what_others_learned_is_in_force_within_seconds_and_read_seldom_from_then_on() {
    let (bed, known) = beds();
    for _ in 0..5 {
        let row = row_of(&bed, 4_000, "").await;
        assert!(!row.is_right_sized());
        assert_eq!(
            row.estimate.expected_output,
            Tokens::new(800),
            "a fifth: nothing is known"
        );
    }
    assert_eq!(known.reads(), 1, "that nothing is known serves for some seconds");
    known.learn(&key(MODEL, 4_000), 32, 10);
    advance(Duration::from_secs(5)).await;
    let row = row_of(&bed, 4_000, "").await;
    assert_eq!(
        (row.estimate.max_output, row.own_max_output()),
        (Tokens::new(64), Tokens::new(4_000))
    );
    assert_eq!(row.estimate.expected_output, Tokens::new(10));
    assert_eq!(known.reads(), 2);

    // A guess is looked at again soon, what is sure once a minute.
    known.learn(&key(MODEL, 4_000), 200, 100);
    advance(Duration::from_secs(5)).await;
    assert_eq!(
        row_of(&bed, 4_000, "").await.estimate.max_output,
        Tokens::new(128)
    );
    known.learn(&key(MODEL, 4_000), 200, 1_000);
    advance(Duration::from_secs(54)).await;
    assert_eq!(
        row_of(&bed, 4_000, "").await.estimate.max_output,
        Tokens::new(128)
    );
    let before = known.reads();
    advance(Duration::from_secs(6)).await;
    assert_eq!(
        row_of(&bed, 4_000, "").await.estimate.max_output,
        Tokens::new(1_152)
    );
    assert_eq!(
        (before, known.reads()),
        (4, 5),
        "the model's own key is not known, and read every 5 s"
    );

    // What allows another magnitude is learned apart.
    assert!(!row_of(&bed, 500, "").await.is_right_sized());
    assert_eq!(
        bed.ingest.unsized_ones.count(),
        0,
        "whoever hears of ends looks through what waits"
    );
}

#[tokio::test(start_paused = true)]
async fn a_lane_further_on_has_its_own_size() {
    let (bed, known) = beds();
    known.learn(&key(SMALL_MODEL, 300), 32, 10);
    let row = row_of(&bed, 300, r#","fallback":["small"]"#).await;
    assert!(!row.is_right_sized());
    let [
        Hop::Lane {
            estimate, own_output, ..
        },
    ] = row.fallback.as_slice()
    else {
        panic!("{:?}", row.fallback)
    };
    assert_eq!(
        (estimate.max_output, *own_output),
        (Tokens::new(64), Some(Tokens::new(300)))
    );
    assert_eq!(known.reads(), 1, "all at once");
}

#[tokio::test(start_paused = true)]
async fn a_place_that_cannot_be_read_keeps_nobody_out() {
    let (bed, known) = beds();
    known.learn(&key(MODEL, 4_000), 32, 10);
    known.fail(true);
    assert!(!row_of(&bed, 4_000, "").await.is_right_sized());
    assert!(!row_of(&bed, 4_000, "").await.is_right_sized());
    assert_eq!(known.reads(), 1, "it is not asked again and again");
    known.fail(false);
    advance(Duration::from_secs(5)).await;
    assert!(row_of(&bed, 4_000, "").await.is_right_sized());
    // What was read before stays where it cannot be read again.
    known.fail(true);
    advance(Duration::from_secs(600)).await;
    assert!(row_of(&bed, 4_000, "").await.is_right_sized());
}

#[tokio::test(start_paused = true)]
async fn nobody_waits_long_for_what_others_know() {
    let (bed, known) = beds();
    known.hang();
    let began = bed.clock.now();
    for _ in 0..5 {
        row_of(&bed, 4_000, "").await;
    }
    let took = bed.clock.now().since(began);
    assert!(took <= Millis::new(400), "{took:?}");
    assert_eq!(known.reads(), 1);
}
