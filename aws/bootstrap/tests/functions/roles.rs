//! The functions as Lambda runs them: the real binary, real events.

use serde_json::{Value, json};

use crate::support::{Function, MODEL};

pub fn message(id: &str, body: &str, attributes: &Value) -> Value {
    json!({
        "messageId": id, "receiptHandle": "r", "body": body, "attributes": {"SenderId": "AIDA", "SentTimestamp": "1"},
        "messageAttributes": attributes, "md5OfBody": "x", "eventSource": "aws:sqs",
        "eventSourceARN": "arn:aws:sqs:us-east-1:1:input", "awsRegion": "us-east-1",
    })
}

pub fn job() -> String {
    json!({"model": MODEL, "prompt": "Say hello.", "max_tokens": 16}).to_string()
}

fn text(value: &str) -> Value {
    json!({"stringValue": value, "stringListValues": [], "binaryListValues": [], "dataType": "String"})
}

fn attribute<'a>(sent: &'a Value, name: &str) -> &'a str {
    sent["MessageAttributes"][name]["StringValue"].as_str().unwrap()
}

#[tokio::test]
async fn input_takes_what_it_can_and_sends_the_rest_to_the_dead_letters() {
    let function = Function::start("input").await;
    let answer = function
        .lambda
        .invoke(json!({"Records": [
            message("m1", &job(), &json!({"Priority": text("batch")})),
            message("m2", "{", &json!({})),
            message("m3", &job(), &json!({"Colour": text("red")})),
        ]}))
        .await;
    assert_eq!(answer, json!({"batchItemFailures": []}));
    let arrived = function.aws.sent_to("/lane-nova");
    assert_eq!(arrived.len(), 1);
    let event: Value = serde_json::from_str(arrived[0]["MessageBody"].as_str().unwrap()).unwrap();
    assert_eq!(event["arrived"]["priority"], "batch");
    assert_eq!(
        function.aws.invoked(),
        [json!({"lane": "nova"})],
        "nobody held the lane"
    );
    let mut dead = function.aws.sent_to("/input-dlq");
    dead.sort_by_key(|letter| attribute(letter, "MessageId").to_owned());
    assert_eq!(dead.len(), 2);
    assert_eq!(
        (attribute(&dead[0], "Reason"), &dead[0]["MessageBody"]),
        ("malformed", &json!("{"))
    );
    assert!(attribute(&dead[1], "Detail").contains("Colour"));
}

#[tokio::test]
async fn input_reports_what_could_not_be_stored_and_nothing_else() {
    let function = Function::start("input").await;
    function.aws.deny("TransactWriteItems");
    let records = json!([message("m1", &job(), &json!({})), message("m2", "{", &json!({}))]);
    let answer = function.lambda.invoke(json!({"Records": records})).await;
    assert_eq!(answer, json!({"batchItemFailures": [{"itemIdentifier": "m1"}]}));
    assert_eq!(function.aws.sent_to("/input-dlq").len(), 1);
}

#[tokio::test]
async fn an_oversized_message_is_told_apart_and_harms_no_neighbour() {
    let function = Function::start("input").await;
    // The largest that SQS takes: with a reason it is too large for the dead letters, and gets there as it is in the end.
    let largest = "x".repeat(1_048_576);
    let large = "x".repeat(1_000_000);
    let too_large_body =
        json!({"model": MODEL, "prompt": "x".repeat(900_000), "max_tokens": 1_000_000}).to_string();
    let records = json!([
        message("m1", &largest, &json!({})),
        message("m2", &large, &json!({})),
        message("m3", &too_large_body, &json!({})),
        message("m4", &job(), &json!({})),
    ]);
    let answer = function.lambda.invoke(json!({"Records": records})).await;
    assert_eq!(answer, json!({"batchItemFailures": [{"itemIdentifier": "m1"}]}));
    assert_eq!(function.aws.sent_to("/lane-nova").len(), 1);
    let mut dead = function.aws.sent_to("/input-dlq");
    dead.sort_by_key(|letter| attribute(letter, "MessageId").to_owned());
    let told: Vec<(&str, &str)> = dead
        .iter()
        .map(|letter| (attribute(letter, "MessageId"), attribute(letter, "Reason")))
        .collect();
    assert_eq!(told, [("m2", "malformed"), ("m3", "invalid")]);
    assert_eq!(dead[0]["MessageBody"], json!(large), "as it came");
}

