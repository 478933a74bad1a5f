//! The HTTP listener: accepts, serves HTTP/1.1 and HTTP/2 on one port, and stops without cutting anybody off.

use super::preface;
use super::stalled::Stalled;
use super::unread::Readers;
use axum::Router;
use axum::response::Response;
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use hyper_util::service::TowerToHyperService;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

/// A client gets this long for its first words, and then again to send its request line and headers.
const HEADERS_WITHIN: Duration = Duration::from_secs(30);
/// A client that takes no byte of its answer for this long is gone, or as good as gone: TCP's own buffers are full
/// by then, and a client that only reads slowly begins the time anew with each piece it takes.
const READ_WITHIN: Duration = Duration::from_secs(60);
/// Calls at once of one HTTP/2 connection. They wait in their lanes, by their priorities, and not in the client.
const STREAMS: u32 = 10_000;
/// A client of HTTP/2 that has vanished without a word is noticed by a ping that it does not answer.
const PING_EVERY: Duration = Duration::from_secs(20);
/// After the kernel refused a connection (too many open files), wait before asking again.
const AFTER_REFUSAL: Duration = Duration::from_millis(50);

/// An open listener.
pub(crate) struct Listener {
    socket: TcpListener,
    address: SocketAddr,
    read_within: Duration,
}

impl Listener {
    /// Binds the address; port 0 picks a free one.
    pub(crate) async fn bind(address: SocketAddr) -> io::Result<Self> {
        let socket = TcpListener::bind(address).await?;
        let address = socket.local_addr()?;
        Ok(Self {
            socket,
            address,
            read_within: READ_WITHIN,
        })
    }

    /// Where it really listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// The same with less patience, for tests.
    #[cfg(test)]
    pub(crate) fn read_within(self, read_within: Duration) -> Self {
        Self { read_within, ..self }
    }

    /// Serves until `stop`, then takes no new connection, lets those with a request under way finish it, and
    /// resolves.
    pub(crate) async fn serve(self, router: Router, stop: CancellationToken) {
        let graceful = GracefulShutdown::new();
        let host = Host {
            router,
            read_within: self.read_within,
        };
        loop {
            let stream = tokio::select! {
                biased;
                () = stop.cancelled() => break,
                accepted = self.socket.accept() => match accepted {
                    Ok((stream, _)) => stream,
                    Err(error) => {
                        pause_after(&error).await;
                        continue;
                    }
                },
            };
            let (host, watcher, stop) = (host.clone(), graceful.watcher(), stop.clone());
            tokio::spawn(async move {
                let http2 = tokio::select! {
                    biased;
                    first = timeout(HEADERS_WITHIN, preface::is_http2(&stream)) => first,
                    // It has said nothing yet.
                    () = stop.cancelled() => return,
                };
                // A client that broke off, said nothing or spoke no HTTP: its own business, and it has its answer.
                match http2 {
                    Ok(Ok(true)) => host.serve_http2(stream, watcher).await,
                    Ok(Ok(false)) => host.serve_http1(stream, watcher).await,
                    Ok(Err(error)) => tracing::debug!(%error, "connection ended"),
                    Err(_) => tracing::debug!("connection ended: the client said nothing"),
                }
            });
        }
        drop(self.socket);
        graceful.shutdown().await;
    }
}

/// What a connection is served with.
#[derive(Clone)]
struct Host {
    router: Router,
    read_within: Duration,
}

impl Host {
    async fn serve_http1(self, stream: TcpStream, watcher: Watcher) {
        let stream = Stalled::new(without_delay(stream), self.read_within);
        let mut http = http1::Builder::new();
        http.timer(TokioTimer::new()).header_read_timeout(HEADERS_WITHIN);
        let service = TowerToHyperService::new(self.router);
        let connection = http.serve_connection(TokioIo::new(stream), service);
        if let Err(error) = watcher.watch(connection).await {
            tracing::debug!(%error, "connection ended");
        }
    }

    async fn serve_http2(self, stream: TcpStream, watcher: Watcher) {
        let stream = Stalled::new(without_delay(stream), self.read_within);
        let mut http = http2::Builder::new(TokioExecutor::new());
        http.timer(TokioTimer::new())
            .keep_alive_interval(PING_EVERY)
            .max_concurrent_streams(STREAMS);
        let readers = Readers::default();
        let watched = readers.clone();
        let router =
            ServiceExt::<http::Request<Incoming>>::map_response(self.router, move |answer: Response| {
                answer.map(|body| watched.watch(body))
            });
        let connection = http.serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
        tokio::select! {
            ended = watcher.watch(connection) => {
                if let Err(error) = ended {
                    tracing::debug!(%error, "connection ended");
                }
            }
            () = readers.one_has_stopped(self.read_within) => {
                tracing::debug!("connection ended: the client has stopped reading an answer");
            }
        }
    }
}

fn without_delay(stream: TcpStream) -> TcpStream {
    // Frames of a stream must not wait for one another's acknowledgement.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "TCP_NODELAY could not be set");
    }
    stream
}

async fn pause_after(error: &io::Error) {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    if !matches!(
        error.kind(),
        ConnectionAborted | ConnectionRefused | ConnectionReset
    ) {
        tracing::error!(%error, "a connection could not be accepted");
        tokio::time::sleep(AFTER_REFUSAL).await;
    }
}

#[cfg(test)]
mod tests;
