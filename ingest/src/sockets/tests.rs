//! Messages and their answers, on a stage among ports in memory.

use super::*;
use crate::testbed::{Bed, MODEL};
use serde_json::{Value, json};
use smoother_core::ports::{BoxFuture, StoreError};
use smoother_core::{Change, State};
use std::sync::Mutex;

/// Subscriptions; `meanwhile` happens elsewhere right after one was stored.
#[derive(Default)]
struct Book {
    subscribed: Mutex<Vec<RequestId>>,
    meanwhile: Mutex<Option<Happening>>,
    fails: Mutex<bool>,
}

type Happening = Box<dyn Fn(RequestId) + Send>;

fn done<'a, T: Send + 'a>(value: T) -> BoxFuture<'a, Result<T, StoreError>> {
    Box::pin(std::future::ready(Ok(value)))
}

impl Connections for Book {
    fn opened(&self, _: &ConnectionId, _: &TenantId) -> BoxFuture<'_, Result<(), StoreError>> {
        done(())
    }
    fn tenant(&self, _: &ConnectionId) -> BoxFuture<'_, Result<Option<TenantId>, StoreError>> {
        done(None)
    }
    fn subscribe(&self, _: &ConnectionId, request: RequestId) -> BoxFuture<'_, Result<(), StoreError>> {
        if *self.fails.lock().unwrap() {
            return Box::pin(std::future::ready(Err(StoreError::Failed(
                "no answer".to_owned(),
            ))));
        }
        self.subscribed.lock().unwrap().push(request);
        if let Some(happens) = &*self.meanwhile.lock().unwrap() {
            happens(request);
        }
        done(())
    }
    fn subscribers(&self, _: RequestId) -> BoxFuture<'_, Result<Vec<ConnectionId>, StoreError>> {
        done(Vec::new())
    }
    fn closed(&self, _: &ConnectionId) -> BoxFuture<'_, Result<(), StoreError>> {
        done(())
    }
}

async fn hear(bed: &Bed, book: &Book, tenant: &str, ask: &Value) -> (Value, Option<Box<Request>>) {
    let connection = ConnectionId::new("c1").unwrap();
    let tenant = TenantId::new(tenant).unwrap();
    let said = bed
        .ingest
        .hear(book, &connection, &tenant, &ask.to_string())
        .await;
    (serde_json::from_str(&said.text).unwrap(), said.ended)
}

fn submit() -> Value {
    json!({"action": "submit", "ref": "a1", "job": {"model": MODEL, "prompt": "Say hello."}})
}

async fn submitted(bed: &Bed, book: &Book) -> RequestId {
    let (answer, ended) = hear(bed, book, "acme", &submit()).await;
    assert_eq!(
        (&answer["type"], &answer["ref"]),
        (&json!("job"), &json!("a1")),
        "{answer}"
    );
    assert!(ended.is_none());
    answer["job"]["id"].as_str().unwrap().parse().unwrap()
}

#[tokio::test]
async fn a_submission_is_stored_and_followed() {
    let (bed, book) = (Bed::new(), Book::default());
    let id = submitted(&bed, &book).await;
    assert_eq!(*book.subscribed.lock().unwrap(), [id]);
    assert_eq!(bed.store.row(id).unwrap().tenant.as_str(), "acme");
}

#[tokio::test]
async fn an_end_between_storing_and_subscribing_comes_with_the_answer() {
    let (bed, book) = (Bed::new(), Book::default());
    let store = bed.store.clone();
    *book.meanwhile.lock().unwrap() = Some(Box::new(move |id| {
        let at = smoother_core::Timestamp::EPOCH;
        store.apply(id, &Change::Expire { at }).unwrap();
    }));
    let (answer, ended) = hear(&bed, &book, "acme", &submit()).await;
    assert_eq!(answer["job"]["status"], "EXPIRED");
    assert_eq!(ended.unwrap().state, State::Expired);
}

#[tokio::test]
async fn a_job_is_cancelled_and_followed_by_its_owner_alone() {
    let (bed, book) = (Bed::new(), Book::default());
    let id = submitted(&bed, &book).await;
    for action in ["cancel", "subscribe"] {
        let ask = json!({"action": action, "id": id, "ref": "x"});
        let (answer, _) = hear(&bed, &book, "other", &ask).await;
        assert_eq!(answer["error"]["reason"], "unknown-job", "{answer}");
        assert_eq!(answer["ref"], "x");
    }
    assert_eq!(
        book.subscribed.lock().unwrap().len(),
        1,
        "another's job is not followed"
    );
    let (answer, ended) = hear(&bed, &book, "acme", &json!({"action": "cancel", "id": id})).await;
    assert_eq!(answer["job"]["status"], "CANCELLED");
    assert!(ended.is_none(), "whoever follows it is told by the way out");
    let (answer, ended) = hear(&bed, &book, "acme", &json!({"action": "subscribe", "id": id})).await;
    assert_eq!(answer["job"]["status"], "CANCELLED");
    assert_eq!(ended.unwrap().id, id);
}

#[tokio::test]
async fn a_mistake_is_answered_with_its_reason() {
    let (bed, book) = (Bed::new(), Book::default());
    let ask = json!({"action": "submit", "ref": "a1", "job": {"model": "nobody", "prompt": "x"}});
    let (answer, _) = hear(&bed, &book, "acme", &ask).await;
    assert_eq!(answer["type"], "error");
    assert_eq!(answer["error"]["reason"], "unknown-model");
    assert_eq!(answer["error"]["status"], 400);
    assert!(book.subscribed.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_job_that_cannot_be_followed_is_answered_with_its_id_all_the_same() {
    let (bed, book) = (Bed::new(), Book::default());
    *book.fails.lock().unwrap() = true;
    let (answer, ended) = hear(&bed, &book, "acme", &submit()).await;
    assert_eq!(
        (&answer["type"], &answer["followed"]),
        (&json!("job"), &json!(false)),
        "{answer}"
    );
    let id = answer["job"]["id"].as_str().unwrap().parse().unwrap();
    assert_eq!(bed.store.row(id).unwrap().tenant.as_str(), "acme");
    assert!(ended.is_none());
    let subscribe = json!({"action": "subscribe", "id": id});
    assert_eq!(
        hear(&bed, &book, "acme", &subscribe).await.0["error"]["status"],
        503
    );
    *book.fails.lock().unwrap() = false;
    let (answer, _) = hear(&bed, &book, "acme", &subscribe).await;
    assert_eq!((&answer["type"], answer.get("followed")), (&json!("job"), None));
}
