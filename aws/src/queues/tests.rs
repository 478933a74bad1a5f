//! SQS as it answers when something is wrong.

use super::*;
use crate::script::{Answer, Script, chance};
use crate::wake::Wake;
use serde_json::{Value, json};
use smoother_core::ports::{BoxFuture, Dispatch, Inbox, LaneQueue, Mailbox, Message, QueueError, Released};
use smoother_core::scheduler::Event;
use smoother_core::{CallNo, LaneId, Millis, RequestId, Timestamp};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

const URL: &str = "https://sqs.us-east-1.amazonaws.com/1/results";

fn outgoing(script: &Script) -> Outgoing {
    let queue = SqsQueue::new(sending(&script.environment()), URL, "the results queue");
    Outgoing::new(queue, chance())
}

fn message(body: &str) -> Message {
    Message {
        body: body.to_owned(),
        attributes: vec![("Status".to_owned(), "FAILED".to_owned())],
    }
}

fn sent(count: usize) -> Answer {
    let entry = |index: usize| json!({"Id": index.to_string(), "MessageId": "m", "MD5OfMessageBody": "x"});
    let successful: Vec<Value> = (0..count).map(entry).collect();
    Answer::Json(200, json!({ "Successful": successful }))
}

fn error(status: u16, code: &str) -> Answer {
    let kind = format!("com.amazonaws.sqs#{code}");
    Answer::Json(status, json!({"__type": kind, "message": "as the test has it"}))
}

#[tokio::test(start_paused = true)]
async fn a_failed_entry_inside_a_success_is_sent_again_alone() {
    let failed = json!({
        "Successful": [{"Id": "0", "MessageId": "m", "MD5OfMessageBody": "x"}],
        "Failed": [
            {"Id": "1", "SenderFault": false, "Code": "InternalError", "Message": "try again"},
            {"Id": "2", "SenderFault": true, "Code": "InvalidMessageContents", "Message": "bad"},
        ],
    });
    let script = Script::default().then(Answer::Json(200, failed)).then(sent(1));
    let outgoing = outgoing(&script);
    let [a, b, c] = ["a", "b", "c"].map(|body| outgoing.post(message(body)));
    assert_eq!(a.await, Ok(()));
    assert_eq!(b.await, Ok(()));
    let said = c.await.unwrap_err().to_string();
    assert!(said.contains("InvalidMessageContents: bad"), "{said}");
    let asked = script.requests();
    assert_eq!(script.asked(), ["SendMessageBatch", "SendMessageBatch"]);
    let entries = asked[1].body["Entries"].as_array().unwrap();
    assert_eq!((entries.len(), &entries[0]["MessageBody"]), (1, &json!("b")));
    assert_eq!(asked[0].body["QueueUrl"], URL);
    assert_eq!(entries[0]["MessageAttributes"]["Status"]["StringValue"], "FAILED");
}

#[tokio::test(start_paused = true)]
async fn a_throttled_send_is_repeated_and_one_that_got_no_answer_too() {
    let script = Script::default()
        .then(error(403, "RequestThrottled"))
        .then(error(500, "InternalFailure"))
        .then(Answer::Broken)
        .then(Answer::Never)
        .then(sent(1));
    assert_eq!(outgoing(&script).post(message("a")).await, Ok(()));
    assert_eq!(script.asked().len(), 5);
}

