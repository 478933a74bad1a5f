//! The HTTP listener: accepts, serves, and stops without cutting anybody off.

use super::stalled::Stalled;
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
/// A client that takes no byte of its answer for this long is gone, or as good as gone: TCP's own buffers are full
/// by then, and a client that only reads slowly begins the time anew with each piece it takes.
const READ_WITHIN: Duration = Duration::from_secs(60);
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
            let stream = Stalled::new(without_delay(stream), self.read_within);
            let connection = http.serve_connection(TokioIo::new(stream), service.clone());
            let watched = graceful.watch(connection);
            tokio::spawn(async move {
                // A client that broke off, or spoke no HTTP: its own business, and it has its answer.
                if let Err(error) = watched.await {
                    tracing::debug!(%error, "connection ended");
                }
            });
        }
        drop(self.socket);
        graceful.shutdown().await;
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
mod tests {
    use super::*;
    use axum::routing::get;
    use bytes::Bytes;
    use std::sync::{Arc, Mutex};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::sync::oneshot;
    use tokio::time::{sleep, timeout};

    /// More than the sockets' buffers hold.
    const LARGE: usize = 48 << 20;
    const ASK: &[u8] = b"GET /large HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";

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

    /// A server whose one large answer is handed out once.
    async fn serving(read_within: Duration) -> (SocketAddr, oneshot::Receiver<()>, CancellationToken) {
        let (gone, dropped) = oneshot::channel();
        let answer = Answer {
            bytes: vec![b'x'; LARGE],
            gone: Some(gone),
        };
        let answer = Arc::new(Mutex::new(Some(Bytes::from_owner(answer))));
        let router = Router::new().route(
            "/large",
            get(move || async move { answer.lock().unwrap().take().unwrap() }),
        );
        let listener = Listener::bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
        let (address, stop) = (listener.address(), CancellationToken::new());
        tokio::spawn(listener.read_within(read_within).serve(router, stop.clone()));
        (address, dropped, stop)
    }

    #[tokio::test]
    async fn a_client_that_never_reads_does_not_hold_its_answer_for_ever() {
        let (address, dropped, stop) = serving(Duration::from_millis(200)).await;
        let mut client = TcpStream::connect(address).await.unwrap();
        client.write_all(ASK).await.unwrap();
        timeout(Duration::from_secs(20), dropped)
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
}
