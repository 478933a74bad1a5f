//! The SNS topic on which ends are told.

use crate::fault::Asked;
use crate::queues::answered::{Told, not_taken, unbuilt};
use crate::queues::{Failed, Refused, Transport};
use aws_config::SdkConfig;
use aws_sdk_sns::Client;
use aws_sdk_sns::types::{MessageAttributeValue, PublishBatchRequestEntry};
use smoother_core::ports::{BoxFuture, Message};

/// Bytes of one message with its attributes, and of all messages of one batch, as SNS has it.
const MOST_BATCH_BYTES: usize = 256 * 1024;

/// For topics.
pub fn client(environment: &SdkConfig) -> Client {
    Client::new(environment)
}

/// A topic by its ARN.
#[derive(Debug, Clone)]
pub struct SnsTopic {
    client: Client,
    arn: String,
}

impl SnsTopic {
    /// Publishes to this topic.
    pub fn new(client: Client, arn: impl Into<String>) -> Self {
        Self {
            client,
            arn: arn.into(),
        }
    }

    async fn publish(&self, batch: &[Message]) -> Result<Vec<Failed>, Refused> {
        let entries: Result<Vec<_>, Refused> = batch
            .iter()
            .enumerate()
            .map(|(index, message)| entry(index, message))
            .collect();
        let asked = Asked {
            action: "sns:Publish",
            kind: "topic",
            name: &self.arn,
        };
        let sent = self
            .client
            .publish_batch()
            .topic_arn(&self.arn)
            .set_publish_batch_request_entries(Some(entries?))
            .send()
            .await
            .map_err(|error| asked.failed(&error))?;
        let taken = sent.successful().iter().filter_map(|taken| taken.id());
        let failed = sent.failed().iter().map(|failed| Told {
            id: failed.id(),
            sender_fault: failed.sender_fault(),
            code: failed.code(),
            message: failed.message(),
        });
        Ok(not_taken(batch.len(), taken, failed))
    }
}

impl Transport for SnsTopic {
    fn name(&self) -> &'static str {
        "the topic"
    }

    fn most_bytes(&self) -> usize {
        MOST_BATCH_BYTES
    }

    fn send<'a>(&'a self, batch: &'a [Message]) -> BoxFuture<'a, Result<Vec<Failed>, Refused>> {
        Box::pin(self.publish(batch))
    }
}

fn entry(index: usize, message: &Message) -> Result<PublishBatchRequestEntry, Refused> {
    let mut entry = PublishBatchRequestEntry::builder()
        .id(index.to_string())
        .message(&message.body);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::queues::Outgoing;
    use crate::script::{Answer, Script, chance};
    use smoother_core::ports::Mailbox;

    fn answer(inner: &str) -> Answer {
        let xml = format!(
            "<PublishBatchResponse xmlns=\"http://sns.amazonaws.com/doc/2010-03-31/\"><PublishBatchResult>{inner}\
             </PublishBatchResult></PublishBatchResponse>"
        );
        Answer::Raw(200, xml.into_bytes())
    }

    fn message(body: &str) -> Message {
        Message {
            body: body.to_owned(),
            attributes: vec![("Status".to_owned(), "FAILED".to_owned())],
        }
    }

    #[tokio::test(start_paused = true)]
    async fn failed_entries_of_a_batch_are_published_again() {
        let failed = "<Successful><member><Id>0</Id><MessageId>m</MessageId></member></Successful><Failed><member>\
            <Id>1</Id><Code>InternalError</Code><SenderFault>false</SenderFault></member></Failed>";
        let all = "<Successful><member><Id>0</Id><MessageId>m</MessageId></member></Successful><Failed/>";
        let script = Script::default().then(answer(failed)).then(answer(all));
        let arn = "arn:aws:sns:us-east-1:1:ended";
        let topic = Outgoing::new(SnsTopic::new(client(&script.environment()), arn), chance());
        let [a, b] = ["a", "b"].map(|body| topic.post(message(body)));
        assert_eq!((a.await, b.await), (Ok(()), Ok(())));
        assert_eq!(script.asked().len(), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn a_message_that_no_topic_takes_is_refused_without_a_call() {
        let script = Script::default();
        let topic = Outgoing::new(SnsTopic::new(client(&script.environment()), "arn:x"), chance());
        // Its attribute takes 18 bytes.
        let said = topic
            .post(message(&"x".repeat(262_127)))
            .await
            .unwrap_err()
            .to_string();
        assert!(
            said.contains("the topic") && said.contains("262145 bytes"),
            "{said}"
        );
        assert!(script.asked().is_empty());
    }
}
