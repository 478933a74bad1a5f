use super::*;
use crate::clients;
use crate::script::{Answer, Request, Script, chance};
use serde_json::{Value, json};
use smoother_core::estimate::Outputs;
use smoother_core::{ModelId, TenantId, Timestamp, Tokens};

const MAX: Tokens = Tokens::new(4_096);

fn names() -> (ModelId, TenantId) {
    (ModelId::new("m").unwrap(), TenantId::new("acme").unwrap())
}

fn key() -> OutputKey {
    let (model, tenant) = names();
    OutputKey::of_tenant(&model, &tenant, MAX)
}

/// So many answers of so many tokens.
fn lessons(count: usize, output: u64) -> Vec<Lesson> {
    let lesson = Lesson {
        output: Tokens::new(output),
        cut_short: None,
        at: Timestamp::from_millis(1_790_000_000_000),
        may_be_sized: true,
    };
    vec![lesson; count]
}

/// An item that somebody else wrote.
fn item(rev: u64, of: &[Lesson]) -> Value {
    let mut shared = SharedAnswers::default();
    shared.teach(of);
    json!({
        "pk": {"S": keys::outputs(&key()).pk}, "sk": {"S": "OUTPUTS"}, "v": {"N": "1"}, "rev": {"N": rev.to_string()},
        "mark": {"S": "theirs"}, "doc": {"S": serde_json::to_string(&shared).unwrap()},
    })
}

fn outputs(script: &Script) -> DynamoOutputs {
    let client = clients::dynamodb(&script.environment());
    DynamoOutputs::new(client, "requests", chance())
}

/// What the last put wrote, and under which condition.
fn put(asked: &[Request]) -> (Value, String) {
    let last = asked.iter().rev().find(|asked| asked.what == "PutItem").unwrap();
    let condition = last.body["ConditionExpression"].as_str().unwrap();
    (last.body["Item"].clone(), condition.to_owned())
}

fn size(taught: &Taught) -> Option<u64> {
    let (model, tenant) = names();
    let mut known = Outputs::default();
    known.set(key(), &taught.answers);
    known.right_size(&model, &tenant, MAX).map(Tokens::get)
}

#[tokio::test(start_paused = true)]
async fn a_key_that_nobody_wrote_is_begun_and_expires_by_itself() {
    let script = Script::default().then(Answer::done()).then(Answer::done());
    let taught = outputs(&script).teach(&key(), &lessons(32, 10)).await.unwrap();
    assert_eq!((size(&taught), taught.look_through), (Some(64), true));
    let (item, condition) = put(&script.requests());
    assert_eq!(item["rev"], json!({"N": "1"}));
    assert_eq!(item["pk"], json!({"S": "O#13#acme#m"}));
    assert_eq!(condition, "attribute_not_exists(#pk)");
    let ttl: u64 = item["ttl"]["N"].as_str().unwrap().parse().unwrap();
    assert_eq!(ttl, 1_790_000_000 + 60 * 86_400);
}

#[tokio::test(start_paused = true)]
async fn lessons_are_added_to_what_another_wrote_meanwhile() {
    let script = Script::default()
        .then(Answer::Json(200, json!({"Item": item(7, &lessons(16, 10))})))
        .then(Answer::unmet(&item(8, &lessons(31, 10))))
        .then(Answer::done());
    let taught = outputs(&script).teach(&key(), &lessons(1, 10)).await.unwrap();
    assert_eq!(size(&taught), Some(64), "31 and 1 are enough");
    assert_eq!(script.asked(), ["GetItem", "PutItem", "PutItem"]);
    let (item, condition) = put(&script.requests());
    assert_eq!(
        (&item["rev"], condition.as_str()),
        (&json!({"N": "9"}), "#rev = :rev")
    );
    let asked = script.requests();
    assert_eq!(
        asked[2].body["ExpressionAttributeValues"][":rev"],
        json!({"N": "8"})
    );
}

#[tokio::test(start_paused = true)]
async fn a_write_whose_answer_was_lost_is_not_made_twice() {
    let script = Script::default()
        .then(Answer::Json(200, json!({"Item": item(7, &lessons(31, 10))})))
        .then(Answer::Broken)
        .and(|asked| Answer::unmet(&put(asked).0));
    let taught = outputs(&script).teach(&key(), &lessons(1, 10)).await.unwrap();
    assert_eq!(size(&taught), Some(64));
    assert_eq!(script.asked(), ["GetItem", "PutItem", "PutItem"]);
}

#[tokio::test(start_paused = true)]
async fn what_does_not_read_is_learned_anew_and_what_a_later_version_wrote_is_left_alone() {
    let mut damaged = item(7, &lessons(31, 10));
    damaged["doc"] = json!({"S": "{\"answers\": 7}"});
    let script = Script::default()
        .then(Answer::Json(200, json!({"Item": damaged})))
        .then(Answer::done());
    let taught = outputs(&script).teach(&key(), &lessons(1, 10)).await.unwrap();
    assert_eq!(size(&taught), None);
    assert_eq!(put(&script.requests()).0["rev"], json!({"N": "8"}));

    let mut later = item(7, &lessons(31, 10));
    later["v"] = json!({"N": "9"});
    let script = Script::default().then(Answer::Json(200, json!({"Item": later})));
    let error = outputs(&script).teach(&key(), &lessons(1, 10)).await.unwrap_err();
    assert!(error.to_string().contains("version 9"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn one_who_is_always_overtaken_gives_up() {
    let script = Script::default()
        .then(Answer::done())
        .times(MOST_TRIES, || Answer::unmet(&item(7, &lessons(1, 10))));
    let error = outputs(&script).teach(&key(), &lessons(1, 10)).await.unwrap_err();
    assert!(error.to_string().contains("13#acme#m"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn keys_are_read_together_and_those_that_are_not_there_left_out() {
    let (model, tenant) = names();
    let read = json!({"Responses": {"requests": [item(7, &lessons(40, 10))]}});
    let script = Script::default().then(Answer::Json(200, read));
    let found = outputs(&script)
        .read(&OutputKey::both(&model, &tenant, MAX))
        .await
        .unwrap();
    let found: Vec<OutputKey> = found.into_iter().map(|(key, _)| key).collect();
    assert_eq!(found, [key()]);
    assert_eq!(script.asked(), ["BatchGetItem"]);
}
