//! `Live`: everybody who reads along reads the same, to the end, whenever they came.

use super::suite::cases;
use super::words::{id, request};
use bytes::Bytes;
use smoother_core::model::ModelHead;
use smoother_core::ports::{Ended, Live, Reader, StoreError, Update};
use smoother_core::{CallNo, Rev, State};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

type Hub = Arc<dyn Live>;

cases! { Hub;
    early_and_late_readers_read_the_same_to_the_end,
    a_new_call_takes_every_reader_to_its_beginning,
    readers_that_wait_miss_nothing,
    a_slow_reader_holds_nobody_back,
    readers_are_counted,
    nothing_comes_after_the_end,
    requests_are_kept_apart,
    an_abort_reaches_the_runner_before_and_while_it_listens,
    the_end_frees_the_runner,
    an_end_without_its_result_waits_for_the_runner_to_tell_it,
    a_withheld_end_is_told_when_the_runner_goes,
    an_end_that_could_not_be_stored_ends_the_log,
    a_former_end_that_was_never_told_ends_nobody_who_is_on_the_way_again,
    a_request_on_its_way_again_is_not_ended_by_its_former_end,
}

fn frame(text: impl Into<Bytes>) -> Update {
    Update::Frame(text.into())
}

fn call(n: u32) -> Update {
    Update::Call(CallNo::new(n))
}

/// The end of request 0 with or without its result.
fn ended(state: State, result: Option<&'static str>) -> Update {
    let mut row = request(0);
    row.state = state;
    Update::Ended(Arc::new(Ended {
        request: row,
        result: result.map(Bytes::from),
    }))
}

fn answered() -> Update {
    ended(State::Completed, Some("whole"))
}

fn name(update: Option<Update>) -> String {
    match update {
        None => "nothing more".into(),
        Some(Update::State(state)) => state.to_string(),
        Some(Update::Call(number)) => format!("call {number}"),
        Some(Update::Head(_)) => "head".into(),
        Some(Update::Frame(bytes)) => String::from_utf8_lossy(&bytes).into_owned(),
        Some(Update::Ended(end)) => match &end.result {
            Some(result) => format!("ended: {}", String::from_utf8_lossy(result)),
            None => "ended".into(),
        },
        Some(Update::NotStored(_)) => "not stored".into(),
    }
}

async fn rest(mut reader: Box<dyn Reader>) -> Vec<String> {
    let mut seen = Vec::new();
    while let Some(update) = reader.next().await {
        seen.push(name(Some(update)));
    }
    seen
}

fn waits<T>(future: &mut (impl Future<Output = T> + Unpin)) -> bool {
    let mut context = Context::from_waker(Waker::noop());
    matches!(std::pin::Pin::new(future).poll(&mut context), Poll::Pending)
}

async fn early_and_late_readers_read_the_same_to_the_end(hub: Hub) {
    let early = hub.subscribe(id(1));
    hub.publish(id(1), Update::State(State::Released));
    hub.publish(id(1), call(1));
    hub.publish(id(1), Update::Head(Arc::new(ModelHead::default())));
    hub.publish(id(1), frame("a"));
    let late = hub.subscribe(id(1));
    hub.publish(id(1), frame("b"));
    hub.publish(id(1), answered());
    let latest = hub.subscribe(id(1));
    let expected = ["call 1", "head", "a", "b", "ended: whole"];
    for reader in [early, late, latest] {
        assert_eq!(rest(reader).await, expected);
    }
}

async fn a_new_call_takes_every_reader_to_its_beginning(hub: Hub) {
    let mut ahead = hub.subscribe(id(1));
    let behind = hub.subscribe(id(1));
    hub.publish(id(1), call(1));
    hub.publish(id(1), frame("a"));
    assert_eq!(name(ahead.next().await), "call 1");
    assert_eq!(name(ahead.next().await), "a");
    hub.publish(id(1), Update::State(State::Queued));
    hub.publish(id(1), call(2));
    hub.publish(id(1), frame("b"));
    assert_eq!(name(ahead.next().await), "call 2");
    hub.publish(id(1), ended(State::Failed, None));
    assert_eq!(rest(ahead).await, ["b", "ended"]);
    assert_eq!(rest(behind).await, ["call 2", "b", "ended"]);
}

