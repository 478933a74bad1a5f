use super::{Answer, Script, found, new, noted, request, row_of, row_put, theirs};
use crate::store::DynamoStore;
use serde_json::{Value, json};
use smoother_core::ports::{ChangeError, Inserted, ListFilter, Store, StoreError};
use smoother_core::{CallNo, Change, Request, RequestId, Settlement, State, Timestamp, Tokens};

fn at(ms: u64) -> Timestamp {
    request().arrived_at + smoother_core::Millis::new(ms)
}

fn cancel() -> Change {
    Change::Cancel { at: at(5) }
}

/// A change that writes the row alone.
fn release() -> Change {
    Change::Release {
        lane: request().lane,
        call: CallNo::new(1),
        reserve: Tokens::new(1),
        start_by: at(20_000),
        at: at(1),
    }
}

async fn inserted(script: &Script) -> Result<Inserted, StoreError> {
    script.store().insert(new()).await
}

#[tokio::test(start_paused = true)]
async fn what_is_throttled_is_asked_again_and_nothing_else() {
    let script = noted()
        .then(Answer::error("ProvisionedThroughputExceededException"))
        .then(Answer::error("ThrottlingException"))
        .then(Answer::cancelled(&[
            ("TransactionConflict", None),
            ("None", None),
        ]))
        .then(Answer::cancelled(&[("None", None), ("ThrottlingError", None)]))
        .then(Answer::done());
    assert!(matches!(inserted(&script).await, Ok(Inserted::Fresh)));
    let requests = script.requests();
    assert_eq!(requests.len(), 3 + 5);
    // The same transaction each time: the same mark, the same token.
    assert!(requests[4..].iter().all(|again| again.body == requests[3].body));
}

#[tokio::test(start_paused = true)]
async fn what_will_not_change_fails_at_once_and_says_what_to_do() {
    for (answer, words) in [
        (
            Answer::error("AccessDeniedException"),
            ["dynamodb:TransactWriteItems", "is denied"],
        ),
        (
            Answer::error("ResourceNotFoundException"),
            ["there is no table requests", "deploy it"],
        ),
        (
            Answer::cancelled(&[("TransactionConflict", None), ("ValidationError", None)]),
            ["ValidationError", "table requests"],
        ),
    ] {
        let script = noted().then(answer);
        let Err(StoreError::Failed(why)) = inserted(&script).await else {
            panic!("it cannot be stored");
        };
        assert!(words.iter().all(|word| why.contains(word)), "{why}");
        assert_eq!(script.asked().len(), 4);
    }
}

#[tokio::test(start_paused = true)]
async fn an_insert_whose_answer_was_lost_is_known_again() {
    // The first attempt was made after all, and the second meets it.
    let script = noted()
        .then(Answer::Never)
        .and(|asked| Answer::cancelled(&[("ConditionalCheckFailed", Some(&row_of(asked))), ("None", None)]));
    assert!(matches!(inserted(&script).await, Ok(Inserted::Fresh)));
    // Somebody else's is there.
    let theirs = theirs();
    let script = noted()
        .then(Answer::Broken)
        .and(move |_| Answer::cancelled(&[("ConditionalCheckFailed", Some(&theirs)), ("None", None)]));
    let Ok(Inserted::Same(row)) = inserted(&script).await else {
        panic!("it is the same request");
    };
    assert_eq!(*row, request());
}

#[tokio::test(start_paused = true)]
async fn where_no_attempt_is_answered_the_row_is_asked() {
    let unanswered = || noted().times(10, || Answer::Broken);
    let made = unanswered().and(|asked| found(&row_of(asked)));
    assert!(matches!(inserted(&made).await, Ok(Inserted::Fresh)));
    // Not there yet: it may still come, so nobody says that it is stored, or that it is not.
    let unknown = unanswered().then(Answer::done());
    assert!(matches!(inserted(&unknown).await, Err(StoreError::Failed(_))));
    assert_eq!(unknown.asked().last().unwrap(), "GetItem");
}

async fn changed(script: &Script) -> Result<Request, ChangeError> {
    script.store().change(request().id, release()).await
}

