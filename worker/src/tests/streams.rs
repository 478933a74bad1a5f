//! Event streams: held until the first content, retried before it, reported after it.

use super::stage::{Script, Stage, Step, error, to_the_end};
use bytes::Bytes;
use smoother_core::ports::{Live, PayloadKind, Payloads, Update};
use smoother_core::scheduler::{Again, Event};
use smoother_core::{Door, ModelErrorKind, ModelEvent, Operation, Outcome, State};

fn frame(text: &'static str, output: bool) -> Step {
    Step::Event(ModelEvent::Frame {
        bytes: Bytes::from_static(text.as_bytes()),
        output,
    })
}

fn cut() -> Step {
    Step::Error(error(ModelErrorKind::Cut, 0, ""))
}

#[tokio::test]
async fn frames_reach_the_reader_and_the_store_in_order() {
    let stage = Stage::new("");
    let row = stage.request(Operation::ConverseStream, |_| {}).await;
    let reader = stage.hub.subscribe(row.id);
    stage.script(Script::Answer(vec![
        frame("start ", false),
        frame("one ", true),
        frame("stop", false),
    ]));
    stage.release(row.id).await;
    let (frames, ended) = to_the_end(reader).await;
    assert_eq!(frames, ["start ", "one ", "stop"]);
    assert!(ended.request.first_output_at.is_some());
    let result = stage
        .store
        .fetch(row.id, PayloadKind::Result)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(result, "start one stop");
}

#[tokio::test]
async fn a_stream_cut_before_its_first_content_is_called_again_and_nobody_saw_it() {
    let mut stage = Stage::new("");
    let row = stage.request(Operation::ConverseStream, |_| {}).await;
    let mut reader = stage.hub.subscribe(row.id);
    stage.script(Script::Answer(vec![frame("start ", false), cut()]));
    stage.script(Script::Answer(vec![frame("start ", false), frame("text", true)]));
    stage.release(row.id).await;
    assert!(matches!(
        stage.ended().await,
        Event::Ended {
            again: Again::Retry(_),
            ..
        }
    ));
    loop {
        match reader.next().await.unwrap() {
            Update::Frame(_) | Update::Head(_) => panic!("a frame of a cut call was shown"),
            Update::State(State::Queued) => break,
            _ => {}
        }
    }
    stage.release(row.id).await;
    let (frames, ended) = to_the_end(reader).await;
    assert_eq!(frames, ["start ", "text"]);
    assert_eq!((ended.request.calls_made, ended.request.tries), (2, 1));
}

#[tokio::test]
async fn a_cut_after_content_is_reported_on_the_wire_and_retried_for_a_job() {
    let mut stage = Stage::new("");
    for (door, last) in [(Door::Sync, true), (Door::Job, false)] {
        let row = stage
            .request(Operation::ConverseStream, |request| request.door = door)
            .await;
        let reader = stage.hub.subscribe(row.id);
        stage.script(Script::Answer(vec![
            frame("start ", false),
            frame("te", true),
            cut(),
        ]));
        stage.release(row.id).await;
        let Event::Ended { again, .. } = stage.ended().await else {
            unreachable!()
        };
        assert_eq!(again == Again::No, last, "{door:?}");
        if last {
            let (frames, ended) = to_the_end(reader).await;
            assert_eq!(frames, ["start ", "te"]);
            let Some(Outcome::Failure(failure)) = &ended.request.outcome else {
                panic!("no failure")
            };
            assert_eq!(failure.exception, "ModelStreamErrorException");
        }
    }
}

#[tokio::test]
async fn an_answer_without_content_is_shown_whole() {
    let stage = Stage::new("");
    let row = stage.request(Operation::InvokeWithResponseStream, |_| {}).await;
    let reader = stage.hub.subscribe(row.id);
    stage.script(Script::Answer(vec![frame("start ", false), frame("stop", false)]));
    stage.release(row.id).await;
    let (frames, ended) = to_the_end(reader).await;
    assert_eq!(frames, ["start ", "stop"]);
    assert_eq!(ended.request.state, State::Completed);
    assert_eq!(ended.request.first_output_at, None);
}
