//! Whole answers, claims, ends.

use super::stage::{Script, Stage, Step, answer, to_the_end};
use crate::OpeningPace;
use crate::opening::Turn;
use smoother_core::breaker::CallHealth;
use smoother_core::ports::{Clock, Ended, Live, PayloadKind, Payloads, Store, Update};
use smoother_core::scheduler::{Again, Event};
use smoother_core::{CallEnding, Change, LaneId, Millis, Operation, Outcome, Request, State, Tokens};
use std::sync::Arc;

#[tokio::test]
async fn an_answer_is_stored_settled_and_told() {
    let mut stage = Stage::new("");
    let row = stage.request(Operation::Converse, |_| {}).await;
    let reader = stage.hub.subscribe(row.id);
    stage.script(answer("{\"output\":1}"));
    stage.release(row.id).await;

    let (_, ended) = to_the_end(reader).await;
    assert_eq!(ended.request.state, State::Completed);
    assert_eq!(ended.result.as_deref(), Some(b"{\"output\":1}".as_slice()));
    let Event::Ended {
        charged,
        again,
        throttle,
        ..
    } = stage.ended().await
    else {
        unreachable!()
    };
    assert_eq!(
        (charged, again, throttle),
        (Tokens::new(90 + 5 * 40), Again::No, None)
    );
    let stored = stage.store.get(row.id).await.unwrap().unwrap();
    assert_eq!(stored, ended.request);
    assert!(matches!(stored.outcome, Some(Outcome::Answer { bytes: 12, .. })));
    let result = stage
        .store
        .fetch(row.id, PayloadKind::Result)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(result, "{\"output\":1}");
    let calls = stage.store.calls(row.id).await.unwrap();
    let settlement = calls[0].settlement.as_ref().unwrap();
    assert_eq!(settlement.ending, CallEnding::Completed);
    assert_eq!(settlement.upstream_request_id.as_deref(), Some("upstream-1"));
    assert_eq!(stage.model.calls.lock().unwrap()[0].body, "{}");
}

#[tokio::test]
async fn a_release_delivered_twice_is_called_once() {
    let stage = Stage::new("");
    let row = stage.request(Operation::Invoke, |_| {}).await;
    let reader = stage.hub.subscribe(row.id);
    stage.script(answer("{}"));
    let released = stage.release(row.id).await;
    stage.deliver(released.clone());
    stage.deliver(released);
    to_the_end(reader).await;
    stage.drain().await;
    assert_eq!(stage.model.calls.lock().unwrap().len(), 1);
    assert_eq!(stage.store.get(row.id).await.unwrap().unwrap().calls_made, 1);
}

