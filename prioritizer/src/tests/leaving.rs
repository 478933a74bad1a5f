//! Requests that need not wait for a lane that calls nobody.

use super::stage::Stage;
use smoother_core::breaker::{Hand, Phase};
use smoother_core::degraded::Form;
use smoother_core::ports::{LaneViews, PayloadKind, Payloads, Store};
use smoother_core::scheduler::{Event, Waiting};
use smoother_core::{Hop, HopCause, LaneId, ModelId, Request, State, Timestamp, Tokens};

const TWO: &str =
    "[lanes.b]\nmodel = \"n\"\nregion = \"us-west-2\"\ntokens_per_minute = 100000\noutput_burndown = 1\n";

fn to_b(row: &mut Request) {
    row.fallback.push(Hop::Lane {
        lane: LaneId::new("b").unwrap(),
        model: ModelId::new("n").unwrap(),
        estimate: row.estimate,
        own_output: None,
    });
}

#[tokio::test]
async fn an_open_breaker_sends_a_request_on_to_the_next_lane() {
    let dir = tempfile::tempdir().unwrap();
    let mut stage = Stage::start(dir.path(), TWO).await;
    let mut other = stage.queue.tap();
    stage.tell(Event::Breaker(Some(Hand::Open))).await;
    let request = stage.arrive(to_b).await;
    let row = stage.until(request.id, |row| row.lane.as_str() == "b").await;
    assert_eq!(
        (row.state, row.hops[0].cause),
        (State::Queued, HopCause::BreakerOpen)
    );
    assert_eq!((row.calls_made, row.model_to_call().as_str()), (0, "n"));
    let waiting = loop {
        match other.recv().await.unwrap() {
            (lane, Event::Arrived(waiting)) if lane.as_str() == "b" => break waiting,
            _ => {}
        }
    };
    assert_eq!(waiting.expected, Tokens::new(150), "at what output costs there");
    // One with nowhere else to go waits, and goes when the breaker is let go.
    let patient = stage.arrive(|_| {}).await;
    let view = stage.desk.view(&patient.lane).await.unwrap();
    assert_eq!(
        (view.waiting["normal"].requests, view.breaker.state),
        (1, Phase::Open)
    );
    stage.tell(Event::Breaker(None)).await;
    assert_eq!(stage.next_release().await.request, patient.id);
    stage.stop().await;
}

#[tokio::test]
async fn a_request_that_is_still_being_stored_is_sent_on_too() {
    let dir = tempfile::tempdir().unwrap();
    let stage = Stage::start(dir.path(), TWO).await;
    stage.tell(Event::Breaker(Some(Hand::Open))).await;
    let lane = LaneId::new("a").unwrap();
    while stage.desk.view(&lane).await.unwrap().breaker.state != Phase::Open {}
    let mut begun = Vec::new();
    for _ in 0..20 {
        // As a caller's way in does it: the write is begun, and the lane is told at once.
        let (request, inserted) = stage.begin_to_store(to_b);
        stage.tell(Event::Arrived(Waiting::priced(&request, 5))).await;
        begun.push((request.id, inserted));
    }
    for (id, inserted) in begun {
        inserted.await.unwrap();
        stage.until(id, |row| row.lane.as_str() == "b").await;
    }
    stage.stop().await;
}

#[tokio::test]
async fn an_open_breaker_answers_with_the_text_that_ends_the_chain() {
    let dir = tempfile::tempdir().unwrap();
    let stage = Stage::start(dir.path(), "").await;
    stage.tell(Event::Breaker(Some(Hand::Open))).await;
    let text = |row: &mut Request| {
        row.fallback.push(Hop::Answer {
            text: "Busy.".to_owned(),
            form: Form::Converse,
        });
    };
    let request = stage.arrive(text).await;
    let row = stage.until(request.id, |row| row.state == State::Completed).await;
    assert!(row.degraded);
    let result = stage
        .store
        .fetch(row.id, PayloadKind::Result)
        .await
        .unwrap()
        .unwrap();
    assert!(String::from_utf8_lossy(&result).contains("Busy."));
    stage.stop().await;
}

#[tokio::test]
async fn a_breaker_held_by_hand_is_held_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let stage = Stage::start(dir.path(), "").await;
    stage.tell(Event::Breaker(Some(Hand::Open))).await;
    let request = stage.arrive(|_| {}).await;
    stage.stop().await;

    let stage = Stage::start(dir.path(), "").await;
    let view = stage.desk.view(&request.lane).await.unwrap();
    assert_eq!((view.breaker.state, view.breaker.by_hand), (Phase::Open, true));
    assert_eq!(
        stage.store.get(request.id).await.unwrap().unwrap().state,
        State::Queued
    );
    let kept = stage
        .store
        .recover(&request.lane, Timestamp::EPOCH)
        .await
        .unwrap()
        .memory;
    assert_eq!(kept.breaker.hand, Some(Hand::Open));
    stage.stop().await;
}
