use super::{Answer, Script, found, request, theirs};
use crate::objects;
use bytes::Bytes;
use serde_json::json;
use smoother_core::ports::{PayloadKind, PayloadRef, Payloads, StoreError};

const ANSWER: &[u8] = b"{\"output\": {}}";

fn error(status: u16, code: &str) -> Answer {
    let body = format!(
        "<?xml version=\"1.0\"?><Error><Code>{code}</Code><Message>as the test has it</Message></Error>"
    );
    Answer::Raw(status, body.into_bytes())
}

async fn kept(script: &Script) -> Result<PayloadRef, StoreError> {
    script
        .store()
        .keep(request().id, PayloadKind::Result, ANSWER.into())
        .await
}

#[tokio::test(start_paused = true)]
async fn an_object_is_put_until_it_is_taken() {
    let script = Script::default()
        .then(error(503, "SlowDown"))
        .then(error(500, "InternalError"))
        .then(Answer::Never)
        .then(Answer::Broken)
        .then(Answer::Raw(200, Vec::new()));
    let Ok(PayloadRef::Held { key, bytes }) = kept(&script).await else {
        panic!("every result is an object");
    };
    assert_eq!(key, format!("results/{}/{}", request().id, objects::hash(ANSWER)));
    assert_eq!(bytes, ANSWER.len() as u64);
    assert_eq!(script.asked(), vec![format!("PUT /calls/{key}"); 5]);
}

#[tokio::test(start_paused = true)]
async fn what_will_not_change_fails_at_once_and_says_what_to_do() {
    for (answer, words) in [
        (
            error(403, "AccessDenied"),
            ["s3:PutObject on bucket calls is denied", "give the role"],
        ),
        (
            error(404, "NoSuchBucket"),
            ["there is no bucket calls", "deploy it"],
        ),
    ] {
        let script = Script::default().then(answer);
        let Err(StoreError::Failed(why)) = kept(&script).await else {
            panic!("it cannot be kept");
        };
        assert!(words.iter().all(|word| why.contains(word)), "{why}");
        assert_eq!(script.asked().len(), 1);
    }
}

async fn fetched(answer: Answer) -> Result<Option<Bytes>, StoreError> {
    let mut row = theirs();
    let key = objects::key(request().id, PayloadKind::Result, ANSWER);
    row["result"] = json!({ "S": json!({ "k": key, "n": ANSWER.len() }).to_string() });
    let script = Script::default().then(found(&row)).then(answer);
    script.store().fetch(request().id, PayloadKind::Result).await
}

#[tokio::test(start_paused = true)]
async fn a_payload_is_what_was_written_or_nothing() {
    let whole = fetched(Answer::Raw(200, ANSWER.to_vec())).await;
    assert_eq!(whole.unwrap().unwrap(), ANSWER);
    assert_eq!(fetched(error(404, "NoSuchKey")).await, Ok(None));
    let other = fetched(Answer::Raw(200, b"something else".to_vec())).await;
    assert!(matches!(other, Err(StoreError::Damaged(_))), "{other:?}");
    let denied = fetched(error(403, "AccessDenied")).await;
    assert!(matches!(denied, Err(StoreError::Failed(_))), "{denied:?}");
}