#[tokio::test]
async fn a_body_that_is_pointed_to_is_taken_up_to_the_largest_and_no_larger() {
    let function = Function::start("input").await;
    let body = |bytes: usize| {
        let frame = json!({"model": MODEL, "prompt": "", "max_tokens": 16}).to_string();
        json!({"model": MODEL, "prompt": "x".repeat(bytes - frame.len()), "max_tokens": 16}).to_string()
    };
    let most = 20 * 1024 * 1024;
    for (id, bytes) in [("fits", 300_000), ("larger", most + 1)] {
        function.aws.put_object(&format!("inbox/{id}"), &body(bytes));
    }
    let pointing = |id: &str| {
        let body = json!({"s3": {"bucket": "calls", "key": format!("inbox/{id}")}});
        message(id, &body.to_string(), &json!({}))
    };
    let records = json!([pointing("fits"), pointing("larger"), pointing("nothing")]);
    let answer = function.lambda.invoke(json!({"Records": records})).await;
    assert_eq!(answer, json!({"batchItemFailures": []}));
    let dead = function.aws.sent_to("/input-dlq");
    let detail = |id: &str| {
        let letter = dead.iter().find(|letter| attribute(letter, "MessageId") == id);
        attribute(letter.unwrap(), "Detail").to_owned()
    };
    assert!(
        detail("larger").contains(&format!("{} bytes", most + 1)),
        "{}",
        detail("larger")
    );
    assert!(detail("nothing").contains("there is no object s3://calls/inbox/nothing"));
    assert_eq!(function.aws.sent_to("/lane-nova").len(), 1);
}

#[tokio::test]
async fn a_worker_reports_what_is_no_release() {
    let function = Function::start("worker").await;
    let records = json!([message("m1", "{\"colour\": \"red\"}", &json!({}))]);
    let answer = function.lambda.invoke(json!({"Records": records})).await;
    assert_eq!(answer, json!({"batchItemFailures": [{"itemIdentifier": "m1"}]}));
}

#[tokio::test]
async fn the_prioritizer_names_a_lane_that_is_none() {
    let function = Function::start("prioritizer").await;
    let said = function.lambda.fails(json!({"lane": "other"})).await;
    assert!(said.contains("other") && said.contains("nova"), "{said}");
}

fn http(method: &str, path: &str, body: &str) -> Value {
    json!({
        "version": "2.0", "routeKey": "$default", "rawPath": path, "rawQueryString": "",
        "headers": {"content-type": "application/json", "host": "abc.lambda-url.us-east-1.on.aws"},
        "requestContext": {
            "accountId": "anonymous", "apiId": "abc", "domainName": "abc.lambda-url.us-east-1.on.aws",
            "http": {"method": method, "path": path, "protocol": "HTTP/1.1", "sourceIp": "127.0.0.1", "userAgent": "t"},
            "requestId": "r", "routeKey": "$default", "stage": "$default",
            "time": "12/Mar/2020:19:03:58 +0000", "timeEpoch": 1_583_348_638_390_u64,
        },
        "body": body, "isBase64Encoded": false,
    })
}

/// A streamed answer is the head as JSON, eight zero bytes, and the body.
fn streamed(answer: &[u8]) -> (Value, Vec<u8>) {
    let zeros = answer
        .windows(8)
        .position(|eight| eight == [0; 8])
        .expect("a head ends with eight zero bytes");
    (
        serde_json::from_slice(&answer[..zeros]).unwrap(),
        answer[zeros + 8..].to_vec(),
    )
}

#[tokio::test]
async fn http_serves_the_doors_as_streams() {
    let function = Function::start("http").await;
    let (head, body) = streamed(&function.lambda.invoke_raw(http("POST", "/v1/jobs", &job())).await);
    assert_eq!(head["statusCode"], 202);
    let accepted: Value = serde_json::from_slice(&body).unwrap();
    let id = accepted["id"].as_str().unwrap();
    assert_eq!(function.aws.row(id)["state"]["S"], "QUEUED");

    let path = format!("/v1/jobs/{id}");
    let (head, body) = streamed(&function.lambda.invoke_raw(http("GET", &path, "")).await);
    assert_eq!(head["statusCode"], 200);
    assert!(String::from_utf8(body).unwrap().contains("\"status\":\"QUEUED\""));

    let (head, body) = streamed(&function.lambda.invoke_raw(http("GET", "/nothing/here", "")).await);
    assert_eq!(head["statusCode"], 404);
    assert!(String::from_utf8(body).unwrap().contains("unknown-path"));
}

