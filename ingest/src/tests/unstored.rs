//! A call whose end the store cannot take: whoever waits on the line is told, and told no answer.

use super::{call, settle};
use crate::testbed::{Bed, MODEL, converse, post, stream_frame};
use smoother_core::ports::{Live, StoreError, Update};

const DELTA: &str = r#"{"delta":{"text":"one"},"contentBlockIndex":0}"#;

fn damaged() -> Update {
    Update::NotStored(StoreError::Damaged(
        "a row does not match its checksum".to_owned(),
    ))
}

#[tokio::test]
async fn a_whole_answer_that_is_not_stored_is_an_error() {
    let bed = Bed::new();
    let caller = call(&bed, post(&format!("/model/{MODEL}/converse"), &[], converse()));
    let id = bed.arrived().await.id;
    bed.start(id);
    bed.live.publish(id, damaged());
    let said = caller.await.unwrap();
    assert_eq!(said.status, 500);
    assert_eq!(said.header("x-amzn-errortype"), "InternalServerException");
    let text = String::from_utf8_lossy(&said.body);
    assert!(text.contains("the store is damaged"), "{text}");
}

#[tokio::test]
async fn a_stream_whose_end_is_not_stored_breaks_off() {
    let bed = Bed::new();
    let path = format!("/model/{MODEL}/converse-stream");
    let caller = call(&bed, post(&path, &[], converse()));
    let id = bed.arrived().await.id;
    bed.start(id);
    bed.head(id);
    bed.frame(id, &stream_frame("contentBlockDelta", DELTA));
    // It would close the answer; it is held until the end is durable, and now never shown.
    bed.frame(id, &stream_frame("metadata", r#"{"usage":{"inputTokens":3}}"#));
    settle().await;
    bed.live.publish(id, damaged());
    let messages = caller.await.unwrap().messages();
    assert_eq!(messages.len(), 2);
    let last = String::from_utf8_lossy(messages[1].payload()).into_owned();
    assert!(last.contains("could not be stored"), "{last}");
    let kinds = messages[1].headers().iter().map(|header| header.name().as_str());
    assert!(kinds.into_iter().any(|name| name == ":exception-type"));
}
