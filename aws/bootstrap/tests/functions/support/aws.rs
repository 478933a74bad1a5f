//! The services, as far as the functions ask them: a table by primary key, queues, a topic, connections.

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use http::request::Parts;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use super::Breaks;

type Key = (String, String);

/// What was stored and sent.
#[derive(Default)]
pub struct Aws {
    items: Mutex<BTreeMap<Key, Value>>,
    /// Operations that are denied.
    denied: Mutex<Vec<String>>,
    sent: Mutex<Vec<(String, Value)>>,
    invoked: Mutex<Vec<Value>>,
    published: Mutex<Vec<String>>,
    pushed: Mutex<Vec<(String, String)>>,
    objects: Mutex<BTreeMap<String, String>>,
    /// What is wrong with the table.
    table: Mutex<Option<Value>>,
    breaks: Mutex<Option<Arc<Breaks>>>,
}

impl Aws {
    /// Answers an operation with AccessDenied from now on.
    pub fn deny(&self, operation: &str) {
        self.denied.lock().unwrap().push(operation.to_owned());
    }

    /// Answers DescribeTable so from now on; `__type` makes it an error.
    pub fn describe_table_as(&self, answer: Value) {
        *self.table.lock().unwrap() = Some(answer);
    }

    /// Puts an object into the bucket.
    pub fn put_object(&self, key: &str, body: &str) {
        self.objects
            .lock()
            .unwrap()
            .insert(format!("/calls/{key}"), body.to_owned());
    }

    /// Holds up what is asked, so that a clock breaks under one record.
    pub fn break_clock(&self, breaks: Arc<Breaks>) {
        *self.breaks.lock().unwrap() = Some(breaks);
    }

    /// Whether anything was written or sent.
    pub fn is_untouched(&self) -> bool {
        let sent = self.sent.lock().unwrap().is_empty() && self.invoked.lock().unwrap().is_empty();
        sent && self.items.lock().unwrap().is_empty() && self.published.lock().unwrap().is_empty()
    }

    pub(super) async fn hold_up(&self, parts: &Parts, body: &Bytes) {
        let breaks = self.breaks.lock().unwrap().clone();
        if let Some(breaks) = breaks {
            let asked = format!("{} {}", parts.uri.path(), String::from_utf8_lossy(body));
            breaks.pass(&asked).await;
        }
    }

    /// The messages sent to the queue whose URL ends so.
    pub fn sent_to(&self, queue: &str) -> Vec<Value> {
        let sent = self.sent.lock().unwrap();
        let to = sent.iter().filter(|(url, _)| url.ends_with(queue));
        to.map(|(_, entry)| entry.clone()).collect()
    }

    /// The payloads with which the prioritizer was invoked.
    pub fn invoked(&self) -> Vec<Value> {
        self.invoked.lock().unwrap().clone()
    }

    /// What was published on the topic, as the form it came in.
    pub fn published(&self) -> Vec<String> {
        self.published.lock().unwrap().clone()
    }

    /// What was pushed: connection and text.
    pub fn pushed(&self) -> Vec<(String, String)> {
        self.pushed.lock().unwrap().clone()
    }

    /// A request's row, as it is stored.
    pub fn row(&self, id: &str) -> Value {
        let key = (format!("R#{id}"), "ROW".to_owned());
        self.items.lock().unwrap()[&key].clone()
    }

