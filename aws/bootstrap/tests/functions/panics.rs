//! A record that makes the function panic fails alone, and is not lost.

use serde_json::{Value, json};
use std::sync::Arc;

use crate::roles::{ask, changed, job, message, socket};
use crate::support::{Breaks, Function, Surroundings};

/// A function whose clock breaks under the record whose request has the first word in it.
async fn function(handler: &str, struck: &'static str, others: &[&'static str]) -> Function {
    let breaks = Arc::new(Breaks::under(struck, others));
    let around = Surroundings::new().await;
    let mut command = around.command(handler);
    breaks.put_under(&mut command);
    around.aws.break_clock(breaks);
    Function::among(around, command)
}

fn pointing(id: &str) -> Value {
    let body = json!({"s3": {"bucket": "calls", "key": format!("inbox/{id}")}});
    message(id, &body.to_string(), &json!({}))
}

#[tokio::test]
async fn a_message_that_panics_comes_again_alone_and_is_taken_then() {
    let mut function = function("input", "inbox/m2", &["inbox/m1", "inbox/m3"]).await;
    for (id, body) in [("m1", job()), ("m2", job()), ("m3", "{".to_owned())] {
        function.aws.put_object(&format!("inbox/{id}"), &body);
    }
    let records = json!(["m1", "m2", "m3"].map(pointing));
    let answer = function.lambda.invoke(json!({"Records": records})).await;
    assert_eq!(answer, json!({"batchItemFailures": [{"itemIdentifier": "m2"}]}));
    assert_eq!(function.aws.sent_to("/lane-nova").len(), 1);
    assert_eq!(function.aws.sent_to("/input-dlq").len(), 1);

    // The same process goes on, and takes it when it comes again.
    let answer = function.lambda.invoke(json!({"Records": [pointing("m2")]})).await;
    assert_eq!(answer, json!({"batchItemFailures": []}));
    assert_eq!(function.aws.sent_to("/lane-nova").len(), 2);
    assert!(function.process.try_wait().unwrap().is_none(), "it still runs");
}

/// The row of a request before and after it was cancelled.
async fn cancelled(ws: &Function) -> (String, Value, Value) {
    let form: Value = serde_json::from_str(&job()).unwrap();
    let answer = ask(ws, json!({"action": "submit", "ref": "a", "job": form})).await;
    let id = answer["job"]["id"].as_str().unwrap().to_owned();
    let before = ws.aws.row(&id);
    ask(ws, json!({"action": "cancel", "id": id})).await;
    let after = ws.aws.row(&id);
    (id, before, after)
}

#[tokio::test]
async fn an_end_that_panics_is_told_later_and_the_others_now() {
    let ws = Function::start("ws").await;
    ws.lambda.invoke(socket("$connect", None)).await;
    let (struck, other) = (cancelled(&ws).await, cancelled(&ws).await);
    let words = [&struck, &other].map(|(id, ..)| &*id.clone().leak());
    let function = function("results", words[0], &[words[1]]).await;
    let records = json!([
        changed("1", &struck.1, &struck.2),
        changed("2", &other.1, &other.2)
    ]);
    let answer = function.lambda.invoke(json!({"Records": records})).await;
    assert_eq!(answer, json!({"batchItemFailures": []}));
    let bodies = |queue: &str| -> Vec<String> {
        let sent = function.aws.sent_to(queue);
        sent.iter()
            .map(|one| one["MessageBody"].as_str().unwrap().to_owned())
            .collect()
    };
    let (later, told) = (bodies("/untold"), bodies("/results"));
    assert!(later.len() == 1 && later[0].contains(&struck.0), "{later:?}");
    assert!(told.len() == 1 && told[0].contains(&other.0), "{told:?}");
}
