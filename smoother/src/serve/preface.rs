//! Which HTTP a client speaks, told by its first bytes; they are left where they are.
//!
//! Without TLS nothing is negotiated: a client that speaks HTTP/2 begins with its preface (RFC 9113, sections 3.3 and
//! 3.4). The AWS SDK for JavaScript does so for Bedrock unless it is told otherwise.

use std::io;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::sleep;

const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// A client that has sent only the beginning of a preface is looked at this often: what was seen once wakes nobody.
const LOOK_AGAIN: Duration = Duration::from_millis(5);

/// Whether the client speaks HTTP/2; waits for as much of its first words as that takes.
pub(super) async fn is_http2(stream: &TcpStream) -> io::Result<bool> {
    let mut first = [0; PREFACE.len()];
    loop {
        let seen = stream.peek(&mut first).await?;
        if seen == 0 || first[..seen] != PREFACE[..seen] {
            return Ok(false);
        }
        if seen == PREFACE.len() {
            return Ok(true);
        }
        sleep(LOOK_AGAIN).await;
    }
}