async fn readers_that_wait_miss_nothing(hub: Hub) {
    for round in 0..30 {
        let readers: Vec<_> = (0..4)
            .map(|_| tokio::spawn(rest(hub.subscribe(id(round)))))
            .collect();
        tokio::task::yield_now().await;
        for n in 0..20 {
            hub.publish(id(round), frame(n.to_string()));
        }
        hub.publish(id(round), answered());
        for reader in readers {
            let seen = reader.await.unwrap();
            let expected = (0..20).map(|n: u32| n.to_string());
            assert!(
                seen.iter()
                    .cloned()
                    .eq(expected.chain(["ended: whole".to_owned()])),
                "{seen:?}"
            );
        }
    }
}

async fn a_slow_reader_holds_nobody_back(hub: Hub) {
    let mut slow = hub.subscribe(id(1));
    let quick = tokio::spawn(rest(hub.subscribe(id(1))));
    hub.publish(id(1), frame("first"));
    assert_eq!(name(slow.next().await), "first");
    for n in 0..5_000 {
        hub.publish(id(1), frame(n.to_string()));
    }
    hub.publish(id(1), answered());
    // The quick one is through before the slow one looks again.
    assert_eq!(quick.await.unwrap().len(), 5_002);
    assert_eq!(rest(slow).await.len(), 5_001);
}

async fn readers_are_counted(hub: Hub) {
    assert_eq!(hub.readers(id(1)), 0);
    let first = hub.subscribe(id(1));
    let second = hub.subscribe(id(1));
    let other = hub.subscribe(id(2));
    assert_eq!((hub.readers(id(1)), hub.readers(id(2))), (2, 1));
    drop((first, other));
    assert_eq!((hub.readers(id(1)), hub.readers(id(2))), (1, 0));
    hub.publish(id(1), answered());
    drop(rest(second).await);
    assert_eq!(hub.readers(id(1)), 0);
}

async fn nothing_comes_after_the_end(hub: Hub) {
    let mut reader = hub.subscribe(id(1));
    hub.publish(id(1), answered());
    hub.publish(id(1), frame("too late"));
    hub.publish(id(1), call(2));
    hub.publish(id(1), ended(State::Cancelled, None));
    assert_eq!(name(reader.next().await), "ended: whole");
    for _ in 0..2 {
        assert_eq!(name(reader.next().await), "nothing more");
    }
}

async fn requests_are_kept_apart(hub: Hub) {
    let (mut one, mut two) = (hub.subscribe(id(1)), hub.subscribe(id(2)));
    hub.publish(id(2), frame("b"));
    hub.publish(id(1), frame("a"));
    let mut runner = hub.aborted(id(2));
    hub.abort(id(1));
    assert_eq!(name(one.next().await), "a");
    assert_eq!(name(two.next().await), "b");
    assert!(waits(&mut one.next()) && waits(&mut two.next()) && waits(&mut runner));
}

async fn an_abort_reaches_the_runner_before_and_while_it_listens(hub: Hub) {
    hub.publish(id(1), call(1));
    let mut listening = hub.aborted(id(1));
    assert!(waits(&mut listening));
    hub.publish(id(1), frame("a"));
    assert!(waits(&mut listening));
    let waiting = tokio::spawn(hub.aborted(id(1)));
    tokio::task::yield_now().await;
    hub.abort(id(1));
    listening.await;
    waiting.await.unwrap();
    hub.aborted(id(1)).await;
}

