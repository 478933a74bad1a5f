//! How often a request's life asks the services, whatever else waits.

use super::stand::{Place, dynamodb};
use super::weather::Weather;
use aws_sdk_dynamodb::types::{AttributeValue, PutRequest, WriteRequest};
use smoother_core::call::{CallEnding, Settlement};
use smoother_core::ports::{
    Hold, Inserted, LetterCount, NewRequest, PayloadKind, PayloadRef, Payloads, Store,
};
use smoother_core::{CallNo, Change, Door, Failure, LaneId, Outcome, Priority, Tokens};
use smoother_tests::conformance::{at, id, lane, request};
use std::collections::{BTreeMap, HashMap};

fn new(n: u64, body: PayloadRef) -> NewRequest {
    NewRequest {
        request: request(n),
        body,
    }
}

fn counted(counts: BTreeMap<String, u64>) -> Vec<(String, u64)> {
    counts.into_iter().collect()
}

fn expected(counts: &[(&str, u64)]) -> Vec<(String, u64)> {
    counts
        .iter()
        .map(|(what, count)| ((*what).to_owned(), *count))
        .collect()
}

fn release() -> Change {
    Change::Release {
        lane: lane("sonnet"),
        call: CallNo::new(1),
        reserve: Tokens::new(110),
        start_by: at(20_000),
        at: at(100),
    }
}

fn claim() -> Change {
    Change::Claim {
        call: CallNo::new(1),
        at: at(200),
    }
}

fn complete() -> (Settlement, Change) {
    let settlement = Settlement {
        ending: CallEnding::Completed,
        ..Settlement::indeterminate(CallNo::new(1), Tokens::new(70), at(300))
    };
    let answer = Outcome::Answer {
        head: smoother_core::ModelHead::default(),
        usage: None,
        bytes: 6,
    };
    let change = Change::Complete {
        call: CallNo::new(1),
        answer,
        first_output_at: None,
        at: at(300),
    };
    (settlement, change)
}

