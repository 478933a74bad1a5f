//! A lane's circuit breaker, held by hand.

use crate::testbed::{Bed, Said, post, send};
use smoother_core::Timestamp;
use smoother_core::breaker::Hand;
use smoother_core::scheduler::{Event, Scheduler, SchedulerConfig};

fn bed() -> Bed {
    let bed = Bed::new();
    let settings = bed.ingest.settings();
    let lane = settings.config.lanes.values().next().unwrap();
    let config = SchedulerConfig::of(&settings.config, lane);
    bed.lanes.run(Scheduler::new(config, Timestamp::EPOCH));
    bed
}

async fn hold(bed: &Bed, lane: &str, body: &str) -> Said {
    let request = post(&format!("/v1/lanes/{lane}/breaker"), &[], body.to_owned());
    send(bed.router(), request).await
}

#[tokio::test]
async fn the_lane_is_told_and_the_answer_is_how_it_stands_then() {
    let bed = bed();
    for (word, hand, state, by_hand) in [
        ("open", Some(Hand::Open), "open", true),
        ("closed", Some(Hand::Closed), "closed", true),
        ("auto", None, "closed", false),
    ] {
        let said = hold(&bed, "main", &format!(r#"{{"state":"{word}"}}"#)).await;
        assert_eq!(said.status, 200, "{word}");
        assert_eq!(bed.event().await, Event::Breaker(hand));
        let said = said.json();
        assert_eq!(said["lane"], "main");
        assert_eq!(said["breaker"]["state"], state);
        assert_eq!(said["breaker"]["by_hand"], by_hand);
        assert_eq!(said["breaker"]["opened"], 1);
    }
}

#[tokio::test]
async fn mistakes_reach_no_lane() {
    let bed = bed();
    for (lane, body, status, says) in [
        ("main", r#"{"state":"ajar"}"#, 400, "open, closed and auto"),
        ("main", "{}", 400, "state"),
        ("main", r#"{"state":"open","for":5}"#, 400, "for"),
        ("main", "", 400, "empty"),
        ("opus", r#"{"state":"open"}"#, 404, "main, small"),
    ] {
        let detail = hold(&bed, lane, body).await.problem(status);
        assert!(detail.contains(says), "{body}: {detail}");
    }
    assert_eq!(bed.lanes.told(), 0);
}

#[tokio::test]
async fn a_lane_that_is_stopping_says_so() {
    let bed = bed();
    bed.lanes.close();
    hold(&bed, "main", r#"{"state":"open"}"#).await.problem(503);
}