async fn the_end_frees_the_runner(hub: Hub) {
    let _reader = hub.subscribe(id(1));
    hub.publish(id(1), call(1));
    let listening = hub.aborted(id(1));
    hub.publish(id(1), ended(State::Cancelled, None));
    listening.await;
    hub.aborted(id(1)).await;
}

async fn an_end_without_its_result_waits_for_the_runner_to_tell_it(hub: Hub) {
    let mut reader = hub.subscribe(id(1));
    let runner = hub.aborted(id(1));
    hub.publish(id(1), call(1));
    assert_eq!(name(reader.next().await), "call 1");
    // The outbox is quicker than the runner, who has the result at hand.
    hub.publish(id(1), ended(State::Completed, None));
    assert!(waits(&mut reader.next()), "told without its result");
    hub.publish(id(1), answered());
    assert_eq!(name(reader.next().await), "ended: whole");
    drop(runner);
    assert_eq!(name(reader.next().await), "nothing more");
}

async fn a_withheld_end_is_told_when_the_runner_goes(hub: Hub) {
    let reader = tokio::spawn(rest(hub.subscribe(id(1))));
    let runner = hub.aborted(id(1));
    hub.publish(id(1), ended(State::Completed, None));
    tokio::task::yield_now().await;
    assert!(!reader.is_finished());
    drop(runner);
    assert_eq!(reader.await.unwrap(), ["ended"]);
    // An end that has no result is nobody's to hold back.
    let mut reader = hub.subscribe(id(2));
    let _runner = hub.aborted(id(2));
    hub.publish(id(2), ended(State::Failed, None));
    assert_eq!(name(reader.next().await), "ended");
}

async fn an_end_that_could_not_be_stored_ends_the_log(hub: Hub) {
    let early = hub.subscribe(id(1));
    let runner = hub.aborted(id(1));
    hub.publish(id(1), call(1));
    hub.publish(id(1), Update::NotStored(StoreError::Closed));
    hub.publish(id(1), answered());
    let late = hub.subscribe(id(1));
    runner.await;
    for reader in [early, late] {
        assert_eq!(rest(reader).await, ["call 1", "not stored"]);
    }
}

fn told(rev: u64, result: Option<&'static str>) -> Update {
    match ended(State::Completed, result) {
        Update::Ended(end) => {
            let mut end = Ended::clone(&end);
            end.request.rev = Rev::new(rev);
            Update::Ended(Arc::new(end))
        }
        other => other,
    }
}

async fn a_former_end_that_was_never_told_ends_nobody_who_is_on_the_way_again(hub: Hub) {
    let mut reader = hub.subscribe(id(1));
    hub.reopen(id(1), Rev::new(5));
    let mut runner = hub.aborted(id(1));
    hub.publish(id(1), told(4, Some("former")));
    assert!(waits(&mut runner), "an end of before calls the new call off");
    hub.publish(id(1), call(2));
    hub.publish(id(1), told(8, Some("whole")));
    runner.await;
    assert_eq!(name(reader.next().await), "call 2");
    assert_eq!(name(reader.next().await), "ended: whole");
}

async fn a_request_on_its_way_again_is_not_ended_by_its_former_end(hub: Hub) {
    hub.publish(id(1), call(1));
    hub.publish(id(1), told(4, Some("former")));
    hub.reopen(id(1), Rev::new(5));
    let mut reader = hub.subscribe(id(1));
    let mut runner = hub.aborted(id(1));
    assert!(waits(&mut runner), "its former end calls the new call off");
    hub.publish(id(1), call(2));
    // The outbox tells an end at least once, and it may do so late.
    hub.publish(id(1), told(4, Some("former")));
    assert!(
        waits(&mut runner),
        "its former end, told again, calls the new call off"
    );
    assert_eq!(name(reader.next().await), "call 2");
    hub.publish(id(1), told(8, Some("whole")));
    runner.await;
    assert_eq!(name(reader.next().await), "ended: whole");
    assert_eq!(name(reader.next().await), "nothing more");
}
