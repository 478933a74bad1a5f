//! Every way in which Bedrock refuses or fails, as the pipeline sees it.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use smoother_bedrock::{Bedrock, Options};
use smoother_core::ThrottleCause;
use smoother_core::ids::LaneId;
use smoother_core::model::{ModelError, ModelErrorKind as Kind, Operation};
use smoother_core::ports::Model;
use smoother_core::units::Millis;
use std::time::Duration;
use support::{Part, Reply, Server, call, chunk, collect, conversation, exception, lane};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;

async fn refused(reply: Reply, operation: Operation) -> ModelError {
    let server = Server::start(vec![reply]).await;
    let bedrock = server.bedrock().await;
    let error = bedrock.call(call(operation, "{}")).await.unwrap_err();
    assert_eq!(server.requests().len(), 1, "one attempt only: {error}");
    error
}

#[tokio::test]
async fn every_exception_is_classified_after_one_attempt() {
    use ThrottleCause::{Capacity, Day, Requests, Tokens};
    let table = [
        (
            429,
            "ThrottlingException",
            "Too many tokens, please wait before trying again.",
            Kind::Throttled(Tokens),
        ),
        (
            429,
            "ThrottlingException",
            "Too many requests, please wait before trying again.",
            Kind::Throttled(Requests),
        ),
        (
            429,
            "ThrottlingException",
            "Too many tokens per day, please wait.",
            Kind::Throttled(Day),
        ),
        (
            429,
            "ModelNotReadyException",
            "The model is being loaded.",
            Kind::NotReady,
        ),
        (
            503,
            "ServiceUnavailableException",
            "Too many connections, please wait.",
            Kind::Throttled(Capacity),
        ),
        (500, "InternalServerException", "Something broke.", Kind::Internal),
        (
            408,
            "ModelTimeoutException",
            "The model took too long.",
            Kind::ModelTimeout,
        ),
        (424, "ModelErrorException", "The model failed.", Kind::ModelFailed),
        (
            400,
            "ValidationException",
            "Input is too long for requested model.",
            Kind::Validation,
        ),
        (
            403,
            "AccessDeniedException",
            "You don't have access to the model.",
            Kind::AccessDenied,
        ),
        (
            404,
            "ResourceNotFoundException",
            "Could not resolve the model.",
            Kind::NotFound,
        ),
    ];
    for operation in Operation::ALL {
        for (status, exception, message, kind) in table {
            let reply = Reply::json(status, format!(r#"{{"message":"{message}"}}"#))
                .with(
                    "x-amzn-errortype",
                    &format!("{exception}:http://internal.amazon.com/coral/#x/"),
                )
                .with("x-amzn-requestid", "r-9");
            let error = refused(reply, operation).await;
            assert_eq!(
                (
                    error.kind,
                    error.status,
                    error.exception.as_str(),
                    error.message.as_str()
                ),
                (kind, status, exception, message)
            );
            assert!(
                error
                    .headers
                    .contains(&("x-amzn-requestid".to_owned(), "r-9".to_owned()))
            );
            assert_eq!(error.retry_after_ms, None);
        }
    }
}

#[tokio::test]
async fn an_exception_may_be_named_in_the_body() {
    let body = r#"{"__type":"com.amazon.coral#ThrottlingException","Message":"Too many tokens"}"#;
    let error = refused(Reply::json(429, body), Operation::Invoke).await;
    assert_eq!(
        (error.exception.as_str(), error.message.as_str()),
        ("ThrottlingException", "Too many tokens")
    );
}

#[tokio::test]
async fn a_queue_delay_is_read() {
    let body = r#"{"message":"Busy","expectedQueueDelayInMs":1500}"#;
    let error = refused(Reply::json(503, body), Operation::Converse).await;
    assert_eq!(
        (error.kind, error.retry_after_ms),
        (Kind::Unavailable, Some(1_500))
    );
    assert_eq!(error.exception, "ServiceUnavailableException");
}

#[tokio::test]
async fn an_answer_of_some_proxy_is_classified_by_its_status() {
    let error = refused(Reply::json(502, "<html>Bad gateway</html>"), Operation::Converse).await;
    assert_eq!((error.kind, error.status), (Kind::Internal, 502));
    assert_eq!(error.exception, "InternalServerException");
    assert_eq!(error.message, "<html>Bad gateway</html>");
    let error = refused(Reply::json(400, ""), Operation::ConverseStream).await;
    assert_eq!(error.kind, Kind::Validation);
    assert!(error.message.contains("400"), "{}", error.message);
}

async fn streamed(parts: Vec<Part>, operation: Operation) -> support::Collected {
    let server = Server::start(vec![Reply::stream(parts).with("x-amzn-requestid", "r-3")]).await;
    let bedrock = server.bedrock().await;
    let got = collect(bedrock.call(call(operation, "{}")).await.unwrap()).await;
    assert_eq!(server.requests().len(), 1, "one attempt only");
    got
}

fn data(frames: &[bytes::Bytes]) -> Vec<Part> {
    frames.iter().cloned().map(Part::Data).collect()
}

#[tokio::test]
async fn an_exception_may_come_in_the_middle_of_a_stream() {
    let table = [
        (
            "throttlingException",
            "Too many requests",
            "ThrottlingException",
            429,
            Kind::Throttled(ThrottleCause::Requests),
        ),
        (
            "modelStreamErrorException",
            "It broke",
            "ModelStreamErrorException",
            424,
            Kind::ModelFailed,
        ),
        (
            "internalServerException",
            "Oh",
            "InternalServerException",
            500,
            Kind::Internal,
        ),
        (
            "serviceUnavailableException",
            "No",
            "ServiceUnavailableException",
            503,
            Kind::Unavailable,
        ),
        (
            "validationException",
            "Bad",
            "ValidationException",
            400,
            Kind::Validation,
        ),
        (
            "modelTimeoutException",
            "Slow",
            "ModelTimeoutException",
            408,
            Kind::ModelTimeout,
        ),
    ];
    for (name, message, exception_name, status, kind) in table {
        let mut frames = conversation();
        frames.truncate(2);
        frames.push(exception(name, &format!(r#"{{"message":"{message}"}}"#)));
        let got = streamed(data(&frames), Operation::ConverseStream).await;
        assert_eq!(got.pieces, frames[..2]);
        let error = got.error.unwrap();
        assert_eq!((error.kind, error.status), (kind, status));
        assert_eq!(
            (error.exception.as_str(), error.message.as_str()),
            (exception_name, message)
        );
        assert_eq!(error.headers, [("x-amzn-requestid".to_owned(), "r-3".to_owned())]);
    }
}

#[tokio::test]
async fn an_error_message_of_the_stream_itself_is_an_error() {
    let headers = [
        (":message-type", "error"),
        (":error-code", "InternalFailure"),
        (":error-message", "Gone"),
    ];
    let got = streamed(
        vec![Part::Data(support::message(&headers, ""))],
        Operation::ConverseStream,
    )
    .await;
    let error = got.error.unwrap();
    assert_eq!((error.kind, error.message.as_str()), (Kind::Internal, "Gone"));
}

#[tokio::test]
async fn a_broken_stream_is_cut() {
    for operation in [Operation::ConverseStream, Operation::InvokeWithResponseStream] {
        let mut parts = data(&conversation()[..2]);
        parts.push(Part::Cut);
        let got = streamed(parts, operation).await;
        assert_eq!(got.pieces.len(), 2);
        assert_eq!(got.error.unwrap().kind, Kind::Cut);
    }
}

#[tokio::test]
async fn a_stream_that_ends_too_early_is_cut() {
    let half = conversation()[0].slice(..20);
    for (parts, whole) in [
        (vec![], 0),
        (vec![Part::Data(half)], 0),
        (data(&conversation()[..2]), 2),
    ] {
        let got = streamed(parts, Operation::ConverseStream).await;
        assert_eq!(got.pieces.len(), whole);
        assert_eq!(got.error.unwrap().kind, Kind::Cut);
    }
}

/// Ended properly for HTTP, by a proxy that lost its other side for instance.
#[tokio::test]
async fn an_invoke_stream_that_lacks_its_end_is_cut_where_its_family_marks_one() {
    let claude = [
        r#"{"type":"message_start","message":{"usage":{"input_tokens":5,"output_tokens":1}}}"#,
        r#"{"type":"content_block_delta","delta":{"text":"a"}}"#,
        r#"{"type":"message_stop"}"#,
    ];
    let nova = [
        r#"{"messageStart":{"role":"assistant"}}"#,
        r#"{"contentBlockDelta":{"delta":{"text":"a"}}}"#,
        r#"{"messageStop":{"stopReason":"end_turn"}}"#,
    ];
    let metrics = r#"{"amazon-bedrock-invocationMetrics":{"inputTokenCount":5,"outputTokenCount":9}}"#;
    for family in [claude, nova] {
        let frames = family.map(chunk);
        let got = streamed(data(&frames[..2]), Operation::InvokeWithResponseStream).await;
        assert_eq!(
            (got.pieces.len(), got.usage),
            (2, None),
            "half a count settles too low"
        );
        assert_eq!(got.error.unwrap().kind, Kind::Cut);
        let got = streamed(data(&frames), Operation::InvokeWithResponseStream).await;
        assert_eq!((got.pieces.len(), got.error), (3, None));
        let ended = [&frames[..2], &[chunk(metrics)]].concat();
        let got = streamed(data(&ended), Operation::InvokeWithResponseStream).await;
        assert_eq!((got.error, got.usage), (None, Some((5, 9))));
    }
    let unknown = [chunk(r#"{"generation":"a"}"#)];
    let got = streamed(data(&unknown), Operation::InvokeWithResponseStream).await;
    assert_eq!(
        (got.pieces.len(), got.error),
        (1, None),
        "who marks no end may end"
    );
}

#[tokio::test]
async fn a_damaged_frame_is_malformed_wherever_a_bit_flips() {
    let good = conversation()[1].clone();
    for position in [0, 1, 5, 9, 14, good.len() / 2, good.len() - 1] {
        let mut bad = good.to_vec();
        bad[position] ^= 0x80;
        let mut parts = vec![Part::Data(conversation()[0].clone()), Part::Data(bad.into())];
        parts.extend(data(&conversation()[2..]));
        let got = streamed(parts, Operation::ConverseStream).await;
        assert_eq!(got.pieces.len(), 1, "byte {position}");
        assert_eq!(got.error.unwrap().kind, Kind::Malformed, "byte {position}");
    }
}

#[tokio::test]
async fn a_connection_that_breaks_before_the_answer_is_cut_and_not_repeated() {
    let error = refused(
        Reply {
            status: 0,
            headers: vec![],
            parts: vec![Part::Cut],
        },
        Operation::Converse,
    )
    .await;
    assert_eq!(error.kind, Kind::Cut);
}

#[tokio::test]
async fn a_body_that_breaks_off_is_cut() {
    let mut reply = Reply::json(200, "{\"output\":");
    reply.parts.push(Part::Cut);
    let server = Server::start(vec![reply]).await;
    let got = collect(
        server
            .bedrock()
            .await
            .call(call(Operation::Converse, "{}"))
            .await
            .unwrap(),
    )
    .await;
    assert!(got.pieces.is_empty());
    assert_eq!(got.error.unwrap().kind, Kind::Cut);
}

#[tokio::test]
async fn nobody_listening_is_a_failure_to_connect() {
    let free = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let lane = lane(&format!("http://{free}"));
    let bedrock = smoother_bedrock::Bedrock::connect([&lane], Default::default())
        .await
        .unwrap();
    let error = bedrock.call(call(Operation::Converse, "{}")).await.unwrap_err();
    assert_eq!((error.kind, error.status), (Kind::Connect, 503), "{error}");
    assert!(error.message.contains("sonnet"), "{error}");
}

/// A host whose queue of new connections is full answers none of them, as one behind a firewall.
#[tokio::test]
async fn a_host_that_does_not_answer_is_given_up_after_the_time_to_connect() {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = socket.listen(1).unwrap();
    let address = listener.local_addr().unwrap();
    let mut queued = Vec::new();
    while let Ok(connected) = timeout(Duration::from_millis(300), TcpStream::connect(address)).await {
        queued.push(connected.unwrap());
    }
    let lane = lane(&format!("http://{address}"));
    let options = Options {
        connect_timeout: Millis::new(200),
        ..Options::default()
    };
    let bedrock = Bedrock::connect([&lane], options).await.unwrap();
    let called = bedrock.call(call(Operation::Converse, "{}"));
    let answer = timeout(Duration::from_secs(60), called)
        .await
        .expect("it was never given up");
    assert_eq!(answer.unwrap_err().kind, Kind::Connect);
}

#[tokio::test]
async fn an_unknown_lane_and_an_impossible_header_send_nothing() {
    let server = Server::start(vec![]).await;
    let bedrock = server.bedrock().await;
    let mut elsewhere = call(Operation::Converse, "{}");
    elsewhere.lane = LaneId::new("opus").unwrap();
    assert_eq!(bedrock.call(elsewhere).await.unwrap_err().kind, Kind::Setup);
    let mut odd = call(Operation::Converse, "{}");
    odd.headers
        .push(("x-amzn-bedrock-trace".to_owned(), "a\nb".to_owned()));
    assert_eq!(bedrock.call(odd).await.unwrap_err().kind, Kind::Validation);
    assert!(server.requests().is_empty());
}
