//! Places for jobs that are too large for the door.

use crate::testbed::{Bed, MODEL, Said, post, send};
use crate::{Ingest, IngestPorts};
use bytes::Bytes;
use smoother_core::Timestamp;
use smoother_core::ports::{BoxFuture, Pointer, PointerError, Pointers, StoreError, Upload, Uploads};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

const MOST: u64 = 10_000;

/// Places by number, and what was put there.
#[derive(Default)]
struct Shelf(Mutex<BTreeMap<String, Bytes>>);

impl Shelf {
    fn put(&self, place: &serde_json::Value, job: &str) {
        let key = place["key"].as_str().unwrap().to_owned();
        self.0
            .lock()
            .unwrap()
            .insert(key, Bytes::copy_from_slice(job.as_bytes()));
    }
}

impl Pointers for Shelf {
    fn read(&self, pointer: &Pointer, _: u64) -> BoxFuture<'_, Result<Bytes, PointerError>> {
        let found = self.0.lock().unwrap().get(&pointer.key).cloned();
        let Pointer { bucket, key } = pointer.clone();
        Box::pin(async move { found.ok_or(PointerError::Missing { bucket, key }) })
    }
}

impl Uploads for Shelf {
    fn open(&self, bytes: u64) -> BoxFuture<'_, Result<Upload, StoreError>> {
        let pointer = Pointer {
            bucket: "calls".to_owned(),
            key: format!("place-{bytes}"),
        };
        let upload = Upload {
            url: format!("https://calls.example/{}", pointer.key),
            pointer,
            headers: vec![("content-length".to_owned(), bytes.to_string())],
            expires_at: Timestamp::from_millis(1_800_000_000_000),
        };
        Box::pin(async move { Ok(upload) })
    }
}

fn bed() -> (Bed, Arc<Shelf>) {
    let bed = Bed::with(|config| config.server.max_body_bytes = MOST);
    let shelf = Arc::new(Shelf::default());
    let ports = IngestPorts {
        uploads: Some(shelf.clone()),
        ..bed.ingest.ports.clone()
    };
    let config = bed.ingest.settings().config.clone();
    let ingest = Ingest::new(ports, config);
    (Bed { ingest, ..bed }, shelf)
}

async fn asked(bed: &Bed, text: &str) -> Said {
    send(bed.router(), post("/v1/uploads", &[], text.to_owned())).await
}

#[tokio::test]
async fn a_place_is_given_and_what_was_put_there_is_taken_in() {
    let (bed, shelf) = bed();
    let job = format!(r#"{{"model":"{MODEL}","prompt":"Hello","priority":"batch"}}"#);
    let said = asked(&bed, &format!(r#"{{"bytes":{}}}"#, job.len())).await;
    assert_eq!(said.status, 201);
    let place = said.json();
    assert_eq!(place["put"]["headers"]["content-length"], job.len().to_string());
    assert_eq!(
        place["put"]["url"],
        format!("https://calls.example/place-{}", job.len())
    );
    assert_eq!(place["expires_at"], "2027-01-15T08:00:00.000Z");

    shelf.put(&place["s3"], &job);
    let pointer = serde_json::json!({ "s3": place["s3"] }).to_string();
    let key = [("idempotency-key", "n1")];
    let first = send(bed.router(), post("/v1/jobs", &key, pointer.clone())).await;
    assert_eq!(
        (first.status.as_u16(), &first.json()["priority"]),
        (202, &"batch".into())
    );
    let again = send(bed.router(), post("/v1/jobs", &key, pointer)).await;
    assert_eq!(
        again.json()["id"],
        first.json()["id"],
        "the key is of the job and not of its place"
    );
}

#[tokio::test]
async fn what_is_no_size_gets_no_place_and_what_is_no_place_no_job() {
    let (bed, _) = bed();
    for (text, word) in [
        (r#"{"bytes":0}"#, "bytes is 0"),
        (r#"{"bytes":-1}"#, "bytes"),
        (r#"{"bytes":"5"}"#, "bytes is a string"),
        ("{}", "has no bytes"),
        (r#"{"bytes":5,"key":"mine"}"#, "key"),
    ] {
        let said = asked(&bed, text).await;
        assert!(said.problem(400).contains(word), "{text}: {}", said.problem(400));
    }
    let larger = asked(&bed, &format!(r#"{{"bytes":{}}}"#, MOST + 1)).await;
    assert!(larger.problem(413).contains(&MOST.to_string()));
    for (text, word) in [
        (
            r#"{"s3":{"bucket":"calls","key":"guessed"}}"#,
            "s3://calls/guessed",
        ),
        (r#"{"s3":{"bucket":"calls"}}"#, "has no key"),
        (
            r#"{"s3":{"bucket":"calls","key":"a"},"priority":"batch"}"#,
            "priority",
        ),
    ] {
        let said = send(bed.router(), post("/v1/jobs", &[], text.to_owned())).await;
        assert!(said.problem(400).contains(word), "{text}: {}", said.problem(400));
    }
    assert_eq!(bed.store.len(), 0);
}

#[tokio::test]
async fn where_jobs_come_by_the_door_whatever_their_size_there_are_no_places() {
    let bed = Bed::new();
    let said = asked(&bed, r#"{"bytes":5}"#).await;
    assert!(said.problem(404).contains("POST /v1/jobs"));
    let pointed = post("/v1/jobs", &[], r#"{"s3":{"bucket":"b","key":"k"}}"#.to_owned());
    assert!(send(bed.router(), pointed).await.problem(400).contains("s3"));
}
