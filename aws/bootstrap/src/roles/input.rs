//! The input queue's function: takes messages in, each on its own.

use super::{batch_response, runtime_ended};
use crate::batch;
use crate::house::House;
use aws_lambda_events::sqs::{SqsBatchResponse, SqsEvent, SqsMessage};
use lambda_runtime::{Error, LambdaEvent, service_fn};
use smoother_aws::{Inbox, clients};
use smoother_core::ports::Mailbox;
use smoother_core::request::Runner;
use smoother_ingest::{Arriving, Input, Senders, Taken};
use std::sync::Arc;

struct Door {
    house: House,
    input: Input,
    dead_letters: Arc<dyn Mailbox>,
}

pub(crate) async fn serve(house: House) -> anyhow::Result<()> {
    let model = house.model().await?;
    let ingest = house.ingest(house.config.clone(), house.live(None), model, Runner::Worker);
    let environment = &house.environment;
    let senders = Senders {
        tenants: environment.senders.clone(),
        trust_attribute: environment.trust_tenant,
    };
    let inbox = Inbox::new(clients::s3(&house.sdk), &environment.bucket, house.chance.clone());
    let door = Arc::new(Door {
        input: Input::new(ingest, senders, Arc::new(inbox)),
        dead_letters: house.queue(&environment.input_dlq, "the input queue's dead-letter queue"),
        house,
    });
    let handler = move |event: LambdaEvent<SqsEvent>| {
        let door = Arc::clone(&door);
        async move { Ok::<_, Error>(door.take_in(event.payload).await) }
    };
    runtime_ended(lambda_runtime::run(service_fn(handler)).await)
}

impl Door {
    async fn take_in(self: &Arc<Self>, event: SqsEvent) -> SqsBatchResponse {
        let records = event.records.into_iter().map(|record| {
            let message = arriving(record);
            (message.id.clone(), message)
        });
        let failed = batch::each(records, |message| {
            let door = Arc::clone(self);
            async move { door.take(&message).await }
        })
        .await;
        self.house.finish().await;
        batch_response(failed)
    }

    async fn take(&self, message: &Arriving) -> Result<(), String> {
        match self.input.take(message).await {
            Taken::Accepted(_) => Ok(()),
            Taken::Again(why) => Err(why),
            Taken::Dead(letter) => {
                let reason = letter.attributes.iter().find(|(name, _)| name == "Reason");
                let reason = reason.map_or("", |(_, reason)| reason.as_str());
                tracing::warn!(
                    message = message.id,
                    reason,
                    "a message goes to the dead-letter queue"
                );
                // Left to come again it gets there by itself in the end, without its reason.
                self.dead_letters
                    .post(letter)
                    .await
                    .map_err(|error| error.to_string())
            }
        }
    }
}

fn arriving(record: SqsMessage) -> Arriving {
    let text = |value: Option<String>| value.unwrap_or_default();
    let attributes = record.message_attributes.into_iter();
    Arriving {
        id: text(record.message_id),
        body: text(record.body),
        attributes: attributes
            .map(|(name, value)| (name, text(value.string_value)))
            .collect(),
        sender: record.attributes.get("SenderId").cloned(),
    }
}