#[tokio::test(start_paused = true)]
async fn a_queue_that_is_missing_or_closed_to_us_is_named_at_once() {
    for (code, words) in [
        ("QueueDoesNotExist", "there is no queue"),
        ("AccessDeniedException", "sqs:SendMessage on queue"),
    ] {
        let script = Script::default().then(error(400, code));
        let said = outgoing(&script)
            .post(message("a"))
            .await
            .unwrap_err()
            .to_string();
        assert!(said.contains(words) && said.contains(URL), "{said}");
        assert_eq!(script.asked().len(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_message_that_no_queue_takes_is_refused_without_a_call() {
    let script = Script::default();
    // Its attribute takes 18 bytes.
    let said = outgoing(&script)
        .post(message(&"x".repeat(1_048_559)))
        .await
        .unwrap_err();
    assert!(
        said.to_string().contains("1048577 bytes") && said.to_string().contains("may have 1048576"),
        "{said}"
    );
    assert!(script.asked().is_empty());
}

#[tokio::test(start_paused = true)]
async fn the_largest_messages_go_one_by_one_and_small_ones_beside_none_of_them() {
    let script = Script::default().then(sent(1)).then(sent(1)).then(sent(2));
    let outgoing = outgoing(&script);
    let [a, b] = ["a", "b"].map(|letter| outgoing.post(message(&letter.repeat(1_048_558))));
    let [c, d] = ["c", "d"].map(|letter| outgoing.post(message(letter)));
    for sent in [a, b, c, d] {
        assert_eq!(sent.await, Ok(()));
    }
    let batches = script.requests().into_iter();
    let batches = batches.map(|asked| asked.body["Entries"].as_array().unwrap().len());
    assert_eq!(batches.collect::<Vec<_>>(), [1, 1, 2]);
}

#[tokio::test(start_paused = true)]
async fn a_queue_that_takes_less_says_so_and_its_neighbours_are_taken() {
    let said = "One or more parameters are invalid. Reason: Message must be shorter than 262144 bytes.";
    let failed = json!({
        "Successful": [{"Id": "1", "MessageId": "m", "MD5OfMessageBody": "x"}],
        "Failed": [{"Id": "0", "SenderFault": true, "Code": "InvalidParameterValue", "Message": said}],
    });
    let script = Script::default().then(Answer::Json(200, failed));
    let outgoing = outgoing(&script);
    let [large, small] = [300_000, 1].map(|bytes| outgoing.post(message(&"x".repeat(bytes))));
    let refused = large.await.unwrap_err().to_string();
    assert!(
        refused.contains("the results queue") && refused.contains("shorter than 262144 bytes"),
        "{refused}"
    );
    assert_eq!(small.await, Ok(()));
    assert_eq!(
        script.asked().len(),
        1,
        "what is the sender's fault is not sent again"
    );
}

#[derive(Default)]
struct Woken(AtomicU32);

impl Wake for Woken {
    fn told<'a>(&'a self, _: &'a LaneId) -> BoxFuture<'a, ()> {
        self.0.fetch_add(1, Ordering::Relaxed);
        Box::pin(std::future::ready(()))
    }
}

fn lane() -> LaneId {
    LaneId::new("sonnet").unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_lanes_holder_is_woken_after_the_event_is_in_its_queue_and_never_before() {
    let script = Script::default()
        .then(sent(1))
        .then(error(400, "AccessDeniedException"));
    let woken = Arc::new(Woken::default());
    let queues = LaneQueues::new([(lane(), outgoing(&script))].into(), woken.clone());
    queues.send(&lane(), Event::Tick).await.unwrap();
    assert_eq!(woken.0.load(Ordering::Relaxed), 1);
    assert_eq!(script.requests()[0].body["Entries"][0]["MessageBody"], "\"tick\"");
    assert!(queues.send(&lane(), Event::Tick).await.is_err());
    assert_eq!(woken.0.load(Ordering::Relaxed), 1);
    let other = LaneId::new("other").unwrap();
    assert_eq!(
        queues.send(&other, Event::Tick).await,
        Err(QueueError::UnknownLane(other.clone()))
    );
}

#[tokio::test(start_paused = true)]
async fn releases_go_out_together_as_workers_read_them() {
    let script = Script::default().then(sent(2));
    let released = |byte| Released {
        request: RequestId::from_bytes([byte; 16]),
        call: CallNo::new(1),
        lane: lane(),
        start_by: Timestamp::from_millis(20_000),
    };
    let both = vec![released(1), released(2)];
    DispatchQueue::new(outgoing(&script))
        .send(both.clone())
        .await
        .unwrap();
    let entries = script.requests()[0].body["Entries"].as_array().unwrap().clone();
    let read = |entry: &Value| serde_json::from_str(entry["MessageBody"].as_str().unwrap()).unwrap();
    assert_eq!(entries.iter().map(read).collect::<Vec<Released>>(), both);
}

#[tokio::test(start_paused = true)]
async fn what_is_no_event_is_taken_out_and_harms_no_other() {
    let polled = json!({"Messages": [
        {"MessageId": "m1", "ReceiptHandle": "r1", "Body": "{\"departed\": 1}"},
        {"MessageId": "m2", "ReceiptHandle": "r2", "Body": "\"tick\""},
    ]});
    let script = Script::default().then(Answer::Json(200, polled)).then(sent(1));
    let inboxes = LaneInboxes::new(polling(&script.environment()), [(lane(), URL.to_owned())].into());
    let received = inboxes.receive(&lane(), Millis::from_secs(5)).await.unwrap();
    assert_eq!(received.len(), 1);
    assert_eq!(
        (&received[0].event, received[0].receipt.as_str()),
        (&Event::Tick, "r2")
    );
    let asked = script.requests();
    assert_eq!(script.asked(), ["ReceiveMessage", "DeleteMessageBatch"]);
    assert_eq!(
        (
            &asked[0].body["WaitTimeSeconds"],
            &asked[0].body["MaxNumberOfMessages"]
        ),
        (&json!(5), &json!(10))
    );
    assert_eq!(asked[1].body["Entries"][0]["ReceiptHandle"], "r1");
}

#[tokio::test(start_paused = true)]
async fn what_somebody_was_given_before_comes_as_that() {
    let counted = |count: &str| {
        let attributes = json!({"ApproximateReceiveCount": count});
        json!({"MessageId": "m", "ReceiptHandle": count, "Body": "\"tick\"", "Attributes": attributes})
    };
    let polled = json!({"Messages": [counted("1"), counted("2"), counted("17")]});
    let script = Script::default().then(Answer::Json(200, polled));
    let inboxes = LaneInboxes::new(polling(&script.environment()), [(lane(), URL.to_owned())].into());
    let received = inboxes.receive(&lane(), Millis::from_secs(5)).await.unwrap();
    let again: Vec<bool> = received.iter().map(|one| one.again).collect();
    assert_eq!(again, [false, true, true]);
    let asked = &script.requests()[0].body["MessageSystemAttributeNames"];
    assert_eq!(
        *asked,
        json!(["ApproximateReceiveCount"]),
        "SQS says it only to whoever asks"
    );
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_deleted_is_no_error() {
    let failed = json!({"Failed": [{"Id": "0", "SenderFault": false, "Code": "InternalError"}]});
    let script = Script::default()
        .then(Answer::Json(200, failed))
        .then(error(400, "ReceiptHandleIsInvalid"));
    let inboxes = LaneInboxes::new(polling(&script.environment()), [(lane(), URL.to_owned())].into());
    let receipts: Vec<String> = (0..11).map(|n| format!("r{n}")).collect();
    inboxes.done(&lane(), receipts).await;
    let asked = script.requests();
    let sizes: Vec<usize> = asked
        .iter()
        .map(|a| a.body["Entries"].as_array().unwrap().len())
        .collect();
    assert_eq!(sizes, [10, 1]);
}

#[tokio::test(start_paused = true)]
async fn a_poll_that_fails_says_of_which_queue() {
    let script = Script::default().then(error(400, "QueueDoesNotExist"));
    let inboxes = LaneInboxes::new(polling(&script.environment()), [(lane(), URL.to_owned())].into());
    let said = inboxes
        .receive(&lane(), Millis::ZERO)
        .await
        .unwrap_err()
        .to_string();
    assert!(said.contains(URL), "{said}");
}

#[tokio::test(start_paused = true)]
async fn a_message_comes_again_as_soon_as_whoever_has_it_says() {
    let script = Script::default()
        .then(Answer::done())
        .then(error(400, "AccessDeniedException"));
    let queue = SqsQueue::new(sending(&script.environment()), URL, "the dispatch queue");
    assert_eq!(queue.show_again("receipt", Millis::new(14_500)).await, Ok(()));
    let asked = script.requests();
    assert_eq!(script.asked(), ["ChangeMessageVisibility"]);
    let body = &asked[0].body;
    assert_eq!(
        (&body["ReceiptHandle"], &body["VisibilityTimeout"]),
        (&json!("receipt"), &json!(15))
    );
    let denied = queue
        .show_again("receipt", Millis::from_secs(15))
        .await
        .unwrap_err()
        .to_string();
    assert!(
        denied.contains("sqs:ChangeMessageVisibility on queue"),
        "{denied}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_lane_without_a_queue_is_quiet() {
    let script = Script::default();
    let inboxes = LaneInboxes::new(polling(&script.environment()), [].into());
    let gone = LaneId::new("gone").unwrap();
    let began = tokio::time::Instant::now();
    let received = inboxes.receive(&gone, Millis::from_secs(5)).await.unwrap();
    assert!(received.is_empty());
    assert_eq!(
        began.elapsed(),
        std::time::Duration::from_secs(5),
        "or its holder would ask without end"
    );
    assert!(script.asked().is_empty());
}
