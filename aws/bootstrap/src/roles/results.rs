//! The table's stream's function: tells ends, each on its own.

use super::runtime_ended;
use crate::batch::{self, Failed};
use crate::house::House;
use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde::Deserialize;
use serde_json::{Value, json};
use smoother_aws::table::stream;
use smoother_core::ports::OutboxEntry;
use smoother_results::Results;
use std::sync::Arc;

/// The event of a stream, as far as it is read here: the images stay in DynamoDB's JSON.
#[derive(Deserialize)]
struct StreamEvent {
    #[serde(rename = "Records")]
    records: Vec<StreamRecord>,
}

#[derive(Deserialize)]
struct StreamRecord {
    #[serde(default)]
    dynamodb: Change,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Change {
    sequence_number: String,
    old_image: Value,
    new_image: Value,
}

struct Crier {
    house: House,
    results: Arc<Results>,
}

pub(crate) async fn serve(house: House) -> anyhow::Result<()> {
    let herald = house.herald(vec![
        house.queue(&house.environment.results_queue, "the results queue"),
        house.topic(),
    ]);
    let crier = Arc::new(Crier {
        results: house.results(house.live(None), vec![Arc::new(herald)]),
        house,
    });
    let handler = move |event: LambdaEvent<StreamEvent>| {
        let crier = Arc::clone(&crier);
        async move { Ok::<_, Error>(crier.tell(event.payload).await) }
    };
    runtime_ended(lambda_runtime::run(service_fn(handler)).await)
}

impl Crier {
    async fn tell(&self, event: StreamEvent) -> Value {
        let records = event.records.into_iter();
        let records = records.map(|record| (record.dynamodb.sequence_number.clone(), record.dynamodb));
        let failed = batch::each(records, |change| {
            let results = Arc::clone(&self.results);
            async move { tell_one(&results, &change).await }
        })
        .await;
        self.house.finish().await;
        // The stream goes on from the first of them, and what comes after it is told twice.
        let failed = failed
            .into_iter()
            .map(|Failed { id, .. }| json!({ "itemIdentifier": id }));
        json!({ "batchItemFailures": failed.collect::<Vec<_>>() })
    }
}

async fn tell_one(results: &Results, change: &Change) -> Result<(), String> {
    let ended = stream::ended(&change.old_image, &change.new_image).map_err(|error| error.to_string())?;
    let Some(request) = ended else {
        return Ok(());
    };
    let entry = OutboxEntry {
        seq: request.rev.get(),
        request,
    };
    results.tell(&entry).await.map_err(|error| error.to_string())
}
