//! Connections are kept, shared and given up.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use bytes::Bytes;
use futures_util::StreamExt;
use smoother_bedrock::{Bedrock, Options, SetupError};
use smoother_core::ids::LaneId;
use smoother_core::model::Operation;
use smoother_core::ports::Model;
use support::{Part, Reply, Server, call, collect, conversation, lane};
use tokio::sync::oneshot;

fn connections(server: &Server) -> usize {
    let mut all: Vec<_> = server
        .requests()
        .iter()
        .map(|request| request.connection)
        .collect();
    all.sort_unstable();
    all.dedup();
    all.len()
}

/// A connection goes back to its pool a moment after its answer's end, in a task of its own: a call that comes
/// within that moment opens a second one.
#[tokio::test]
async fn calls_in_a_row_share_connections_whatever_they_end_with() {
    let stream = || Reply::stream(conversation().into_iter().map(Part::Data).collect());
    let rounds = 10;
    let replies = (0..rounds).flat_map(|_| {
        [
            Reply::json(200, "{}"),
            stream(),
            Reply::json(429, r#"{"message":"Too many tokens"}"#),
            Reply::json(400, "{}"),
        ]
    });
    let server = Server::start(replies.collect()).await;
    let bedrock = server.bedrock().await;
    for _ in 0..rounds {
        for operation in [
            Operation::Converse,
            Operation::ConverseStream,
            Operation::Invoke,
            Operation::InvokeWithResponseStream,
        ] {
            if let Ok(stream) = bedrock.call(call(operation, "{}")).await {
                collect(stream).await;
            }
        }
    }
    assert_eq!(server.requests().len(), 4 * rounds);
    assert!(connections(&server) <= 3, "{} connections", connections(&server));
}

/// The next call makes a new connection, perhaps to another host.
#[tokio::test]
async fn a_failing_host_is_left() {
    for status in [500, 502, 503, 504] {
        let server = Server::start((0..3).map(|_| Reply::json(status, "{}")).collect()).await;
        let bedrock = server.bedrock().await;
        for _ in 0..3 {
            bedrock.call(call(Operation::Converse, "{}")).await.unwrap_err();
        }
        assert_eq!(connections(&server), 3, "{status}");
    }
}

#[tokio::test]
async fn a_clock_that_is_off_signs_by_the_other_sides() {
    let dated = || Reply::json(200, "{}").with("date", "Sun, 06 Nov 1994 08:49:37 GMT");
    let server = Server::start(vec![dated(), dated()]).await;
    let bedrock = server.bedrock().await;
    for _ in 0..2 {
        collect(bedrock.call(call(Operation::Converse, "{}")).await.unwrap()).await;
    }
    let seen = server.requests();
    let date = |n: usize| seen[n].header("x-amz-date").unwrap();
    assert!(!date(0).starts_with("1994"), "{}", date(0));
    assert!(date(1).starts_with("19941106T08"), "{}", date(1));
}

#[tokio::test]
async fn lanes_sign_for_their_own_region_on_connections_of_their_own() {
    let server = Server::start(vec![Reply::json(200, "{}"), Reply::json(200, "{}")]).await;
    let one = lane(&format!("http://{}", server.address));
    let two = smoother_core::config::LaneConfig {
        id: LaneId::new("haiku").unwrap(),
        region: "eu-west-1".to_owned(),
        ..one.clone()
    };
    let bedrock = Bedrock::connect([&one, &two], Options::default()).await.unwrap();
    collect(bedrock.call(call(Operation::Invoke, "{}")).await.unwrap()).await;
    let mut other = call(Operation::Invoke, "{}");
    other.lane = two.id.clone();
    collect(bedrock.call(other).await.unwrap()).await;
    let seen = server.requests();
    assert_ne!(seen[0].connection, seen[1].connection);
    for (request, region) in seen.iter().zip(["/us-east-1/", "/eu-west-1/"]) {
        assert!(
            request.header("authorization").unwrap().contains(region),
            "{request:?}"
        );
    }
}

#[tokio::test]
async fn dropping_the_events_closes_the_connection() {
    let (told, closed) = oneshot::channel();
    let first = conversation()[0].clone();
    let server = Server::start(vec![Reply::stream(vec![
        Part::Data(first),
        Part::UntilClosed(told),
    ])])
    .await;
    let bedrock = server.bedrock().await;
    let mut stream = bedrock.call(call(Operation::ConverseStream, "{}")).await.unwrap();
    assert!(stream.events.next().await.unwrap().is_ok());
    drop(stream);
    closed.await.unwrap();
}

#[tokio::test]
async fn dropping_an_answer_before_its_body_closes_the_connection() {
    let (told, closed) = oneshot::channel();
    let headers = vec![("content-type", "application/json".to_owned())];
    let reply = Reply {
        status: 200,
        headers,
        parts: vec![Part::UntilClosed(told)],
    };
    let server = Server::start(vec![reply]).await;
    let bedrock = server.bedrock().await;
    drop(bedrock.call(call(Operation::Converse, "{}")).await.unwrap());
    closed.await.unwrap();
}

#[tokio::test]
async fn dropping_an_unanswered_call_closes_the_connection() {
    let (told, closed) = oneshot::channel();
    let server = Server::start(vec![Reply {
        status: 0,
        headers: vec![],
        parts: vec![Part::UntilClosed(told)],
    }])
    .await;
    let bedrock = server.bedrock().await;
    let mut seen = server.arrivals.subscribe();
    tokio::select! {
        answer = bedrock.call(call(Operation::Converse, "{}")) => panic!("an answer: {answer:?}"),
        arrived = seen.changed() => arrived.unwrap(),
    }
    closed.await.unwrap();
}

#[tokio::test]
async fn large_bodies_pass_both_ways() {
    let large = "a".repeat(20 << 20);
    let answer = Bytes::from(format!(r#"{{"text":"{large}"}}"#));
    let server = Server::start(vec![Reply::json(200, answer.clone())]).await;
    let bedrock = server.bedrock().await;
    let got = collect(bedrock.call(call(Operation::Invoke, &large)).await.unwrap()).await;
    assert!(got.pieces == [answer]);
    assert!(server.requests()[0].body == large.as_bytes());
}

#[tokio::test]
async fn an_answer_above_the_limit_is_refused() {
    let server = Server::start(vec![Reply::json(200, vec![b'x'; 2_000])]).await;
    let lane = lane(&format!("http://{}", server.address));
    let options = Options {
        max_answer_bytes: 1_000,
        ..Options::default()
    };
    let bedrock = Bedrock::connect([&lane], options).await.unwrap();
    let got = collect(bedrock.call(call(Operation::Invoke, "{}")).await.unwrap()).await;
    assert!(got.error.unwrap().message.contains("1000 bytes"));
}

#[tokio::test]
async fn a_lane_that_cannot_work_is_refused_at_once() {
    for wrong in ["127.0.0.1:9000", "ftp://127.0.0.1", "http://", "nonsense here"] {
        let error = Bedrock::connect([&lane(wrong)], Options::default())
            .await
            .unwrap_err();
        assert!(matches!(error, SetupError::Endpoint { .. }), "{wrong}: {error}");
        assert!(error.to_string().contains("sonnet"), "{error}");
    }
    let mut nowhere = lane("http://127.0.0.1:1");
    nowhere.region.clear();
    let error = Bedrock::connect([&nowhere], Options::default())
        .await
        .unwrap_err();
    assert!(matches!(error, SetupError::Region { .. }), "{error}");
}
