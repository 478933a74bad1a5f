//! Lanes that come, go and are called otherwise while calls are under way.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use smoother_core::model::{ModelErrorKind, Operation};
use smoother_core::ports::Model;
use support::{Reply, Server, call, collect, conversation, lane};

fn answers() -> Vec<Reply> {
    (0..8).map(|_| Reply::json(200, "{}")).collect()
}

#[tokio::test]
async fn a_moved_lane_is_called_in_its_new_place_and_nothing_before_it_is_adopted() {
    let (one, other) = (Server::start(answers()).await, Server::start(answers()).await);
    let bedrock = one.bedrock().await;
    let moved = lane(&format!("http://{}", other.address));
    let clients = bedrock.prepare([&moved]).await.unwrap();
    collect(bedrock.call(call(Operation::Invoke, "{}")).await.unwrap()).await;
    assert_eq!((one.requests().len(), other.requests().len()), (1, 0));
    bedrock.adopt(clients);
    collect(bedrock.call(call(Operation::Invoke, "{}")).await.unwrap()).await;
    assert_eq!((one.requests().len(), other.requests().len()), (1, 1));
}

#[tokio::test]
async fn a_lane_that_is_called_as_before_keeps_its_connection() {
    let server = Server::start(answers()).await;
    let bedrock = server.bedrock().await;
    let mut same = lane(&format!("http://{}", server.address));
    for tries in 1..=8 {
        // Its tries are the worker's business.
        same.max_tries = tries;
        bedrock.adopt(bedrock.prepare([&same]).await.unwrap());
        collect(bedrock.call(call(Operation::Invoke, "{}")).await.unwrap()).await;
    }
    let mut connections: Vec<_> = server
        .requests()
        .iter()
        .map(|request| request.connection)
        .collect();
    assert_eq!(connections.len(), 8);
    connections.sort_unstable();
    connections.dedup();
    // A call that comes before the connection is back in its pool opens a second one; a client made anew always would.
    assert!(connections.len() <= 3, "{} connections", connections.len());
}

#[tokio::test]
async fn an_answer_under_way_comes_to_its_end_though_its_lane_is_gone() {
    let parts = conversation().into_iter().map(support::Part::Data).collect();
    let server = Server::start(vec![Reply::stream(parts)]).await;
    let bedrock = server.bedrock().await;
    let stream = bedrock.call(call(Operation::ConverseStream, "{}")).await.unwrap();
    bedrock.adopt(bedrock.prepare([]).await.unwrap());
    let error = bedrock.call(call(Operation::Invoke, "{}")).await.unwrap_err();
    assert_eq!(error.kind, ModelErrorKind::Setup);
    assert!(collect(stream).await.error.is_none());
}
