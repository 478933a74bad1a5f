//! The dispatch queue's function: makes calls, all of a batch at once.

use super::{batch_response, runtime_ended};
use crate::batch;
use crate::budget::{Budget, is_worth_a_call};
use crate::house::House;
use aws_lambda_events::sqs::{SqsBatchResponse, SqsEvent, SqsMessage};
use futures_util::future::join_all;
use lambda_runtime::{Error, LambdaEvent, service_fn};
use smoother_aws::queues::{self, SqsQueue};
use smoother_core::Millis;
use smoother_core::ports::{Clock, Released};
use smoother_worker::Worker;
use std::collections::BTreeMap;
use std::sync::Arc;

/// How long a release that was not taken up stays hidden the first time; each further time as much longer. The queue's
/// own time is made for calls under way, and longer than any release is valid.
const COMES_AGAIN: Millis = Millis::from_secs(15);
/// It is not hidden longer than this.
const COMES_AGAIN_AT_MOST: Millis = Millis::from_secs(120);

struct Bench {
    house: House,
    worker: Arc<Worker>,
    dispatch: SqsQueue,
}

pub(crate) async fn serve(house: House) -> anyhow::Result<()> {
    let model = house.model().await?;
    let bench = Arc::new(Bench {
        worker: house.worker(house.live(None), model),
        dispatch: SqsQueue::new(
            queues::sending(&house.sdk),
            &house.environment.dispatch_queue,
            "the dispatch queue",
        ),
        house,
    });
    let handler = move |event: LambdaEvent<SqsEvent>| {
        let bench = Arc::clone(&bench);
        async move {
            let budget = Budget::until(event.context.deadline);
            Ok::<_, Error>(bench.work(event.payload, budget).await)
        }
    };
    runtime_ended(lambda_runtime::run(service_fn(handler)).await)
}

impl Bench {
    async fn work(self: &Arc<Self>, event: SqsEvent, budget: Budget) -> SqsBatchResponse {
        let receipts: BTreeMap<String, Receipt> = event.records.iter().filter_map(Receipt::of).collect();
        let records = event.records.into_iter();
        let records = records.map(|record| (record.message_id.unwrap_or_default(), record.body));
        let failed = batch::each(records, |body| {
            let bench = Arc::clone(self);
            async move { bench.call(&body.unwrap_or_default(), budget).await }
        })
        .await;
        let again = failed.iter().filter_map(|failed| receipts.get(&failed.id));
        join_all(again.map(|receipt| self.show_again(receipt))).await;
        self.house.finish().await;
        batch_response(failed)
    }

    /// Whoever takes it up next does so while it is still valid.
    async fn show_again(&self, receipt: &Receipt) {
        if let Err(error) = self
            .dispatch
            .show_again(&receipt.handle, receipt.hidden_for())
            .await
        {
            tracing::warn!(%error, "a release comes again later than it should");
        }
    }

    async fn call(&self, body: &str, budget: Budget) -> Result<(), String> {
        let released: Released =
            serde_json::from_str(body).map_err(|error| format!("no release of this version: {error}"))?;
        if !is_worth_a_call(budget.calls_end(), self.house.clock.now()) {
            return Err("too little time is left for a call".to_owned());
        }
        let taken = self.worker.take(released, Some(budget.calls_end())).await;
        taken.map_err(|error| error.to_string())
    }
}

/// By what a message is given back.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Receipt {
    handle: String,
    /// How often it has come, this time included.
    times: u64,
}

impl Receipt {
    fn of(message: &SqsMessage) -> Option<(String, Self)> {
        let times = message.attributes.get("ApproximateReceiveCount");
        let receipt = Self {
            handle: message.receipt_handle.clone()?,
            times: times.and_then(|times| times.parse().ok()).unwrap_or(1),
        };
        Some((message.message_id.clone()?, receipt))
    }

    fn hidden_for(&self) -> Millis {
        Millis::new(COMES_AGAIN.get().saturating_mul(self.times)).min(COMES_AGAIN_AT_MOST)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_release_that_was_not_taken_up_comes_again_while_it_is_valid() {
        let message = |times: &str| -> SqsMessage {
            let attributes = json!({"ApproximateReceiveCount": times});
            let message = json!({"messageId": "m", "receiptHandle": "r", "attributes": attributes, "messageAttributes": {}});
            serde_json::from_value(message).unwrap()
        };
        for (times, seconds) in [("1", 15), ("2", 30), ("7", 105), ("9", 120), ("many", 15)] {
            let (id, receipt) = Receipt::of(&message(times)).unwrap();
            assert_eq!((id.as_str(), receipt.handle.as_str()), ("m", "r"));
            assert_eq!(receipt.hidden_for(), Millis::from_secs(seconds), "{times}");
        }
    }
}
