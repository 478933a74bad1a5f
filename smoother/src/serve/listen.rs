//! The HTTP listener: accepts, serves, and stops without cutting anybody off.

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

/// A client gets this long to send its request line and headers.
const HEADERS_WITHIN: Duration = Duration::from_secs(30);
/// After the kernel refused a connection (too many open files), wait before asking again.
const AFTER_REFUSAL: Duration = Duration::from_millis(50);

/// An open listener.
pub(crate) struct Listener {
    socket: TcpListener,
    address: SocketAddr,
}

impl Listener {
    /// Binds the address; port 0 picks a free one.
    pub(crate) async fn bind(address: SocketAddr) -> io::Result<Self> {
        let socket = TcpListener::bind(address).await?;
        let address = socket.local_addr()?;
        Ok(Self { socket, address })
    }

    /// Where it really listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `stop`, then takes no new connection and lets those with a request under way finish it, for
    /// at most `patience`.
    pub(crate) async fn serve(self, router: Router, stop: CancellationToken, patience: Duration) {
        let service = TowerToHyperService::new(router);
        let mut http = http1::Builder::new();
        http.timer(TokioTimer::new()).header_read_timeout(HEADERS_WITHIN);
        let graceful = GracefulShutdown::new();
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
            let connection = http.serve_connection(TokioIo::new(without_delay(stream)), service.clone());
            let watched = graceful.watch(connection);
            tokio::spawn(async move {
                // A client that broke off, or spoke no HTTP: its own business, and it has its answer.
                if let Err(error) = watched.await {
                    tracing::debug!(%error, "connection ended");
                }
            });
        }
        drop(self.socket);
        if tokio::time::timeout(patience, graceful.shutdown()).await.is_err() {
            tracing::warn!("connections were still open at the end of the drain");
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
