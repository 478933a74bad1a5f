//! Calls that are sent with a smaller max_tokens than their callers', and answers that this cuts short.

use super::stage::{Script, Stage, Step, answer, error, to_the_end};
use bytes::Bytes;
use smoother_core::ports::{Clock, Live, PayloadKind, Payloads, Store, Update};
use smoother_core::right_size::{RightSize, Slot};
use smoother_core::scheduler::{Again, Event};
use smoother_core::{
    CallEnding, Millis, ModelErrorKind, ModelEvent, Operation, Outcome, Request, State, Tokens, Usage,
};

/// Sent with 200 tokens of output where its caller allows 1,000.
fn sized(row: &mut Request) {
    row.right_size = Some(RightSize {
        slot: Slot::new(1..1, "\"max\":", ""),
        own: Some(row.estimate.max_output),
        rerun: false,
    });
    row.estimate.max_output = Tokens::new(200);
}

fn of(text: &'static str) -> Step {
    Step::Event(ModelEvent::Body(Bytes::from_static(text.as_bytes())))
}

fn frame(text: &'static str, output: bool) -> Step {
    Step::Event(ModelEvent::Frame {
        bytes: Bytes::from_static(text.as_bytes()),
        output,
    })
}

fn used(output: u64) -> Step {
    Step::Event(ModelEvent::Usage(Usage {
        input: Tokens::new(90),
        output: Tokens::new(output),
        ..Usage::default()
    }))
}

fn cut_short() -> Step {
    Step::Event(ModelEvent::CutShort)
}

fn said(row: &Request) -> Option<&str> {
    let Some(Outcome::Answer { head, .. }) = &row.outcome else {
        return None;
    };
    let mut headers = head.headers.iter();
    let found = headers.find(|(name, _)| name == "x-smoother-right-sized")?;
    Some(&found.1)
}

async fn sent(stage: &Stage) -> Vec<String> {
    let calls = stage.model.calls.lock().unwrap();
    let bodies = calls
        .iter()
        .map(|call| String::from_utf8(call.body.to_vec()).unwrap());
    bodies.collect()
}

#[tokio::test]
async fn a_whole_answer_to_a_right_sized_call_is_the_answer() {
    let stage = Stage::new("");
    let row = stage.request(Operation::Converse, sized).await;
    let reader = stage.hub.subscribe(row.id);
    stage.script(answer("{\"whole\":1}"));
    stage.release(row.id).await;
    let (_, ended) = to_the_end(reader).await;
    assert_eq!(ended.request.state, State::Completed);
    assert_eq!(said(&ended.request), Some("true"));
    assert_eq!(sent(&stage).await, ["{\"max\":200}"]);
}

#[tokio::test]
async fn an_answer_cut_short_is_settled_dropped_and_made_again_with_the_callers_own_value() {
    let mut stage = Stage::new("");
    let row = stage.request(Operation::Converse, sized).await;
    let reader = stage.hub.subscribe(row.id);
    stage.script(Script::Answer(vec![of("{\"cut\":1}"), cut_short(), used(150)]));
    stage.script(answer("{\"whole\":1}"));
    stage.release(row.id).await;
    let Event::Ended {
        charged,
        again,
        throttle,
        ..
    } = stage.ended().await
    else {
        unreachable!()
    };
    // What it is to reserve: 100 of input and the 1,000 its caller allows; 200 of output at least are to come.
    let resized = Again::Resized {
        reserve: Tokens::new(1_100),
        expected: Tokens::new(100 + 5 * 200),
        surplus: Tokens::ZERO,
    };
    assert_eq!(
        (charged, again, throttle),
        (Tokens::new(90 + 5 * 150), resized, None)
    );
    let waiting = stage.store.get(row.id).await.unwrap().unwrap();
    assert_eq!(
        (waiting.state, waiting.tries, waiting.calls_made),
        (State::Queued, 0, 1)
    );
    assert_eq!(waiting.outcome, None);
    let nothing = stage.store.fetch(row.id, PayloadKind::Result).await.unwrap();
    assert_eq!(nothing, None, "the answer that was cut short is nowhere");

    stage.release(row.id).await;
    let (_, ended) = to_the_end(reader).await;
    assert_eq!(ended.result.as_deref(), Some(b"{\"whole\":1}".as_slice()));
    assert_eq!((ended.request.calls_made, ended.request.tries), (2, 0));
    assert_eq!(said(&ended.request), Some("rerun"));
    assert_eq!(sent(&stage).await, ["{\"max\":200}", "{}"]);
    let calls = stage.store.calls(row.id).await.unwrap();
    let endings: Vec<_> = calls
        .iter()
        .map(|call| call.settlement.as_ref().unwrap().ending)
        .collect();
    assert_eq!(endings, [CallEnding::Completed; 2]);
}