#[tokio::test(start_paused = true)]
async fn a_change_whose_answer_was_lost_is_not_made_twice() {
    let script = Script::default()
        .then(found(&theirs()))
        .then(Answer::Never)
        .and(|asked| Answer::unmet(&row_put(asked)));
    let row = changed(&script).await.unwrap();
    assert_eq!((row.state, row.rev.get()), (State::Released, 2));
    assert_eq!(script.asked(), ["GetItem", "PutItem", "PutItem"]);
    // Not even where others came after it.
    let script = Script::default()
        .then(found(&theirs()))
        .times(10, || Answer::Broken)
        .and(|asked| {
            let mut row = row_put(asked);
            let doc = row["doc"]["S"]
                .as_str()
                .unwrap()
                .replace("\"rev\":2", "\"rev\":3");
            row["doc"]["S"] = json!(doc);
            row["rev"]["N"] = json!("3");
            found(&row)
        });
    assert_eq!(changed(&script).await.unwrap().rev.get(), 2);
}

#[tokio::test(start_paused = true)]
async fn who_is_overtaken_looks_at_the_row_as_it_is() {
    let ended = |asked: &[super::Asked]| {
        let mut row = row_put(asked);
        let doc = row["doc"]["S"].as_str().unwrap().replace("RELEASED", "CANCELLED");
        row["doc"]["S"] = json!(doc);
        let mut past: Value = serde_json::from_str(row["ev"]["S"].as_str().unwrap()).unwrap();
        past[1][3] = json!("theirs");
        row["ev"]["S"] = json!(past.to_string());
        Answer::unmet(&row)
    };
    let script = Script::default().then(found(&theirs())).and(ended);
    let refused = changed(&script).await;
    assert!(matches!(refused, Err(ChangeError::Refused(_))), "{refused:?}");
    assert_eq!(script.asked(), ["GetItem", "PutItem"]);
}

#[tokio::test(start_paused = true)]
async fn a_row_that_goes_meanwhile_is_not_found() {
    let gone = json!({ "__type": "x#ConditionalCheckFailedException" });
    let script = Script::default()
        .then(found(&theirs()))
        .then(Answer::Json(400, gone));
    assert_eq!(changed(&script).await, Err(ChangeError::NotFound(request().id)));
}

/// The row in state RUNNING as call 1.
fn running() -> Value {
    let mut row = theirs();
    let doc = row["doc"]["S"].as_str().unwrap();
    let doc = doc
        .replace("\"QUEUED\"", "\"RUNNING\"")
        .replace("\"call\":0", "\"call\":1");
    row["doc"]["S"] = json!(doc);
    row
}

async fn ended(store: &DynamoStore) -> Result<Request, ChangeError> {
    let call = CallNo::new(1);
    let change = Change::Requeue {
        call,
        not_before: at(9),
        throttle: None,
        error: None,
        spends_try: true,
    };
    let settled = Settlement::indeterminate(call, Tokens::new(1), at(5));
    store
        .end(request().id, settled, Some(change), None)
        .await
        .unwrap()
        .request
}

#[tokio::test(start_paused = true)]
async fn a_call_that_was_settled_before_does_not_hold_up_its_request() {
    let settled = json!({ "pk": { "S": "R#x" } });
    let script = Script::default()
        .then(found(&running()))
        .then(Answer::cancelled(&[
            ("None", None),
            ("ConditionalCheckFailed", Some(&settled)),
        ]))
        .then(Answer::done());
    assert_eq!(ended(&script.store()).await.unwrap().state, State::Queued);
    assert_eq!(script.asked(), ["GetItem", "TransactWriteItems", "PutItem"]);
}

