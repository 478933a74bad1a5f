//! Streamed answers: frames as they come, except the one that closes the answer, which waits for the terminal
//! commit. So a caller who has read an answer to its end holds one that is stored, and a failure in between is
//! still told, as an exception inside the stream.

use super::answer::write_head;
use super::error::{Exception, of_end};
use super::frame;
use crate::line::Line;
use crate::presence::Presence;
use axum::body::Body;
use axum::response::Response;
use bytes::{Bytes, BytesMut};
use futures_util::stream;
use smoother_core::ports::Update;
use smoother_core::{Operation, Outcome};
use std::convert::Infallible;

/// The response whose first frame has come.
pub(super) fn begin(line: Line, first: Bytes) -> Response {
    let frames = Frames {
        operation: line.request.operation,
        presence: line.presence,
        first: Some(first),
        held: None,
        done: false,
    };
    let chunks = stream::unfold(frames, |mut frames| async move {
        let chunk = frames.next().await?;
        Some((Ok::<_, Infallible>(chunk), frames))
    });
    let mut response = Response::new(Body::from_stream(chunks));
    write_head(
        response.headers_mut(),
        &line.head,
        &line.request,
        line.queued_for,
        line.call.get(),
    );
    response
}

struct Frames {
    operation: Operation,
    presence: Presence,
    first: Option<Bytes>,
    /// The frame that closes the answer, until the end is durable.
    held: Option<Bytes>,
    done: bool,
}

impl Frames {
    /// What to write next; `None` once the stream is over.
    async fn next(&mut self) -> Option<Bytes> {
        if let Some(first) = self.first.take()
            && let Some(chunk) = self.pass(first)
        {
            return Some(chunk);
        }
        while !self.done {
            let chunk = match self.presence.next().await {
                Some(Update::Frame(frame)) => self.pass(frame),
                Some(Update::Ended(ended)) => match &ended.request.outcome {
                    Some(Outcome::Answer { .. }) => self.end(None),
                    _ => self.end(Some(&of_end(&ended.request))),
                },
                // What was written cannot be taken back, so a new call's answer cannot follow it.
                Some(Update::Call(_)) => self.end(Some(&broken(
                    "The model's answer was cut off and is being generated again.",
                ))),
                Some(Update::NotStored(error)) => self.end(Some(&broken(&format!(
                    "How the answer ended could not be stored: {error}."
                )))),
                None => self.end(Some(&broken(
                    "The smoother stopped before the answer was complete.",
                ))),
                Some(Update::State(_) | Update::Head(_)) => None,
            };
            if chunk.is_some() {
                return chunk;
            }
        }
        None
    }

    /// What may be written of this frame and the one held.
    fn pass(&mut self, frame: Bytes) -> Option<Bytes> {
        if frame::closes(&frame, self.operation) {
            return self.held.replace(frame);
        }
        match self.held.take() {
            // It did not close the answer after all.
            Some(held) => Some(joined(&held, &frame)),
            None => Some(frame),
        }
    }

    fn end(&mut self, exception: Option<&Exception>) -> Option<Bytes> {
        self.done = true;
        let held = self.held.take();
        match exception.map(|exception| frame::of_exception(exception, self.operation)) {
            None => held,
            // The held frame would claim that the answer is complete.
            Some(exception) => Some(exception),
        }
    }
}

fn joined(first: &Bytes, second: &Bytes) -> Bytes {
    let mut both = BytesMut::with_capacity(first.len() + second.len());
    both.extend_from_slice(first);
    both.extend_from_slice(second);
    both.freeze()
}

fn broken(message: &str) -> Exception {
    Exception {
        status: 424,
        name: "ModelStreamErrorException".to_owned(),
        message: message.to_owned(),
        headers: Vec::new(),
    }
}
