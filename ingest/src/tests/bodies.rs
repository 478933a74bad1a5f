//! Bodies that are too large, too slow or cut off.

use super::call;
use crate::testbed::{Bed, MODEL, converse, post, send};
use axum::body::Body;
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

const LIMIT: usize = 64 * 1024;

fn path() -> String {
    format!("/model/{MODEL}/converse")
}

fn chunks(count: usize, taken: &Arc<AtomicU64>) -> Body {
    let taken = Arc::clone(taken);
    let chunk = Bytes::from(vec![b' '; 16 * 1024]);
    Body::from_stream(stream::iter(0..count).map(move |_| {
        taken.fetch_add(chunk.len() as u64, Ordering::SeqCst);
        Ok::<_, io::Error>(chunk.clone())
    }))
}

#[tokio::test]
async fn a_body_of_many_chunks_arrives_whole() {
    let bed = Bed::new();
    let text = converse();
    let parts: Vec<_> = text
        .as_bytes()
        .chunks(7)
        .map(|part| Ok::<_, io::Error>(Bytes::copy_from_slice(part)))
        .collect();
    let caller = call(&bed, post(&path(), &[], Body::from_stream(stream::iter(parts))));
    let id = bed.arrived().await.id;
    assert_eq!(bed.store.body(id), text);
    caller.abort();
}

#[tokio::test]
async fn a_body_over_the_limit_is_refused_as_it_streams() {
    let bed = Bed::new();
    let said = send(bed.router(), post(&path(), &[], chunks(5, &Arc::default()))).await;
    let said = said.exception(400, "ValidationException");
    assert!(said.contains("max_body_bytes = 65536"), "{said}");
    let said = send(bed.router(), post("/v1/jobs", &[], chunks(5, &Arc::default()))).await;
    assert!(said.problem(413).contains("65536"));
    assert_eq!(said.json()["limit"]["name"], "max_body_bytes");
    assert_eq!(said.json()["limit"]["value"], 65_536);
    // Exactly the limit is allowed, and then judged as JSON.
    let said = send(bed.router(), post(&path(), &[], " ".repeat(LIMIT))).await;
    assert!(said.exception(400, "ValidationException").contains("empty"));
    assert_eq!(bed.store.len(), 0);
}

#[tokio::test]
async fn a_sender_without_end_is_let_go() {
    let bed = Bed::new();
    let taken = Arc::new(AtomicU64::new(0));
    let said = send(bed.router(), post(&path(), &[], chunks(1 << 20, &taken))).await;
    said.exception(400, "ValidationException");
    assert!(taken.load(Ordering::SeqCst) < 80 << 20, "{taken:?}");
}

#[tokio::test]
async fn an_announced_size_is_believed_before_a_byte_is_sent() {
    let bed = Bed::new();
    let taken = Arc::new(AtomicU64::new(0));
    let headers = [("content-length", "70000"), ("expect", "100-continue")];
    let said = send(bed.router(), post(&path(), &headers, chunks(5, &taken))).await;
    said.exception(400, "ValidationException");
    assert_eq!(taken.load(Ordering::SeqCst), 0);
}

#[tokio::test(start_paused = true)]
async fn a_body_that_stops_coming_is_given_up() {
    let bed = Bed::new();
    let slow = || {
        let first = stream::iter([Ok::<_, io::Error>(Bytes::from_static(b"{\"messages\":"))]);
        Body::from_stream(first.chain(stream::pending()))
    };
    let said = send(bed.router(), post(&path(), &[], slow())).await;
    assert!(
        said.exception(408, "RequestTimeoutException")
            .contains("30 seconds")
    );
    assert!(
        send(bed.router(), post("/v1/jobs", &[], slow()))
            .await
            .problem(408)
            .contains("30 seconds")
    );
    assert_eq!(bed.store.len(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_body_that_trickles_is_given_up() {
    let bed = Bed::new();
    let trickle = stream::unfold((), |()| async {
        tokio::time::sleep(Duration::from_secs(20)).await;
        Some((Ok::<_, io::Error>(Bytes::from_static(b" ")), ()))
    });
    let said = send(bed.router(), post(&path(), &[], Body::from_stream(trickle))).await;
    assert!(
        said.exception(408, "RequestTimeoutException")
            .contains("300 seconds")
    );
}

#[tokio::test]
async fn a_body_cut_off_stores_nothing() {
    let bed = Bed::new();
    let cut = || {
        let parts = [
            Ok(Bytes::from(converse())),
            Err(io::Error::from(io::ErrorKind::UnexpectedEof)),
        ];
        Body::from_stream(stream::iter(parts))
    };
    let said = send(bed.router(), post(&path(), &[], cut())).await;
    assert!(
        said.exception(400, "ValidationException")
            .contains("before it was complete")
    );
    send(bed.router(), post("/v1/jobs", &[], cut()))
        .await
        .problem(400);
    assert_eq!((bed.store.len(), bed.lanes.told()), (0, 0));
}