    pub(super) fn answer(&self, parts: &Parts, body: &Bytes) -> Response {
        let path = parts.uri.path();
        let target = parts
            .headers
            .get("x-amz-target")
            .and_then(|target| target.to_str().ok());
        let operation = target
            .and_then(|target| target.split('.').next_back())
            .unwrap_or_default();
        if self
            .denied
            .lock()
            .unwrap()
            .iter()
            .any(|denied| denied == operation)
        {
            return reply(
                400,
                &json!({"__type": "AccessDeniedException", "message": "not for you"}).to_string(),
            );
        }
        let asked: Value = serde_json::from_slice(body).unwrap_or_default();
        if !operation.is_empty() {
            let answer = self.by_target(operation, &asked);
            let status = if answer["__type"].is_string() { 400 } else { 200 };
            return reply(status, &answer.to_string());
        }
        if let Some(connection) = path.strip_prefix("/live/@connections/") {
            let text = String::from_utf8(body.to_vec()).unwrap();
            self.pushed.lock().unwrap().push((connection.to_owned(), text));
            return reply(200, "");
        }
        if path.contains("/functions/") {
            self.invoked.lock().unwrap().push(asked);
            return reply(202, "");
        }
        if body.starts_with(b"Action=PublishBatch") {
            self.published
                .lock()
                .unwrap()
                .push(String::from_utf8(body.to_vec()).unwrap());
            return reply(200, PUBLISHED);
        }
        if parts.method == "GET" && path.starts_with("/calls/") {
            let objects = self.objects.lock().unwrap();
            return objects.get(path).map_or_else(
                || reply(404, "<Error><Code>NoSuchKey</Code></Error>"),
                |body| reply(200, body),
            );
        }
        if parts.method == "HEAD"
            && self
                .denied
                .lock()
                .unwrap()
                .iter()
                .any(|denied| denied == "HeadBucket")
        {
            return reply(403, "");
        }
        reply(200, "")
    }

    fn by_target(&self, operation: &str, asked: &Value) -> Value {
        let mut items = self.items.lock().unwrap();
        let mut put = |item: &Value| {
            items.insert(key(item), item.clone());
        };
        match operation {
            "DescribeTable" => return self.table.lock().unwrap().clone().unwrap_or_else(table),
            "PutItem" => put(&asked["Item"]),
            "TransactWriteItems" => {
                for write in asked["TransactItems"].as_array().unwrap() {
                    if write["Put"].is_object() {
                        put(&write["Put"]["Item"]);
                    }
                }
            }
            "DeleteItem" => drop(items.remove(&key(&asked["Key"]))),
            "GetItem" => {
                return items
                    .get(&key(&asked["Key"]))
                    .map_or(json!({}), |item| json!({"Item": item}));
            }
            "Query" => {
                let values = &asked["ExpressionAttributeValues"];
                let (pk, sk) = (
                    values[":pk"]["S"].as_str().unwrap(),
                    values[":sk"]["S"].as_str().unwrap_or(""),
                );
                let found = items.iter().filter(|((p, s), _)| p == pk && s.starts_with(sk));
                return json!({"Items": found.map(|(_, item)| item).collect::<Vec<_>>()});
            }
            "SendMessageBatch" => {
                let url = asked["QueueUrl"].as_str().unwrap();
                let entries = asked["Entries"].as_array().unwrap();
                let mut sent = self.sent.lock().unwrap();
                sent.extend(entries.iter().map(|entry| (url.to_owned(), entry.clone())));
                let done =
                    |entry: &Value| json!({"Id": entry["Id"], "MessageId": "m", "MD5OfMessageBody": "x"});
                return json!({"Successful": entries.iter().map(done).collect::<Vec<_>>()});
            }
            _ => {}
        }
        json!({})
    }
}

const PUBLISHED: &str = "<PublishBatchResponse xmlns=\"http://sns.amazonaws.com/doc/2010-03-31/\"><PublishBatchResult>\
    <Successful><member><Id>0</Id><MessageId>m</MessageId></member></Successful><Failed/></PublishBatchResult>\
    </PublishBatchResponse>";

fn key(item: &Value) -> Key {
    let part = |name: &str| item[name]["S"].as_str().unwrap().to_owned();
    (part("pk"), part("sk"))
}

fn reply(status: u16, body: &str) -> Response {
    Response::builder()
        .status(status)
        .body(Body::from(body.to_owned()))
        .unwrap()
}

/// The table as it has to be.
pub fn table() -> Value {
    let keys = |hash: &str, range: &str| json!([{"AttributeName": hash, "KeyType": "HASH"}, {"AttributeName": range, "KeyType": "RANGE"}]);
    let index = |name: &str, hash: &str, range: &str| json!({"IndexName": name, "KeySchema": keys(hash, range), "Projection": {"ProjectionType": "ALL"}});
    json!({"Table": {"TableName": "requests", "KeySchema": keys("pk", "sk"), "GlobalSecondaryIndexes": [
        index("waiting", "wpk", "wsk"), index("due", "dpk", "dsk"),
        index("listing", "lpk", "lsk"), index("dead", "xpk", "xsk"),
    ]}})
}
