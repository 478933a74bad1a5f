//! The dispatch queue's function: makes calls, all of a batch at once.

use super::{batch_response, runtime_ended};
use crate::batch;
use crate::budget::{Budget, is_worth_a_call};
use crate::house::House;
use aws_lambda_events::sqs::{SqsBatchResponse, SqsEvent};
use lambda_runtime::{Error, LambdaEvent, service_fn};
use smoother_core::ports::{Clock, Released};
use smoother_worker::Worker;
use std::sync::Arc;

struct Bench {
    house: House,
    worker: Arc<Worker>,
}

pub(crate) async fn serve(house: House) -> anyhow::Result<()> {
    let model = house.model().await?;
    let bench = Arc::new(Bench {
        worker: house.worker(house.live(None), model),
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
        let records = event.records.into_iter();
        let records = records.map(|record| (record.message_id.unwrap_or_default(), record.body));
        let failed = batch::each(records, |body| {
            let bench = Arc::clone(self);
            async move { bench.call(&body.unwrap_or_default(), budget).await }
        })
        .await;
        self.house.finish().await;
        batch_response(failed)
    }

    async fn call(&self, body: &str, budget: Budget) -> Result<(), String> {
        let released: Released =
            serde_json::from_str(body).map_err(|error| format!("no release of this version: {error}"))?;
        if !is_worth_a_call(budget.calls_end(), self.house.clock.now()) {
            tracing::warn!(request = %released.request, call = %released.call, "too little time is left for a call");
            return Ok(());
        }
        self.worker.take(released, Some(budget.calls_end())).await;
        Ok(())
    }
}