#[tokio::test(start_paused = true)]
async fn an_end_whose_answer_was_lost_is_not_made_twice() {
    let script = Script::default()
        .then(found(&running()))
        .then(Answer::Never)
        .and(|asked| {
            let row = row_of(asked);
            let unmet = Some(&row);
            Answer::cancelled(&[
                ("ConditionalCheckFailed", unmet),
                ("ConditionalCheckFailed", unmet),
            ])
        });
    assert_eq!(ended(&script.store()).await.unwrap().rev.get(), 2);
    assert_eq!(script.asked().len(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_body_that_is_gone_does_not_hold_up_an_end() {
    let script = Script::default()
        .then(found(&theirs()))
        .then(Answer::cancelled(&[
            ("None", None),
            ("ConditionalCheckFailed", None),
        ]))
        .then(Answer::done());
    let row = script.store().change(request().id, cancel()).await.unwrap();
    assert_eq!(row.state, State::Cancelled);
    assert_eq!(script.asked(), ["GetItem", "TransactWriteItems", "PutItem"]);
}

#[tokio::test(start_paused = true)]
async fn a_claim_is_one_read_and_one_transaction() {
    let mut row = theirs();
    let doc = row["doc"]["S"].as_str().unwrap();
    let doc = doc
        .replace("\"QUEUED\"", "\"RELEASED\"")
        .replace("\"call\":0", "\"call\":1");
    row["doc"]["S"] = json!(doc.replace("\"start_by\":null", "\"start_by\":1890000000000"));
    let script = Script::default().then(found(&row)).then(Answer::done());
    let claim = Change::Claim {
        call: CallNo::new(1),
        at: at(3),
    };
    script.store().change(request().id, claim).await.unwrap();
    assert_eq!(script.asked(), ["GetItem", "TransactWriteItems"]);
    let writes = &script.requests()[1].body["TransactItems"];
    assert_eq!(writes[1]["Put"]["Item"]["sk"]["S"], "CALL#0000000001");
    assert_eq!(
        writes[1]["Put"]["ConditionExpression"],
        "attribute_not_exists(#pk)"
    );
}

fn keys(ids: &[RequestId]) -> Vec<Value> {
    let key = |id: &RequestId| json!({ "pk": { "S": format!("R#{id}") }, "sk": { "S": "ROW" } });
    ids.iter().map(key).collect()
}

#[tokio::test(start_paused = true)]
async fn of_half_a_batch_the_other_half_is_asked_for_again() {
    let ids: Vec<RequestId> = (1..=3).map(|n| RequestId::fresh(at(n), [1; 10])).collect();
    let place =
        |id: &RequestId, ms: u64| json!({ "lsk": { "S": format!("{:013}#{id}", at(ms).as_millis()) } });
    let places: Vec<Value> = (1..=3)
        .rev()
        .zip(ids.iter().rev())
        .map(|(n, id)| place(id, n))
        .collect();
    let row = |id: &RequestId| {
        let mut row = theirs();
        let doc = row["doc"]["S"]
            .as_str()
            .unwrap()
            .replace(&request().id.to_string(), &id.to_string());
        row["doc"]["S"] = json!(doc);
        row["pk"]["S"] = json!(format!("R#{id}"));
        row
    };
    let half = |rows: &[RequestId], left: &[RequestId]| {
        let rows: Vec<Value> = rows.iter().map(row).collect();
        let left = json!({ "requests": { "Keys": keys(left), "ConsistentRead": true } });
        Answer::Json(
            200,
            json!({ "Responses": { "requests": rows }, "UnprocessedKeys": left }),
        )
    };
    let rest: Vec<Value> = ids[1..].iter().map(row).collect();
    let day = json!({ "pk": { "S": "T#acme" }, "sk": { "S": "20717" }, "v": { "N": "1" } });
    let script = Script::default()
        .then(Answer::Json(200, json!({ "Items": [day] })))
        .then(Answer::Json(200, json!({ "Items": places })))
        .then(half(&ids[..1], &ids[1..]))
        .then(half(&[], &ids[1..]))
        .then(Answer::Json(
            200,
            json!({ "Responses": { "requests": rest }, "UnprocessedKeys": {} }),
        ));
    let filter = ListFilter {
        tenant: Some(request().tenant),
        ..ListFilter::default()
    };
    let page = script.store().list(filter, None, 10).await.unwrap();
    let listed: Vec<RequestId> = page.requests.iter().map(|row| row.id).collect();
    assert_eq!(listed, [ids[2], ids[1], ids[0]]);
    let asked = script.requests();
    assert_eq!(asked.len(), 5);
    for again in &asked[3..] {
        assert_eq!(
            again.body["RequestItems"]["requests"]["Keys"]
                .as_array()
                .unwrap()
                .len(),
            2
        );
    }
}