#[tokio::test]
async fn a_model_that_does_not_say_why_it_stopped_has_used_up_what_was_allowed() {
    let mut stage = Stage::new("");
    let row = stage.request(Operation::Invoke, sized).await;
    stage.script(Script::Answer(vec![of("{\"cut\":1}"), used(200)]));
    stage.release(row.id).await;
    assert!(matches!(
        stage.ended().await,
        Event::Ended {
            again: Again::Resized { .. },
            ..
        }
    ));
}

#[tokio::test]
async fn an_answer_that_ends_at_the_callers_own_value_is_the_answer() {
    let stage = Stage::new("");
    for rerun in [false, true] {
        let own = |row: &mut Request| {
            sized(row);
            row.estimate = row.rerun_estimate().unwrap();
            row.right_size.as_mut().unwrap().own = None;
            row.right_size.as_mut().unwrap().rerun = rerun;
        };
        let row = stage.request(Operation::Converse, own).await;
        let reader = stage.hub.subscribe(row.id);
        stage.script(Script::Answer(vec![of("{\"long\":1}"), cut_short(), used(1_000)]));
        stage.release(row.id).await;
        let (_, ended) = to_the_end(reader).await;
        assert_eq!(ended.request.state, State::Completed);
        assert_eq!(said(&ended.request), rerun.then_some("rerun"));
    }
}

#[tokio::test]
async fn nobody_sees_a_frame_of_a_stream_that_is_cut_short() {
    let mut stage = Stage::new("");
    let row = stage.request(Operation::ConverseStream, sized).await;
    let mut reader = stage.hub.subscribe(row.id);
    stage.script(Script::Answer(vec![
        frame("start ", false),
        frame("half", true),
        cut_short(),
        used(200),
    ]));
    stage.script(Script::Answer(vec![
        frame("start ", false),
        frame("whole", true),
        used(700),
    ]));
    stage.release(row.id).await;
    stage.ended().await;
    loop {
        match reader.next().await.unwrap() {
            Update::Frame(_) | Update::Head(_) => panic!("a frame of it was shown"),
            Update::State(State::Queued) => break,
            _ => {}
        }
    }
    stage.release(row.id).await;
    let (frames, ended) = to_the_end(reader).await;
    assert_eq!(frames, ["start ", "whole"]);
    assert_eq!(ended.request.calls_made, 2);
    assert!(ended.request.first_output_at.is_some());
}

#[tokio::test]
async fn a_right_sized_stream_that_is_whole_comes_at_its_end_and_an_error_before_it_is_retried() {
    let mut stage = Stage::new("");
    let row = stage.request(Operation::ConverseStream, sized).await;
    let reader = stage.hub.subscribe(row.id);
    // Nothing was shown of it, so what breaks it is no more than a try.
    stage.script(Script::Answer(vec![
        frame("start ", false),
        frame("half", true),
        Step::Error(error(ModelErrorKind::Cut, 0, "")),
    ]));
    stage.script(Script::Answer(vec![
        frame("start ", false),
        frame("whole", true),
        used(30),
    ]));
    stage.release(row.id).await;
    assert!(matches!(
        stage.ended().await,
        Event::Ended {
            again: Again::Retry(_),
            ..
        }
    ));
    stage.release(row.id).await;
    let (frames, ended) = to_the_end(reader).await;
    assert_eq!(frames, ["start ", "whole"]);
    assert_eq!((ended.request.tries, said(&ended.request)), (1, Some("true")));
}

#[tokio::test]
async fn a_request_that_waits_to_be_made_again_can_be_called_off() {
    let mut stage = Stage::new("");
    let row = stage.request(Operation::Converse, sized).await;
    stage.script(Script::Answer(vec![of("{}"), cut_short(), used(200)]));
    let released = stage.record_release(row.id).await;
    stage.deliver(released);
    stage.ended().await;
    let at = stage.clock.now() + Millis::new(1);
    stage
        .store
        .change(row.id, smoother_core::Change::Cancel { at })
        .await
        .unwrap();
    let cancelled = stage.store.get(row.id).await.unwrap().unwrap();
    assert_eq!((cancelled.state, cancelled.calls_made), (State::Cancelled, 1));
}

#[tokio::test]
async fn a_body_that_is_not_the_one_the_slot_was_found_in_is_not_sent() {
    let stage = Stage::new("");
    let elsewhere = |row: &mut Request| {
        sized(row);
        row.right_size.as_mut().unwrap().slot = Slot::new(10..12, "", "");
    };
    let row = stage.request(Operation::Converse, elsewhere).await;
    let reader = stage.hub.subscribe(row.id);
    stage.release(row.id).await;
    let (_, ended) = to_the_end(reader).await;
    let Some(Outcome::Failure(failure)) = &ended.request.outcome else {
        panic!("{:?}", ended.request.outcome)
    };
    assert!(failure.message.contains("max_tokens"), "{}", failure.message);
    assert!(sent(&stage).await.is_empty());
}
