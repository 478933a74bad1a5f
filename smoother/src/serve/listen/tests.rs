//! Clients of both versions, in good faith and in bad.

use super::*;
use axum::body::Body;
use axum::extract::Request;
use axum::routing::{get, post};
use bytes::Bytes;
use http::Version;
use http_body_util::BodyExt;
use hyper::client::conn::http2 as client;
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::oneshot;
use tokio::time::sleep;

/// More than the sockets' buffers hold.
const LARGE: usize = 48 << 20;
const ASK: &[u8] = b"GET /large HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
const SOON: Duration = Duration::from_secs(20);

/// An answer that tells when nobody holds it any more.
struct Answer {
    bytes: Vec<u8>,
    gone: Option<oneshot::Sender<()>>,
}

impl AsRef<[u8]> for Answer {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        let _ = self.gone.take().map(|gone| gone.send(()));
    }
}

/// A server whose one large answer is handed out once, and that gives back what it is sent.
async fn serving(read_within: Duration) -> (SocketAddr, oneshot::Receiver<()>, CancellationToken) {
    let (gone, dropped) = oneshot::channel();
    let answer = Answer {
        bytes: vec![b'x'; LARGE],
        gone: Some(gone),
    };
    let answer = Arc::new(Mutex::new(Some(Bytes::from_owner(answer))));
    let router = Router::new()
        .route(
            "/large",
            get(move || async move { answer.lock().unwrap().take().unwrap() }),
        )
        .route(
            "/back",
            post(|request: Request| async move { request.into_body() }),
        );
    let listener = Listener::bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let (address, stop) = (listener.address(), CancellationToken::new());
    tokio::spawn(listener.read_within(read_within).serve(router, stop.clone()));
    (address, dropped, stop)
}

/// A client of HTTP/2 that begins without asking, as the SDKs do.
async fn http2(address: SocketAddr) -> client::SendRequest<Body> {
    let stream = TokioIo::new(TcpStream::connect(address).await.unwrap());
    let (client, connection) = client::handshake(TokioExecutor::new(), stream).await.unwrap();
    tokio::spawn(connection);
    client
}

fn ask(address: SocketAddr, path: &str, body: Body) -> http::Request<Body> {
    let uri = format!("http://{address}{path}");
    let method = if path == "/large" { "GET" } else { "POST" };
    http::Request::builder()
        .method(method)
        .uri(uri)
        .body(body)
        .unwrap()
}

#[tokio::test]
async fn http2_is_spoken_beside_http1_and_carries_many_calls_at_once() {
    let (address, _dropped, stop) = serving(READ_WITHIN).await;
    let client = http2(address).await;
    let mut calls = Vec::new();
    for n in 0..300_u32 {
        let (mut client, body) = (client.clone(), Body::from(vec![b'y'; n as usize * 1_000]));
        calls.push(tokio::spawn(async move {
            let answer = client.send_request(ask(address, "/back", body)).await.unwrap();
            assert_eq!(answer.version(), Version::HTTP_2);
            answer.into_body().collect().await.unwrap().to_bytes().len()
        }));
    }
    for (n, call) in calls.into_iter().enumerate() {
        assert_eq!(timeout(SOON, call).await.unwrap().unwrap(), n * 1_000);
    }
    for piece in [b"POST /back".as_slice(), b"P"] {
        // Cut in the middle of a word that a preface begins with, too.
        let text = b"POST /back HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 2\r\n\r\nhi";
        let mut client = TcpStream::connect(address).await.unwrap();
        client.write_all(piece).await.unwrap();
        sleep(Duration::from_millis(20)).await;
        client.write_all(&text[piece.len()..]).await.unwrap();
        let mut answer = String::new();
        client.read_to_string(&mut answer).await.unwrap();
        assert!(
            answer.starts_with("HTTP/1.1 200") && answer.ends_with("hi"),
            "{answer}"
        );
    }
    stop.cancel();
}