#[tokio::test]
async fn a_cancelled_release_is_not_called() {
    let stage = Stage::new("");
    let row = stage.request(Operation::Converse, |_| {}).await;
    let at = row.arrived_at;
    let start_by = at + Millis::from_secs(20);
    let release = Change::Release {
        lane: row.lane.clone(),
        call: row.call.next(),
        reserve: Tokens::new(1),
        start_by,
        at,
    };
    stage.store.change(row.id, release).await.unwrap();
    stage.store.change(row.id, Change::Cancel { at }).await.unwrap();
    let lane = row.lane.clone();
    stage.deliver(smoother_core::ports::Released {
        request: row.id,
        call: row.call.next(),
        lane,
        start_by,
    });
    stage.drain().await;
    assert!(stage.model.calls.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_release_that_comes_too_late_is_not_called_and_its_lane_is_told() {
    let mut stage = Stage::new("");
    let row = stage.request(Operation::Converse, |_| {}).await;
    let released = stage.record_release(row.id).await;
    stage.clock.raise(released.start_by + Millis::new(1));
    stage.deliver(released.clone());
    let Event::Unclaimed { request, call } = stage.told().await else {
        panic!("its lane was told something else")
    };
    assert_eq!((request, call), (released.request, released.call));
    stage.drain().await;
    assert!(stage.model.calls.lock().unwrap().is_empty());
    let stored = stage.store.get(row.id).await.unwrap().unwrap();
    assert_eq!((stored.state, stored.calls_made), (State::Released, 0));
}

#[tokio::test]
async fn a_call_that_is_called_off_before_it_begins_sends_nothing() {
    let mut stage = Stage::new("");
    let row = stage.request(Operation::Converse, |_| {}).await;
    let _reader = stage.hub.subscribe(row.id);
    stage.hub.abort(row.id);
    stage.script(answer("{}"));
    stage.release(row.id).await;
    let Event::Ended { charged, health, .. } = stage.ended().await else {
        unreachable!()
    };
    stage.drain().await;
    assert!(stage.model.calls.lock().unwrap().is_empty());
    assert_eq!((charged, health), (Tokens::ZERO, CallHealth::Unknown));
    let calls = stage.store.calls(row.id).await.unwrap();
    let settled = calls[0].settlement.as_ref().unwrap();
    assert_eq!(
        (settled.ending, settled.charged),
        (CallEnding::Aborted, Tokens::ZERO)
    );
}

/// On AWS the former end was told in this process, and another sent the request on its way again.
#[tokio::test]
async fn a_former_end_does_not_call_off_the_call_of_one_that_was_redriven() {
    let mut stage = Stage::new("");
    let row = stage
        .request(Operation::Converse, |request| request.redriven = 1)
        .await;
    let mut before = row.clone();
    before.state = State::Failed;
    let former = |request: Request| {
        Update::Ended(Arc::new(Ended {
            request,
            result: None,
        }))
    };
    stage.hub.publish(row.id, former(before.clone()));
    stage.script(answer("{}"));
    stage.release(row.id).await;
    stage.ended().await;
    stage.drain().await;
    // Told once more, late.
    stage.hub.publish(row.id, former(before));
    let stored = stage.store.get(row.id).await.unwrap().unwrap();
    assert_eq!((stored.state, stored.calls_made), (State::Completed, 1));
    let calls = stage.store.calls(row.id).await.unwrap();
    assert_eq!(
        calls[0].settlement.as_ref().unwrap().ending,
        CallEnding::Completed
    );
}

#[tokio::test]
async fn a_call_whose_deadline_has_come_before_it_begins_is_not_made() {
    let mut stage = Stage::new("");
    let row = stage
        .request(Operation::Converse, |request| {
            request.deadline = Some(request.arrived_at + Millis::from_secs(5));
        })
        .await;
    let reader = stage.hub.subscribe(row.id);
    let released = stage.record_release(row.id).await;
    stage.clock.raise(row.deadline.unwrap());
    stage.deliver(released);
    let (_, ended) = to_the_end(reader).await;
    assert_eq!(ended.request.state, State::Expired);
    let Event::Ended { charged, .. } = stage.ended().await else {
        unreachable!()
    };
    assert_eq!(charged, Tokens::ZERO);
    assert!(stage.model.calls.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_running_call_that_is_called_off_is_settled_and_its_result_dropped() {
    let mut stage = Stage::new("");
    let row = stage.request(Operation::Converse, |_| {}).await;
    stage.script(Script::Answer(vec![Step::Hang]));
    stage.release(row.id).await;
    loop {
        if matches!(stage.tap.recv().await.unwrap().1, Event::Started { .. }) {
            break;
        }
    }
    let cancelled = stage
        .store
        .change(row.id, Change::Cancel { at: row.arrived_at })
        .await
        .unwrap();
    stage.hub.abort(row.id);
    let Event::Ended { charged, again, .. } = stage.ended().await else {
        unreachable!()
    };
    // What it has cost nobody knows: the whole reserve.
    assert_eq!((charged, again), (Tokens::new(1_100), Again::No));
    stage.drain().await;
    assert_eq!(stage.store.get(row.id).await.unwrap().unwrap(), cancelled);
    let calls = stage.store.calls(row.id).await.unwrap();
    assert_eq!(calls[0].settlement.as_ref().unwrap().ending, CallEnding::Aborted);
}

#[tokio::test]
async fn a_deadline_ends_a_running_call() {
    let mut stage = Stage::new("");
    let row = stage
        .request(Operation::Converse, |request| {
            request.deadline = Some(request.arrived_at + Millis::new(150));
        })
        .await;
    let reader = stage.hub.subscribe(row.id);
    stage.script(Script::Answer(vec![Step::Hang]));
    stage.release(row.id).await;
    let (_, ended) = to_the_end(reader).await;
    assert_eq!(ended.request.state, State::Expired);
    assert!(matches!(
        stage.ended().await,
        Event::Ended { again: Again::No, .. }
    ));
}

#[tokio::test]
async fn a_whole_answer_leaves_its_connection_to_the_next_call_and_one_that_is_called_off_none() {
    let mut stage = Stage::new("");
    let lane = stage.worker.lane(&LaneId::new("a").unwrap()).unwrap();
    for (script, turn) in [
        (answer("{}"), Turn::Standing),
        (Script::Answer(vec![Step::Hang]), Turn::Opening),
    ] {
        let row = stage.request(Operation::Converse, |_| {}).await;
        let mut reader = stage.hub.subscribe(row.id);
        stage.script(script);
        stage.release(row.id).await;
        if turn == Turn::Opening {
            while !matches!(reader.next().await.unwrap(), Update::Call(_)) {}
            stage.hub.abort(row.id);
        }
        stage.ended().await;
        assert_eq!(lane.opening.turn(stage.clock.now()).await, turn);
    }
}

#[tokio::test]
async fn calls_released_in_one_moment_open_one_after_the_other() {
    let stage = Stage::paced("", OpeningPace { burst: 1, per_ms: 1 });
    let mut readers = Vec::new();
    for _ in 0..30 {
        let row = stage.request(Operation::Converse, |_| {}).await;
        readers.push((stage.hub.subscribe(row.id), row.id));
        stage.script(answer("{}"));
    }
    let mut released = Vec::new();
    for (_, id) in &readers {
        released.push(stage.record_release(*id).await);
    }
    released.into_iter().for_each(|release| stage.deliver(release));
    let mut started = Vec::new();
    for (reader, _) in readers {
        started.push(to_the_end(reader).await.1.request.started_at.unwrap().as_millis());
    }
    let (first, last) = (started.iter().min().unwrap(), started.iter().max().unwrap());
    assert!(
        last - first >= 20,
        "30 calls opened within {} ms at 1 per ms",
        last - first
    );
}
