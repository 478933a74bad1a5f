//! Bodies and results: byte for byte, of any size.

use super::bed::{Bed, Restart};
use crate::conformance::suite::cases;
use crate::conformance::words::{cancel, complete, id, request, requeue, settlement};
use bytes::Bytes;
use smoother_core::call::CallEnding;
use smoother_core::ports::{Inserted, NewRequest, PayloadKind, PayloadRef};

cases! { Bed;
    payloads_of_every_size_come_back_whole,
    a_very_large_payload_comes_back_whole,
    there_is_none_before_one_was_stored,
    only_the_answering_calls_result_shows,
    a_body_that_was_not_taken_changes_nothing,
    two_requests_never_share_a_payload,
}

/// Around what adapters keep inline: 4 KiB, 64 KiB, 256 KiB.
const SIZES: [usize; 12] = [
    0, 1, 4_095, 4_096, 4_097, 65_535, 65_536, 65_537, 262_143, 262_144, 262_145, 500_000,
];

/// Bytes of no pattern that a compressor or a text column would forgive.
fn bytes(length: usize, seed: u64) -> Bytes {
    let mut state = seed.wrapping_mul(2).wrapping_add(1);
    let mut next = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as u8
    };
    (0..length).map(|_| next()).collect()
}

async fn kept(bed: &Bed, n: u64, kind: PayloadKind, payload: Bytes) -> PayloadRef {
    let length = payload.len();
    let payload = bed.payloads.keep(id(n), kind, payload).await.unwrap();
    match &payload {
        PayloadRef::Inline(bytes) => assert_eq!(bytes.len(), length),
        PayloadRef::Held { bytes, key } => {
            assert_eq!(*bytes, length as u64);
            assert!(!key.is_empty());
        }
    }
    payload
}

async fn insert(bed: &Bed, n: u64, body: Bytes) -> Inserted {
    let mut request = request(n);
    // Not a hash, but another one for each size.
    request.body_hash = [u8::try_from(body.len() % 251).unwrap(); 32];
    let body = kept(bed, n, PayloadKind::Body, body).await;
    bed.store.insert(NewRequest { request, body }).await.unwrap()
}

/// The whole life of a request with these payloads.
async fn lives(bed: &Bed, n: u64, body: Bytes, result: Bytes) {
    assert!(matches!(insert(bed, n, body).await, Inserted::Fresh));
    bed.release(id(n), 1).await.unwrap();
    bed.claim(id(n), 1).await.unwrap();
    let result = kept(bed, n, PayloadKind::Result, result).await;
    let settled = settlement(1, CallEnding::Completed, 1);
    let report = bed
        .store
        .end(id(n), settled, Some(complete(1)), Some(result))
        .await
        .unwrap();
    report.request.unwrap();
}

async fn fetched(bed: &Bed, n: u64, kind: PayloadKind) -> Bytes {
    let found = bed.payloads.fetch(id(n), kind).await.unwrap();
    found.expect("the payload is there")
}

async fn payloads_of_every_size_come_back_whole(bed: Bed) {
    let mut bed = bed;
    for (n, size) in (0..).zip(SIZES) {
        lives(&bed, n, bytes(size, n), bytes(size, n + 1_000)).await;
    }
    for how in [None, Some(Restart::Crash), Some(Restart::Clean)] {
        if let Some(how) = how {
            bed = bed.restarted(how).await;
        }
        for (n, size) in (0..).zip(SIZES) {
            // Not assert_eq: half a megabyte of difference helps nobody.
            assert!(
                fetched(&bed, n, PayloadKind::Body).await == bytes(size, n),
                "body of {size}"
            );
            assert!(
                fetched(&bed, n, PayloadKind::Result).await == bytes(size, n + 1_000),
                "result of {size}"
            );
        }
    }
}

async fn a_very_large_payload_comes_back_whole(bed: Bed) {
    let large = bytes(20 << 20, 7);
    lives(&bed, 1, large.clone(), large.clone()).await;
    let bed = bed.restarted(Restart::Crash).await;
    assert!(fetched(&bed, 1, PayloadKind::Body).await == large);
    assert!(fetched(&bed, 1, PayloadKind::Result).await == large);
}

