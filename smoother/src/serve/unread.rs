//! Answers over HTTP/2 that their client has stopped reading.
//!
//! There a client that does not read holds its answer back by flow control: no write gets stuck, so the connection
//! itself (see [`super::stalled`]) notices nothing. But an answer is asked for its next piece only once there is room
//! for the last one. So it is handed over in small pieces, and a piece that nobody comes back from for a while has
//! met a client that has stopped reading.

use axum::body::Body;
use bytes::Bytes;
use hyper::body::{Body as HttpBody, Frame, SizeHint};
use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// What is handed over at once: HTTP/2's initial window, so that a client which reads is not slowed down.
const PIECE: usize = 64 << 10;
/// Between two looks, at least.
const LOOK_AGAIN: Duration = Duration::from_millis(10);

/// How the answers of one connection are being read.
#[derive(Debug, Clone, Default)]
pub(super) struct Readers(Arc<Mutex<Waiting>>);

#[derive(Debug, Default)]
struct Waiting {
    answers: u64,
    /// Since when each answer has been waiting for room.
    since: BTreeMap<u64, Instant>,
}

impl Readers {
    /// The answer, watched.
    pub(super) fn watch(&self, body: Body) -> Watched {
        let mut waiting = self.waiting();
        waiting.answers += 1;
        Watched {
            body,
            rest: Bytes::new(),
            readers: self.clone(),
            number: waiting.answers,
        }
    }

    /// Resolves once an answer has been waiting for `most`.
    pub(super) async fn one_has_stopped(&self, most: Duration) {
        loop {
            let oldest = self.waiting().since.values().min().copied();
            let left = match oldest {
                Some(since) => most.saturating_sub(since.elapsed()),
                // Whatever is handed over from now on has longer.
                None => most,
            };
            if left.is_zero() {
                return;
            }
            sleep(left.max(LOOK_AGAIN)).await;
        }
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An answer in pieces.
#[derive(Debug)]
pub(super) struct Watched {
    body: Body,
    /// Of what the answer gave last, the part that has not been handed over yet.
    rest: Bytes,
    readers: Readers,
    number: u64,
}

impl Watched {
    fn piece(&mut self) -> Bytes {
        let piece = self.rest.split_to(self.rest.len().min(PIECE));
        self.readers.waiting().since.insert(self.number, Instant::now());
        piece
    }

    fn taken(&self) {
        self.readers.waiting().since.remove(&self.number);
    }
}

impl HttpBody for Watched {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        self.taken();
        if self.rest.is_empty() {
            let frame = match ready!(Pin::new(&mut self.body).poll_frame(cx)) {
                Some(Ok(frame)) => frame,
                other => return Poll::Ready(other),
            };
            match frame.into_data() {
                Ok(data) => self.rest = data,
                Err(trailers) => return Poll::Ready(Some(Ok(trailers))),
            }
        }
        Poll::Ready(Some(Ok(Frame::data(self.piece()))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let (body, rest) = (self.body.size_hint(), self.rest.len() as u64);
        let mut whole = SizeHint::new();
        whole.set_lower(body.lower().saturating_add(rest));
        if let Some(upper) = body.upper() {
            whole.set_upper(upper.saturating_add(rest));
        }
        whole
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.taken();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::BodyExt;
    use tokio::time::timeout;

    const MOST: Duration = Duration::from_secs(60);

    #[tokio::test(start_paused = true)]
    async fn an_answer_comes_whole_in_pieces_of_a_bounded_size() {
        let whole: Vec<u8> = (0..200_000_u32).map(|n| n.to_le_bytes()[0]).collect();
        let mut answer = Readers::default().watch(Body::from(whole.clone()));
        assert_eq!(answer.size_hint().exact(), Some(200_000));
        let mut read = Vec::new();
        while let Some(frame) = answer.frame().await {
            let piece = frame.unwrap().into_data().unwrap();
            assert!(piece.len() <= PIECE, "{}", piece.len());
            read.extend_from_slice(&piece);
            assert_eq!(answer.size_hint().exact(), Some(200_000 - read.len() as u64));
            assert_eq!(answer.is_end_stream(), read.len() == 200_000);
        }
        assert!(read == whole);
    }

    #[tokio::test(start_paused = true)]
    async fn a_piece_that_nobody_comes_back_from_is_noticed_and_one_that_is_waited_for_is_not() {
        let readers = Readers::default();
        let stopped = |most| timeout(most, readers.one_has_stopped(MOST));
        let mut answer = readers.watch(Body::from(vec![0; 3 * PIECE]));
        // The model takes its time: nothing was handed over.
        assert!(stopped(10 * MOST).await.is_err());
        for _ in 0..3 {
            answer.frame().await.unwrap().unwrap();
            assert!(stopped(MOST / 2).await.is_err(), "it is read slowly");
        }
        assert!(stopped(MOST).await.is_ok());
        // Of two answers the one that is read does not excuse the other.
        let mut other = readers.watch(Body::from(vec![0; 2 * PIECE]));
        other.frame().await.unwrap().unwrap();
        assert!(stopped(MOST / 2).await.is_ok());
        drop(answer);
        assert!(stopped(MOST / 2).await.is_err());
        drop(other);
        assert!(stopped(10 * MOST).await.is_err(), "nobody is left");
    }
}
