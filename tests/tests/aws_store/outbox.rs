//! The table's stream, read to its end as the service reads it for a function.

use super::emulator;
use serde_json::{Value, json};
use smoother_aws::table::stream;
use smoother_core::ports::{BoxFuture, Outbox, OutboxEntry, Pending, StoreError};
use std::sync::Mutex;
use std::time::Duration;

/// Ends out of a stream, numbered as they come.
pub struct StreamOutbox {
    http: reqwest::Client,
    reading: tokio::sync::Mutex<String>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    entries: Vec<OutboxEntry>,
    told: u64,
}

impl StreamOutbox {
    /// From the beginning of the table's stream.
    pub async fn open(table: &str) -> Self {
        let http = smoother_tests::http::client();
        let streams = ask(&http, "ListStreams", json!({ "TableName": table })).await;
        let arn = &streams["Streams"][0]["StreamArn"];
        let described = ask(&http, "DescribeStream", json!({ "StreamArn": arn })).await;
        let shard = &described["StreamDescription"]["Shards"][0]["ShardId"];
        let from = json!({ "StreamArn": arn, "ShardId": shard, "ShardIteratorType": "TRIM_HORIZON" });
        let iterator = ask(&http, "GetShardIterator", from).await;
        let iterator = iterator["ShardIterator"]
            .as_str()
            .expect("a stream has an iterator")
            .to_owned();
        Self {
            http,
            reading: tokio::sync::Mutex::new(iterator),
            state: Mutex::default(),
        }
    }

    /// Takes in what has come since.
    async fn read_on(&self) {
        let mut iterator = self.reading.lock().await;
        let read = ask(&self.http, "GetRecords", json!({ "ShardIterator": *iterator })).await;
        read["NextShardIterator"]
            .as_str()
            .expect("the stream goes on")
            .clone_into(&mut iterator);
        let mut state = self.state.lock().unwrap();
        for record in read["Records"].as_array().expect("records") {
            let images = &record["dynamodb"];
            if let Some(request) = stream::ended(&images["OldImage"], &images["NewImage"]).unwrap() {
                let seq = state.entries.len() as u64 + 1;
                state.entries.push(OutboxEntry { seq, request });
            }
        }
    }

    fn after(&self, after: u64, limit: usize) -> Vec<OutboxEntry> {
        let state = self.state.lock().unwrap();
        let fresh = state
            .entries
            .iter()
            .filter(|entry| entry.seq > after.max(state.told));
        fresh.take(limit).cloned().collect()
    }
}

async fn ask(http: &reqwest::Client, what: &str, body: Value) -> Value {
    let request = http
        .post(emulator::url())
        .header("content-type", "application/x-amz-json-1.0")
        .header("x-amz-target", format!("DynamoDBStreams_20120810.{what}"))
        .header(
            "authorization",
            "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/dynamodb/aws4_request",
        )
        .body(body.to_string());
    let answer = request.send().await.unwrap();
    let (status, text) = (answer.status(), answer.text().await.unwrap());
    assert!(status.is_success(), "{what}: {status} {text}");
    serde_json::from_str(&text).unwrap()
}

impl Outbox for StreamOutbox {
    fn next(&self, after: u64, limit: usize) -> BoxFuture<'_, Result<Vec<OutboxEntry>, StoreError>> {
        Box::pin(async move {
            loop {
                self.read_on().await;
                let found = self.after(after, limit);
                if !found.is_empty() {
                    return Ok(found);
                }
                // A stream is polled: it has no way to tell.
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        })
    }

    fn told(&self, seq: u64) -> Pending<Result<(), StoreError>> {
        let mut state = self.state.lock().unwrap();
        state.told = state.told.max(seq);
        Box::pin(std::future::ready(Ok(())))
    }
}