#[tokio::test]
async fn a_stop_waits_for_no_client_that_says_nothing_and_for_every_call_under_way() {
    let (begun, mut arrived) = tokio::sync::mpsc::unbounded_channel();
    let router = Router::new().route(
        "/back",
        post(move |request: Request| async move {
            begun.send(()).unwrap();
            request.into_body()
        }),
    );
    let listener = Listener::bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let (address, stop) = (listener.address(), CancellationToken::new());
    let mut served = tokio::spawn(listener.serve(router, stop.clone()));
    let _silent = TcpStream::connect(address).await.unwrap();
    let mut idle = http2(address).await;
    idle.ready().await.unwrap();
    let mut client = http2(address).await;
    let (more, body) = tokio::sync::mpsc::unbounded_channel::<Bytes>();
    let body = futures_util::stream::unfold(body, |mut body| async move {
        let piece = body.recv().await?;
        Some((Ok::<_, std::convert::Infallible>(piece), body))
    });
    let call = client.send_request(ask(address, "/back", Body::from_stream(body)));
    let call = tokio::spawn(call);
    arrived.recv().await.unwrap();
    stop.cancel();
    let early = timeout(Duration::from_millis(100), &mut served).await;
    assert!(early.is_err(), "a call is under way");
    more.send(Bytes::from_static(b"to the end")).unwrap();
    drop(more);
    let answer = timeout(SOON, call).await.unwrap().unwrap().unwrap();
    assert_eq!(
        answer.into_body().collect().await.unwrap().to_bytes(),
        "to the end"
    );
    timeout(SOON, served)
        .await
        .expect("somebody holds it up")
        .unwrap();
}

#[tokio::test]
async fn a_client_that_never_reads_does_not_hold_its_answer_for_ever() {
    let (address, dropped, stop) = serving(Duration::from_millis(200)).await;
    let mut client = TcpStream::connect(address).await.unwrap();
    client.write_all(ASK).await.unwrap();
    timeout(SOON, dropped)
        .await
        .expect("the answer is held for a client that does not read")
        .unwrap();
    stop.cancel();
}

#[tokio::test]
async fn nor_does_one_that_speaks_http2() {
    let (address, dropped, stop) = serving(Duration::from_millis(200)).await;
    let mut client = http2(address).await;
    // It answers pings and never looks at the body.
    let _unread = client
        .send_request(ask(address, "/large", Body::empty()))
        .await
        .unwrap();
    timeout(SOON, dropped)
        .await
        .expect("the answer is held for a client that does not read")
        .unwrap();
    stop.cancel();
}

#[tokio::test]
async fn a_client_that_reads_slowly_gets_everything() {
    let (address, _dropped, stop) = serving(Duration::from_secs(2)).await;
    let mut client = TcpStream::connect(address).await.unwrap();
    client.write_all(ASK).await.unwrap();
    let (mut read, mut piece) = (0, vec![0; 4 << 20]);
    loop {
        let n = client.read_exact(&mut piece).await.map_or(0, |n| n);
        if n == 0 {
            break;
        }
        read += n;
        // Longer in all than a write may be stuck, each piece well within it.
        sleep(Duration::from_millis(250)).await;
    }
    assert!(read >= LARGE - piece.len() && read > 0, "{read}");
    stop.cancel();
}

#[tokio::test]
async fn and_so_does_one_that_speaks_http2() {
    let (address, _dropped, stop) = serving(Duration::from_secs(2)).await;
    let mut client = http2(address).await;
    let answer = client
        .send_request(ask(address, "/large", Body::empty()))
        .await
        .unwrap();
    assert_eq!(answer.headers()["content-length"], LARGE.to_string());
    let (mut body, mut read, mut pauses) = (answer.into_body(), 0, 0);
    while let Some(frame) = body.frame().await {
        read += frame.unwrap().into_data().unwrap().len();
        if read > pauses * (LARGE / 12) {
            pauses += 1;
            sleep(Duration::from_millis(250)).await;
        }
    }
    assert_eq!(read, LARGE);
    stop.cancel();
}
