//! Messages, good ones and others, on a stage among ports in memory.

use super::*;
use crate::testbed::{Bed, Fault, MODEL};
use bytes::Bytes;
use serde_json::{Value, json};
use smoother_core::ports::{BoxFuture, Pointer, PointerError, Store};
use smoother_core::{Outcome, Priority, Request, State};

/// One object, in the one bucket from which anything is taken.
struct Shelf(String);

impl Pointers for Shelf {
    fn read(&self, pointer: &Pointer, _: u64) -> BoxFuture<'_, Result<Bytes, PointerError>> {
        let (bucket, key) = (pointer.bucket.clone(), pointer.key.clone());
        let found = match (bucket.as_str(), key.as_str()) {
            ("ours", "inbox/1") => Ok(Bytes::from(self.0.clone())),
            ("ours", "inbox/slow") => Err(PointerError::Failed("SlowDown".to_owned())),
            ("ours", _) => Err(PointerError::Missing { bucket, key }),
            _ => Err(PointerError::Foreign {
                bucket,
                key,
                allowed: "s3://ours/inbox/".to_owned(),
            }),
        };
        Box::pin(std::future::ready(found))
    }
}

fn input(bed: &Bed) -> Input {
    let lying = json!({"model": MODEL, "prompt": "large"}).to_string();
    let senders = Senders {
        trust_attribute: true,
        ..Senders::default()
    };
    Input::new(bed.ingest.clone(), senders, Arc::new(Shelf(lying)))
}

fn message(id: &str, body: &Value) -> Arriving {
    Arriving {
        id: id.to_owned(),
        body: body.to_string(),
        attributes: BTreeMap::new(),
        sender: None,
    }
}

fn with(mut message: Arriving, name: &str, value: &str) -> Arriving {
    message.attributes.insert(name.to_owned(), value.to_owned());
    message
}

fn good(id: &str) -> Arriving {
    message(id, &json!({"model": MODEL, "prompt": "Say hello."}))
}

async fn accepted(bed: &Bed, message: &Arriving) -> Request {
    match input(bed).take(message).await {
        Taken::Accepted(id) => bed.store.get(id).await.unwrap().unwrap(),
        other => panic!("{other:?}"),
    }
}

async fn dead(bed: &Bed, message: &Arriving) -> BTreeMap<String, String> {
    match input(bed).take(message).await {
        Taken::Dead(letter) => {
            assert_eq!(letter.body, message.body);
            letter.attributes.into_iter().collect()
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_message_is_a_job_and_a_second_delivery_the_same_one() {
    let bed = Bed::new();
    let row = accepted(&bed, &good("m1")).await;
    assert_eq!((row.state, row.door), (State::Queued, smoother_core::Door::Job));
    bed.event().await;
    assert_eq!(accepted(&bed, &good("m1")).await.id, row.id);
    assert_ne!(accepted(&bed, &good("m2")).await.id, row.id);
}

#[tokio::test]
async fn attributes_say_what_headers_say() {
    let bed = Bed::new();
    let message = with(with(good("m1"), "Priority", "batch"), "Tenant", "acme");
    let row = accepted(&bed, &with(message, "IdempotencyKey", "order 66")).await;
    assert_eq!((row.priority, row.tenant.as_str()), (Priority::Batch, "acme"));
    let again = with(with(good("m2"), "Tenant", "acme"), "IdempotencyKey", "order 66");
    assert_eq!(accepted(&bed, &again).await.id, row.id);
}

#[tokio::test]
async fn a_message_may_point_to_its_body() {
    let bed = Bed::new();
    let pointing = json!({"s3": {"bucket": "ours", "key": "inbox/1"}});
    let row = accepted(&bed, &message("m1", &pointing)).await;
    assert_eq!(row.model.as_str(), MODEL);

    for (pointer, words) in [
        (
            json!({"s3": {"bucket": "theirs", "key": "x"}}),
            "s3://ours/inbox/",
        ),
        (
            json!({"s3": {"bucket": "ours", "key": "inbox/2"}}),
            "there is no object s3://ours/inbox/2",
        ),
        (json!({"s3": {"bucket": "ours"}}), "s3 has no key"),
        (json!({"s3": "inbox/1"}), "s3 is a string"),
        (
            json!({"s3": {"bucket": "ours", "key": "inbox/1"}, "priority": "batch"}),
            "priority is no field here",
        ),
    ] {
        let letter = dead(&bed, &message("m2", &pointer)).await;
        assert!(letter["Detail"].contains(words), "{pointer}: {letter:?}");
        assert!(!letter.contains_key("JobId"), "no lane is known");
    }
    let slow = message("m3", &json!({"s3": {"bucket": "ours", "key": "inbox/slow"}}));
    assert!(matches!(input(&bed).take(&slow).await, Taken::Again(why) if why.contains("SlowDown")));
}

#[tokio::test]
async fn what_can_never_be_taken_is_a_letter_with_its_reason() {
    let bed = Bed::new();
    for (message, reason, words) in [
        (
            Arriving {
                body: "{".to_owned(),
                ..good("m1")
            },
            "malformed",
            "ends before",
        ),
        (with(good("m2"), "Colour", "red"), "invalid", "Colour"),
        (with(good("m3"), "Priority", "urgent"), "invalid", "urgent"),
        (with(good("m4"), "Tenant", "a/b"), "invalid", "a/b"),
        (
            message("m5", &json!({"model": "nobody", "prompt": "x"})),
            "unknown-model",
            MODEL,
        ),
    ] {
        let letter = dead(&bed, &message).await;
        assert_eq!(letter["Reason"], reason, "{letter:?}");
        assert!(letter["Detail"].contains(words), "{letter:?}");
        assert_eq!(letter["MessageId"], message.id);
        assert!(!letter.contains_key("JobId"), "{letter:?}");
    }
}

#[tokio::test]
async fn where_its_lane_is_known_it_is_also_a_request_that_failed() {
    let bed = Bed::new();
    let body = json!({"model": MODEL, "prompt": "x", "max_tokens": 1_000_000});
    let unfit = with(message("m1", &body), "IdempotencyKey", "order 66");
    let letter = dead(&bed, &unfit).await;
    let id: RequestId = letter["JobId"].parse().unwrap();
    let row = bed.store.get(id).await.unwrap().unwrap();
    assert_eq!((row.state, row.dead), (State::Failed, false));
    let Some(Outcome::Failure(failure)) = row.outcome else {
        panic!("it has a failure");
    };
    assert!(failure.message.contains("1000000"), "{}", failure.message);
    // Delivered again it is the same one; and the key is free for the message that is mended.
    assert_eq!(dead(&bed, &unfit).await["JobId"], id.to_string());
    let mended = with(good("m2"), "IdempotencyKey", "order 66");
    assert_ne!(accepted(&bed, &mended).await.id, id);
}

#[tokio::test]
async fn a_store_that_fails_leaves_the_message_to_come_again() {
    let bed = Bed::new();
    bed.store.fail(Some(Fault::Full));
    assert!(matches!(input(&bed).take(&good("m1")).await, Taken::Again(_)));
}
