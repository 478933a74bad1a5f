//! The table's stream's function: tells ends, each on its own.
//!
//! An end that cannot be told is left in a queue of its own, and the stream goes on: it would hold up all that follow
//! and have them told again, and forgets what is a day old. That queue is read by the same function, again and again for
//! days; what cannot be told then is a dead letter with its request's id, which an operator sends back to the queue.
//! Only where not even that queue takes it does the stream come back to it.

use super::runtime_ended;
use crate::batch::{self, Failed};
use crate::budget::Budget;
use crate::house::House;
use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use smoother_aws::table::stream;
use smoother_core::RequestId;
use smoother_core::ports::{Mailbox, Message, OutboxEntry, Store};
use smoother_ingest::Teacher;
use smoother_results::Results;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Characters of a reason that go along with an end that could not be told.
const MOST_REASON: usize = 500;

/// The event of a stream, as far as it is read here (the images stay in DynamoDB's JSON), or of the queue of ends that
/// could not be told.
#[derive(Deserialize)]
struct StreamEvent {
    #[serde(rename = "Records")]
    records: Vec<StreamRecord>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct StreamRecord {
    dynamodb: Change,
    message_id: Option<String>,
    body: Option<String>,
}

/// What a record is about.
#[derive(Debug, Clone)]
enum Told {
    /// A change of the table.
    Change(Box<Change>),
    /// An end that could not be told when it came.
    Untold(String),
}

/// A message of the queue of ends that could not be told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Untold {
    id: RequestId,
}

impl StreamRecord {
    /// Its id, as its source knows it, and what it is about.
    fn told(self) -> (String, Told) {
        match (self.message_id, self.body) {
            (Some(id), Some(body)) => (id, Told::Untold(body)),
            _ => (
                self.dynamodb.sequence_number.clone(),
                Told::Change(Box::new(self.dynamodb)),
            ),
        }
    }
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Change {
    keys: Value,
    sequence_number: String,
    old_image: Value,
    new_image: Value,
}

struct Crier {
    house: House,
    results: Arc<Results>,
    teacher: Arc<Teacher>,
    /// Where ends go that could not be told.
    untold: Arc<dyn Mailbox>,
}

pub(crate) async fn serve(house: House) -> anyhow::Result<()> {
    let herald = house.herald(vec![
        house.queue(&house.environment.results_queue, "the results queue"),
        house.topic(),
    ]);
    let crier = Arc::new(Crier {
        results: house.results(house.live(None), vec![Arc::new(herald)]),
        teacher: house.teacher(),
        untold: house.queue(
            &house.environment.untold_queue,
            "the queue of ends that could not be told",
        ),
        house,
    });
    let handler = move |event: LambdaEvent<StreamEvent>| {
        let crier = Arc::clone(&crier);
        async move {
            let budget = Budget::until(event.context.deadline);
            Ok::<_, Error>(crier.tell(event.payload, budget).await)
        }
    };
    runtime_ended(lambda_runtime::run(service_fn(handler)).await)
}

impl Crier {
    async fn tell(self: &Arc<Self>, event: StreamEvent, budget: Budget) -> Value {
        let records: Vec<(String, Told)> = event.records.into_iter().map(StreamRecord::told).collect();
        // A record that panics is left like any other that cannot be told.
        let changes: BTreeMap<String, Value> = records.iter().filter_map(key_of).collect();
        let failed = batch::each(records, |told| {
            let crier = Arc::clone(self);
            async move { crier.tell_one(told).await }
        })
        .await;
        let mut again = Vec::new();
        for Failed { id, why } in failed {
            let left = match changes.get(&id).and_then(untold) {
                Some(untold) => self.leave(&untold, &why).await,
                None => false,
            };
            if !left {
                again.push(json!({ "itemIdentifier": id }));
            }
        }
        self.teacher.hand_on(budget.calls_end()).await;
        self.house.finish().await;
        // The stream goes on from the first of them, and what comes after it is told twice.
        json!({ "batchItemFailures": again })
    }

    /// Leaves an end to be told later; whether that was possible.
    async fn leave(&self, untold: &Untold, why: &str) -> bool {
        let Ok(body) = serde_json::to_string(untold) else {
            return false;
        };
        let attributes = vec![("Reason".to_owned(), why.chars().take(MOST_REASON).collect())];
        match self.untold.post(Message { body, attributes }).await {
            Ok(()) => {
                tracing::warn!(request = %untold.id, why, "an end could not be told; it is told later");
                true
            }
            Err(error) => {
                tracing::error!(request = %untold.id, %error, "an end that could not be told could not be left for later either");
                false
            }
        }
    }

    async fn tell_one(&self, told: Told) -> Result<(), String> {
        let is_new = matches!(told, Told::Change(_));
        let request = match told {
            Told::Change(change) => stream::ended(&change.old_image, &change.new_image),
            Told::Untold(body) => {
                let Untold { id } = serde_json::from_str(&body)
                    .map_err(|error| format!("no end that could not be told: {error}"))?;
                // One that was redriven meanwhile has not ended; its next end is told by itself.
                let row = self.house.store.get(id).await;
                row.map(|row| row.filter(|row| row.state.is_terminal()))
            }
        };
        let Some(request) = request.map_err(|error| error.to_string())? else {
            return Ok(());
        };
        let entry = OutboxEntry {
            seq: request.rev.get(),
            request,
        };
        let told = self.results.tell(&entry).await;
        // What is told late may be told many times, and would teach as often.
        if told.is_ok() && is_new {
            self.teacher.ended(&entry.request);
        }
        told.map_err(|error| error.to_string())
    }
}

/// The key of the row that a change of the table is about.
fn key_of((id, told): &(String, Told)) -> Option<(String, Value)> {
    match told {
        Told::Change(change) => Some((id.clone(), change.keys.clone())),
        Told::Untold(_) => None,
    }
}

/// What is left of a change whose end could not be told.
fn untold(keys: &Value) -> Option<Untold> {
    let id = stream::request_of(keys)?;
    Some(Untold { id })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_sources_of_the_function_are_read() {
        let event = json!({ "Records": [
            {"eventName": "MODIFY", "dynamodb": {"SequenceNumber": "17", "NewImage": {"sk": {"S": "ROW"}},
                "Keys": {"pk": {"S": "R#0199d2a8-7a00-7000-8000-000000000001"}, "sk": {"S": "ROW"}}}},
            {"messageId": "m", "receiptHandle": "r", "body": "{\"id\": \"0199d2a8-7a00-7000-8000-000000000001\"}"},
        ]});
        let event: StreamEvent = serde_json::from_value(event).unwrap();
        let told: Vec<(String, Told)> = event.records.into_iter().map(StreamRecord::told).collect();
        assert_eq!((told[0].0.as_str(), told[1].0.as_str()), ("17", "m"));
        // What is left of the one is what the other brings.
        let (_, keys) = key_of(&told[0]).unwrap();
        let Told::Untold(body) = &told[1].1 else {
            panic!("no message")
        };
        assert_eq!(untold(&keys), serde_json::from_str(body).ok());
        assert!(untold(&keys).is_some() && key_of(&told[1]).is_none());
        assert_eq!(
            untold(&json!({"pk": {"S": "L#haiku"}, "sk": {"S": "VIEW"}})),
            None
        );
    }
}
