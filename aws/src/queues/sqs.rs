//! One SQS queue to send to.

use super::answered::{Told, not_taken, unbuilt};
use super::{Failed, Refused, Transport};
use crate::fault::Asked;
use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::{MessageAttributeValue, SendMessageBatchRequestEntry};
use smoother_core::Millis;
use smoother_core::ports::{BoxFuture, Message, QueueError};

/// Bytes of one message with its attributes, and of all messages of one batch, as SQS has it. A queue may be set to less,
/// as those are that were made before August 2025: it says so itself.
const MOST_BATCH_BYTES: usize = 1024 * 1024;
/// Seconds that a message may be hidden, as SQS has it.
const LONGEST_HIDDEN: i32 = 12 * 3_600;

/// A queue by its URL.
#[derive(Debug, Clone)]
pub struct SqsQueue {
    client: Client,
    url: String,
    name: &'static str,
}

impl SqsQueue {
    /// `name` is what errors and logs call it.
    pub fn new(client: Client, url: impl Into<String>, name: &'static str) -> Self {
        Self {
            client,
            url: url.into(),
            name,
        }
    }

    /// Has a message that was received from it come again after so long, instead of after the queue's own time, which
    /// is made for messages that are worked on. Asked once: where it fails, the message comes again later.
    ///
    /// # Errors
    /// [`QueueError::Failed`], with what the service said.
    pub async fn show_again(&self, receipt: &str, after: Millis) -> Result<(), QueueError> {
        let asked = Asked {
            action: "sqs:ChangeMessageVisibility",
            kind: "queue",
            name: &self.url,
        };
        let seconds = i32::try_from(after.get().div_ceil(1_000)).unwrap_or(LONGEST_HIDDEN);
        self.client
            .change_message_visibility()
            .queue_url(&self.url)
            .receipt_handle(receipt)
            .visibility_timeout(seconds.min(LONGEST_HIDDEN))
            .send()
            .await
            .map(drop)
            .map_err(|error| QueueError::Failed {
                queue: self.name,
                cause: asked.failed(&error).to_string(),
            })
    }

    async fn send_batch(&self, batch: &[Message]) -> Result<Vec<Failed>, Refused> {
        let entries: Result<Vec<_>, Refused> = batch
            .iter()
            .enumerate()
            .map(|(index, message)| entry(index, message))
            .collect();
        let asked = Asked {
            action: "sqs:SendMessage",
            kind: "queue",
            name: &self.url,
        };
        let sent = self
            .client
            .send_message_batch()
            .queue_url(&self.url)
            .set_entries(Some(entries?))
            .send()
            .await
            .map_err(|error| asked.failed(&error))?;
        let taken = sent.successful().iter().map(|taken| taken.id());
        let failed = sent.failed().iter().map(|failed| Told {
            id: failed.id(),
            sender_fault: failed.sender_fault(),
            code: failed.code(),
            message: failed.message(),
        });
        Ok(not_taken(batch.len(), taken, failed))
    }
}

impl Transport for SqsQueue {
    fn name(&self) -> &'static str {
        self.name
    }

    fn most_bytes(&self) -> usize {
        MOST_BATCH_BYTES
    }

    fn send<'a>(&'a self, batch: &'a [Message]) -> BoxFuture<'a, Result<Vec<Failed>, Refused>> {
        Box::pin(self.send_batch(batch))
    }
}

fn entry(index: usize, message: &Message) -> Result<SendMessageBatchRequestEntry, Refused> {
    let mut entry = SendMessageBatchRequestEntry::builder()
        .id(index.to_string())
        .message_body(&message.body);
    for (name, value) in &message.attributes {
        let value = MessageAttributeValue::builder()
            .data_type("String")
            .string_value(value)
            .build()
            .map_err(|error| unbuilt(&error))?;
        entry = entry.message_attributes(name, value);
    }
    entry.build().map_err(|error| unbuilt(&error))
}