/// What the life of request `n` asks, step by step.
async fn life(place: &Place, n: u64) -> Vec<Vec<(String, u64)>> {
    let weather = Weather::default();
    let store = place.store(&weather);
    let hold = place.hold(&weather);
    let mut steps = Vec::new();
    let mut step = || steps.push(counted(weather.counts()));
    store
        .insert(new(1_000_000 + n, PayloadRef::Inline("{}".into())))
        .await
        .unwrap();
    step();
    let fresh = store
        .insert(new(n, PayloadRef::Inline("{}".into())))
        .await
        .unwrap();
    assert!(matches!(fresh, Inserted::Fresh));
    step();
    let waiting = hold
        .heads(&lane("sonnet"), Priority::Normal, &request(n).tenant, None, 20)
        .await
        .unwrap();
    assert!(!waiting.waiting.is_empty());
    step();
    store.change(id(n), release()).await.unwrap();
    step();
    store.change(id(n), claim()).await.unwrap();
    step();
    store.fetch(id(n), PayloadKind::Body).await.unwrap().unwrap();
    step();
    let kept = store
        .keep(id(n), PayloadKind::Result, "answer".into())
        .await
        .unwrap();
    step();
    let (settlement, change) = complete();
    let report = store
        .end(id(n), settlement, Some(change), Some(kept))
        .await
        .unwrap();
    report.request.unwrap();
    step();
    store.fetch(id(n), PayloadKind::Result).await.unwrap().unwrap();
    step();
    steps
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_asks_as_often_however_many_wait() {
    let place = Place::fresh().await;
    let steps = [
        // The first request of a lane, band and tenant in a minute leaves its notes.
        expected(&[("PutItem", 3), ("TransactWriteItems", 1)]),
        expected(&[("TransactWriteItems", 1)]),
        expected(&[("Query", 1)]),
        expected(&[("GetItem", 1), ("PutItem", 1)]),
        expected(&[("GetItem", 1), ("TransactWriteItems", 1)]),
        expected(&[("GetItem", 2)]),
        expected(&[("PUT object", 1)]),
        expected(&[("GetItem", 1), ("TransactWriteItems", 1)]),
        expected(&[("GET object", 1), ("GetItem", 1)]),
    ];
    assert_eq!(life(&place, 1).await, steps);
    let store = place.store(&Weather::default());
    let inserts: Vec<_> = (10_000..10_500)
        .map(|n| store.insert(new(n, PayloadRef::Inline("{}".into()))))
        .collect();
    for insert in inserts {
        insert.await.unwrap();
    }
    assert_eq!(life(&place, 2).await, steps);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_large_body_is_one_object_and_one_put() {
    let (place, weather) = (Place::fresh().await, Weather::default());
    let store = place.store(&weather);
    store
        .insert(new(1, PayloadRef::Inline("{}".into())))
        .await
        .unwrap();
    weather.counts();
    let large = vec![b'x'; 4_097];
    let body = store.keep(id(2), PayloadKind::Body, large.into()).await.unwrap();
    store.insert(new(2, body)).await.unwrap();
    assert_eq!(
        counted(weather.counts()),
        expected(&[("PUT object", 1), ("PutItem", 1)])
    );
    store.fetch(id(2), PayloadKind::Body).await.unwrap().unwrap();
    assert_eq!(
        counted(weather.counts()),
        expected(&[("GET object", 1), ("GetItem", 1)])
    );
}

/// A job that failed by its upstream's fault.
async fn dead_letter(place: &Place, n: u64) {
    let store = place.store(&Weather::default());
    let mut job = new(n, PayloadRef::Inline("{}".into()));
    job.request.door = Door::Job;
    store.insert(job).await.unwrap();
    let failure = Failure {
        kind: None,
        status: 500,
        exception: "InternalServerException".to_owned(),
        message: "no".to_owned(),
        headers: Vec::new(),
    };
    let fail = Change::Fail {
        call: None,
        failure,
        at: at(300),
    };
    store.change(id(n), fail).await.unwrap();
}

/// So many more items that look like the one dead letter there is.
async fn copies_of_the_dead_letter(place: &Place, many: usize) {
    let client = dynamodb(&Weather::default());
    let items = client.scan().table_name(&place.table).send().await.unwrap().items;
    let is_dead = |item: &HashMap<String, AttributeValue>| item.contains_key("xpk");
    let letter = items.unwrap().into_iter().find(is_dead).unwrap();
    let copies: Vec<WriteRequest> = (0..many)
        .map(|copy| {
            let mut item = letter.clone();
            item.insert("pk".to_owned(), AttributeValue::S(format!("copy {copy}")));
            let put = PutRequest::builder().set_item(Some(item)).build().unwrap();
            WriteRequest::builder().put_request(put).build()
        })
        .collect();
    for chunk in copies.chunks(25) {
        let batch = client
            .batch_write_item()
            .request_items(&place.table, chunk.to_vec());
        let answer = batch.send().await.unwrap();
        assert_eq!(answer.unprocessed_items.unwrap_or_default(), HashMap::new());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn counting_dead_letters_costs_no_more_from_some_number_on() {
    let (place, weather) = (Place::fresh().await, Weather::default());
    let store = place.store(&weather);
    dead_letter(&place, 1).await;
    let is_counted = async |letters: u64, more: bool| {
        weather.counts();
        let count = store.dead_letters().await.unwrap();
        let lanes: BTreeMap<LaneId, u64> = [(lane("sonnet"), letters)].into();
        assert_eq!(count, LetterCount { lanes, more });
        assert_eq!(counted(weather.counts()), expected(&[("Query", 1)]));
    };
    is_counted(1, false).await;
    copies_of_the_dead_letter(&place, LetterCount::AT_MOST + 20).await;
    is_counted(LetterCount::AT_MOST as u64, true).await;
}