async fn there_is_none_before_one_was_stored(bed: Bed) {
    for kind in [PayloadKind::Body, PayloadKind::Result] {
        assert_eq!(bed.payloads.fetch(id(1), kind).await.unwrap(), None);
    }
    // Made ready, and no row names it.
    kept(&bed, 1, PayloadKind::Body, bytes(300_000, 1)).await;
    assert_eq!(bed.payloads.fetch(id(1), PayloadKind::Body).await.unwrap(), None);
    // Being written: not yet there, or whole.
    let writing = bed.store.insert(super::bed::new(&request(1)));
    let early = bed.payloads.fetch(id(1), PayloadKind::Body).await.unwrap();
    assert!(early.is_none_or(|body| body == super::bed::body_of(id(1))));
    writing.await.unwrap();
    assert_eq!(
        fetched(&bed, 1, PayloadKind::Body).await,
        super::bed::body_of(id(1))
    );
    bed.release(id(1), 1).await.unwrap();
    bed.claim(id(1), 1).await.unwrap();
    assert_eq!(
        bed.payloads.fetch(id(1), PayloadKind::Result).await.unwrap(),
        None
    );
}

async fn only_the_answering_calls_result_shows(bed: Bed) {
    bed.running(&request(1)).await;
    for size in [10, 300_000] {
        // A result beside a change that is no answer.
        let result = kept(&bed, 1, PayloadKind::Result, bytes(size, 1)).await;
        let settled = settlement(1, CallEnding::Failed, 1);
        let _ = bed
            .store
            .end(id(1), settled, Some(requeue(1)), Some(result))
            .await;
        assert_eq!(
            bed.payloads.fetch(id(1), PayloadKind::Result).await.unwrap(),
            None
        );
    }
    bed.release(id(1), 2).await.unwrap();
    bed.claim(id(1), 2).await.unwrap();
    for (call, taken) in [(1, false), (2, true), (1, false), (2, false)] {
        for size in [300_000, 20] {
            let result = kept(&bed, 1, PayloadKind::Result, bytes(size, u64::from(call))).await;
            let settled = settlement(call, CallEnding::Completed, 1);
            let report = bed
                .store
                .end(id(1), settled, Some(complete(call)), Some(result))
                .await;
            assert_eq!(report.unwrap().request.is_ok(), taken && size == 300_000);
        }
    }
    assert!(fetched(&bed, 1, PayloadKind::Result).await == bytes(300_000, 2));
    let bed = bed.restarted(Restart::Crash).await;
    assert!(fetched(&bed, 1, PayloadKind::Result).await == bytes(300_000, 2));
}

async fn a_body_that_was_not_taken_changes_nothing(bed: Bed) {
    let body = bytes(300_000, 1);
    assert!(matches!(insert(&bed, 1, body.clone()).await, Inserted::Fresh));
    assert!(matches!(insert(&bed, 1, body.clone()).await, Inserted::Same(_)));
    for other in [bytes(300_001, 2), bytes(10, 3)] {
        assert!(matches!(insert(&bed, 1, other).await, Inserted::Conflict));
    }
    bed.change(id(1), cancel()).await.unwrap();
    assert!(fetched(&bed, 1, PayloadKind::Body).await == body);
    let bed = bed.restarted(Restart::Clean).await;
    assert!(fetched(&bed, 1, PayloadKind::Body).await == body);
}

async fn two_requests_never_share_a_payload(bed: Bed) {
    for size in [100, 300_000] {
        let n = size as u64;
        lives(&bed, n, bytes(size, 1), bytes(size, 2)).await;
        lives(&bed, n + 1, bytes(size, 3), bytes(size, 4)).await;
        for (n, body, result) in [(n, 1, 2), (n + 1, 3, 4)] {
            assert!(fetched(&bed, n, PayloadKind::Body).await == bytes(size, body));
            assert!(fetched(&bed, n, PayloadKind::Result).await == bytes(size, result));
        }
    }
}
