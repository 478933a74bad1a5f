//! Callers that speak HTTP/2, as the AWS SDK for JavaScript does for Bedrock.

use super::{SONNET, Town, converse};
use axum::body::Body;
use http::{HeaderMap, Request, Version};
use http_body_util::BodyExt;
use hyper::client::conn::http2::{SendRequest, handshake};
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

const SOON: Duration = Duration::from_secs(20);

impl Town {
    async fn http2(&self) -> SendRequest<Body> {
        let stream = TcpStream::connect(self.url.trim_start_matches("http://"))
            .await
            .unwrap();
        let (client, connection) = handshake(TokioExecutor::new(), TokioIo::new(stream))
            .await
            .unwrap();
        tokio::spawn(connection);
        client
    }

    fn ask(&self, path: &str, body: &Value) -> Request<Body> {
        Request::post(format!("{}{path}", self.url))
            .header("content-type", "application/json")
            .body(Body::from(body.to_string()))
            .unwrap()
    }
}

/// Those that do not belong to the connection.
fn names(headers: &HeaderMap) -> BTreeSet<String> {
    let names = headers.keys().map(|name| name.as_str().to_owned());
    names
        .filter(|name| !["transfer-encoding", "content-length", "connection"].contains(&name.as_str()))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_operation_is_answered_over_http2_as_over_http1() {
    let town = Town::open().await;
    let mut client = town.http2().await;
    let prompt = "Hello. [[sim out=3]]";
    let claude = json!({ "anthropic_version": "bedrock-2023-05-31", "max_tokens": 9,
        "messages": [{ "role": "user", "content": prompt }] });
    for (operation, body) in [
        ("converse", &converse(prompt)),
        ("converse-stream", &converse(prompt)),
        ("invoke", &claude),
        ("invoke-with-response-stream", &claude),
    ] {
        let path = format!("/model/{SONNET}/{operation}");
        let url = format!("{}{path}", town.url);
        let plain = town.http.post(url).json(body).send().await.unwrap();
        let answer = client.send_request(town.ask(&path, body)).await.unwrap();
        assert_eq!(
            (answer.status().as_u16(), answer.version()),
            (200, Version::HTTP_2)
        );
        assert_eq!(names(answer.headers()), names(plain.headers()), "{operation}");
        assert_eq!(answer.headers()["content-type"], plain.headers()["content-type"]);
        let body = timeout(SOON, answer.into_body().collect())
            .await
            .unwrap()
            .unwrap();
        assert!(body.to_bytes().len() > 100, "{operation}");
    }
    town.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_that_leaves_one_stream_cancels_its_request_and_no_other() {
    let town = Town::open().await;
    let mut client = town.http2().await;
    let path = format!("/model/{SONNET}/converse-stream");
    let long = converse("Go on. [[sim out=5000 token_ms=50]]");
    let brief = converse("Be brief. [[sim out=60 token_ms=20]]");
    let other = client.send_request(town.ask(&path, &brief)).await.unwrap();
    let answer = client.send_request(town.ask(&path, &long)).await.unwrap();
    let id = answer.headers()["x-smoother-job-id"].to_str().unwrap().to_owned();
    let mut body = answer.into_body();
    body.frame().await.unwrap().unwrap();
    drop(body);
    let cancelled = async {
        loop {
            let job = town
                .http
                .get(format!("{}/v1/jobs/{id}", town.url))
                .send()
                .await
                .unwrap();
            let job: Value = serde_json::from_slice(&job.bytes().await.unwrap()).unwrap();
            if job["status"] == "CANCELLED" {
                return;
            }
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(SOON, cancelled)
        .await
        .expect("it is generated for nobody");
    let whole = timeout(SOON, other.into_body().collect()).await.unwrap().unwrap();
    let text = String::from_utf8_lossy(&whole.to_bytes()).into_owned();
    assert!(text.contains("metadata"), "the answer beside it came to its end");
    town.close().await;
}
