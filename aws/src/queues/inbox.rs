//! The lanes' queues as their holders read them.

use crate::fault::Asked;
use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::{DeleteMessageBatchRequestEntry, Message, MessageSystemAttributeName};
use smoother_core::ports::{BoxFuture, Inbox, Pending, QueueError, Received};
use smoother_core::{LaneId, Millis};
use std::collections::BTreeMap;

/// What the queue is called in errors.
const NAME: &str = "a lane's queue";
/// The longest a poll may wait, as SQS has it.
const LONGEST_POLL: Millis = Millis::from_secs(20);
/// Events of one poll, and of one deletion, as SQS has it.
const AT_ONCE: usize = 10;

/// Reads the lanes' queues. What is no event is deleted, with an error in the log that names the message: nobody could
/// ever read it.
#[derive(Debug, Clone)]
pub struct LaneInboxes {
    client: Client,
    urls: BTreeMap<LaneId, String>,
}

impl LaneInboxes {
    /// The lanes' queues by their URLs. `client` must let a call last as long as a poll does.
    pub const fn new(client: Client, urls: BTreeMap<LaneId, String>) -> Self {
        Self { client, urls }
    }

    async fn poll(&self, lane: &LaneId, wait: Millis) -> Result<Vec<Received>, QueueError> {
        // A lane that is not configured any more has none. Its holder reads what waits.
        let Some(url) = self.urls.get(lane) else {
            tokio::time::sleep(wait.into()).await;
            return Ok(Vec::new());
        };
        // Whole seconds are what SQS waits; less than one is a look.
        let seconds = i32::try_from(wait.min(LONGEST_POLL).get() / 1_000).unwrap_or(0);
        let polled = self
            .client
            .receive_message()
            .queue_url(url)
            .max_number_of_messages(10)
            .message_system_attribute_names(MessageSystemAttributeName::ApproximateReceiveCount)
            .wait_time_seconds(seconds)
            .send()
            .await
            .map_err(|error| QueueError::Failed {
                queue: NAME,
                cause: asked("sqs:ReceiveMessage", url).failed(&error).to_string(),
            })?;
        let mut events = Vec::new();
        let mut unreadable = Vec::new();
        for message in polled.messages.unwrap_or_default() {
            match read(lane, &message) {
                Some(received) => events.push(received),
                None => unreadable.extend(message.receipt_handle),
            }
        }
        if !unreadable.is_empty() {
            delete(&self.client, lane, url, &unreadable).await;
        }
        Ok(events)
    }
}

fn read(lane: &LaneId, message: &Message) -> Option<Received> {
    match serde_json::from_str(message.body().unwrap_or_default()) {
        Ok(event) => Some(Received {
            event,
            receipt: message.receipt_handle()?.to_owned(),
            again: was_given_out(message),
        }),
        Err(error) => {
            let id = message.message_id().unwrap_or("without an id");
            tracing::error!(%lane, message = id, %error, "no event of this version is in a lane's queue; it is deleted");
            None
        }
    }
}

/// Whether anybody was given this message before.
fn was_given_out(message: &Message) -> bool {
    let attributes = message.attributes().into_iter();
    let mut counts = attributes.filter_map(|of| of.get(&MessageSystemAttributeName::ApproximateReceiveCount));
    counts.any(|count| count != "1")
}

impl Inbox for LaneInboxes {
    fn receive(&self, lane: &LaneId, wait: Millis) -> BoxFuture<'_, Result<Vec<Received>, QueueError>> {
        let lane = lane.clone();
        Box::pin(async move { self.poll(&lane, wait).await })
    }

    fn done(&self, lane: &LaneId, receipts: Vec<String>) -> Pending<()> {
        let Some(url) = self.urls.get(lane).cloned() else {
            return Box::pin(std::future::ready(()));
        };
        let (client, lane) = (self.client.clone(), lane.clone());
        // Begun here, as the port has it.
        let deleting = tokio::spawn(async move {
            for some in receipts.chunks(AT_ONCE) {
                delete(&client, &lane, &url, some).await;
            }
        });
        Box::pin(async move {
            // Broken off, they come again.
            let _ = deleting.await;
        })
    }
}

const fn asked<'a>(action: &'static str, url: &'a str) -> Asked<'a> {
    Asked {
        action,
        kind: "queue",
        name: url,
    }
}

async fn delete(client: &Client, lane: &LaneId, url: &str, receipts: &[String]) {
    let entries = receipts.iter().enumerate().filter_map(|(index, receipt)| {
        let entry = DeleteMessageBatchRequestEntry::builder()
            .id(index.to_string())
            .receipt_handle(receipt);
        entry.build().ok()
    });
    let deleted = client
        .delete_message_batch()
        .queue_url(url)
        .set_entries(Some(entries.collect()))
        .send()
        .await;
    match deleted {
        Ok(deleted) if deleted.failed().is_empty() => {}
        Ok(deleted) => {
            tracing::debug!(%lane, entries = deleted.failed().len(), "events were not deleted; they come again");
        }
        Err(error) => {
            let fault = asked("sqs:DeleteMessage", url).failed(&error);
            tracing::warn!(%lane, error = %fault, "events were not deleted; they come again");
        }
    }
}