pub fn socket(route: &str, body: Option<&Value>) -> Value {
    let kind = match route {
        "$connect" => "CONNECT",
        "$disconnect" => "DISCONNECT",
        _ => "MESSAGE",
    };
    json!({
        "requestContext": {
            "routeKey": route, "eventType": kind, "connectionId": "L0SM9cOFvHcCIhw=", "stage": "live",
            "requestId": "r", "apiId": "abc", "connectedAt": 1, "requestTimeEpoch": 1, "messageDirection": "IN",
            "identity": {"sourceIp": "127.0.0.1"}, "domainName": "abc.execute-api.us-east-1.amazonaws.com",
            "extendedRequestId": "e", "requestTime": "x",
        },
        "body": body.map(ToString::to_string), "isBase64Encoded": false,
    })
}

/// A record of the table's stream.
pub fn changed(sequence: &str, old: &Value, new: &Value) -> Value {
    json!({
        "eventID": sequence, "eventName": "MODIFY", "eventSource": "aws:dynamodb", "awsRegion": "us-east-1",
        "dynamodb": {"Keys": {"pk": new["pk"], "sk": new["sk"]}, "SequenceNumber": sequence,
            "OldImage": old, "NewImage": new, "StreamViewType": "NEW_AND_OLD_IMAGES"},
    })
}

pub async fn ask(function: &Function, ask: Value) -> Value {
    let answer = function.lambda.invoke(socket("$default", Some(&ask))).await;
    assert_eq!(answer["statusCode"], 200);
    serde_json::from_str(answer["body"].as_str().unwrap()).unwrap()
}

#[tokio::test]
async fn a_socket_submits_cancels_and_is_told_the_end() {
    let ws = Function::start("ws").await;
    assert_eq!(
        ws.lambda.invoke(socket("$connect", None)).await["statusCode"],
        200
    );
    let form: Value = serde_json::from_str(&job()).unwrap();
    let answer = ask(&ws, json!({"action": "submit", "ref": "a1", "job": form})).await;
    assert_eq!(
        (&answer["type"], &answer["ref"]),
        (&json!("job"), &json!("a1")),
        "{answer}"
    );
    let id = answer["job"]["id"].as_str().unwrap().to_owned();
    let before = ws.aws.row(&id);
    let answer = ask(&ws, json!({"action": "cancel", "id": id})).await;
    assert_eq!(answer["job"]["status"], "CANCELLED");
    let after = ws.aws.row(&id);
    // Who subscribes after the end is told it at once.
    ask(&ws, json!({"action": "subscribe", "id": id})).await;
    let pushed = ws.aws.pushed();
    assert_eq!(pushed.len(), 1);
    assert!(pushed[0].1.contains("\"CANCELLED\""), "{pushed:?}");

    let results = Function::start("results").await;
    let mut damaged = after.clone();
    damaged["doc"] = json!({"S": "{"});
    let records = json!([changed("100", &before, &after), changed("101", &before, &damaged)]);
    let answer = results.lambda.invoke(json!({"Records": records})).await;
    // What cannot be read is not told again and again by the stream, where it would hold up what comes behind it.
    assert_eq!(answer, json!({"batchItemFailures": []}));
    let later = results.aws.sent_to("/untold");
    assert_eq!(later.len(), 1);
    assert!(
        later[0]["MessageBody"].as_str().unwrap().contains(&id),
        "{later:?}"
    );
    let told = results.aws.sent_to("/results");
    assert_eq!(told.len(), 1);
    assert_eq!(attribute(&told[0], "Status"), "CANCELLED");
    let event: Value = serde_json::from_str(told[0]["MessageBody"].as_str().unwrap()).unwrap();
    assert_eq!(event["job"]["id"], json!(id));
    assert_eq!(results.aws.published().len(), 1);

    assert_eq!(
        ws.lambda.invoke(socket("$disconnect", None)).await["statusCode"],
        200
    );
}
