//! Responses and their bodies.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderName};
use http::{HeaderValue, Response, StatusCode};
use http_body::{Body, Frame, SizeHint};
use http_body_util::Full;
use tokio::time::Sleep;

use super::generation::Generation;
use super::ticket::Ticket;
use crate::error::SimError;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-amzn-requestid");
const ERROR_TYPE: HeaderName = HeaderName::from_static("x-amzn-errortype");
const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// A connection that the simulator cuts on purpose: hyper closes it when a service or body fails.
#[derive(Debug, thiserror::Error)]
#[error("the simulator cuts this connection")]
pub(super) struct Cut;

impl From<Infallible> for Cut {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}

/// A response's body.
#[derive(Debug)]
pub(super) enum Reply {
    Whole(Full<Bytes>),
    Stream(Box<Generation>),
    Torn(Box<Torn>),
}

impl Body for Reply {
    type Data = Bytes;
    type Error = Cut;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        match self.get_mut() {
            Self::Whole(body) => Pin::new(body).poll_frame(cx).map_err(Cut::from),
            Self::Stream(generation) => generation.poll(cx).map_ok(Frame::data),
            Self::Torn(torn) => torn.poll(cx).map_ok(Frame::data),
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Self::Whole(body) if body.is_end_stream())
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(body) => body.size_hint(),
            Self::Stream(_) | Self::Torn(_) => SizeHint::default(),
        }
    }
}

/// A body that ends, or stays open, before its declared length.
#[derive(Debug)]
pub(super) struct Torn {
    first: Option<Bytes>,
    then: Tear,
}

/// What follows the first half of a torn body.
#[derive(Debug)]
pub(super) enum Tear {
    /// The end of the connection, once the half has had time to leave.
    Cut(Pin<Box<Sleep>>),
    /// Nothing; the call stays open until the client goes away.
    Hang { _ticket: Box<Ticket> },
}

impl Torn {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Cut>>> {
        if let Some(first) = self.first.take() {
            return Poll::Ready(Some(Ok(first)));
        }
        match &mut self.then {
            Tear::Cut(pause) => pause.as_mut().poll(cx).map(|()| Some(Err(Cut))),
            Tear::Hang { .. } => Poll::Pending,
        }
    }
}

/// hyper flushes when a body is pending, and throws away what it has buffered when a body fails.
pub(super) fn flush_pause() -> Pin<Box<Sleep>> {
    Box::pin(tokio::time::sleep(std::time::Duration::from_millis(2)))
}

/// A JSON response.
pub(super) fn json(status: StatusCode, request_id: Option<&str>, body: impl Into<Bytes>) -> Response<Reply> {
    let mut response = Response::new(whole(body.into()));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, JSON);
    if let Some(id) = request_id.and_then(|id| HeaderValue::from_str(id).ok()) {
        headers.insert(REQUEST_ID, id);
    }
    response
}

/// An error as bedrock-runtime sends it.
pub(super) fn error(request_id: &str, error: &SimError) -> Response<Reply> {
    let mut response = json(error.kind.status(), Some(request_id), error.body());
    if let Ok(kind) = HeaderValue::from_str(&error.type_header()) {
        response.headers_mut().insert(ERROR_TYPE, kind);
    }
    response
}

/// An event stream, chunked.
pub(super) fn stream(request_id: &str, generation: Generation) -> Response<Reply> {
    let mut response = json(StatusCode::OK, Some(request_id), Bytes::new());
    let content_type = HeaderValue::from_static("application/vnd.amazon.eventstream");
    response.headers_mut().insert(CONTENT_TYPE, content_type);
    *response.body_mut() = Reply::Stream(Box::new(generation));
    response
}

/// A body in one piece.
pub(super) fn whole(body: Bytes) -> Reply {
    Reply::Whole(Full::new(body))
}

/// Replaces a whole body by its first half: the rest never comes.
pub(super) fn tear(mut response: Response<Reply>, body: &Bytes, then: Tear) -> Response<Reply> {
    response
        .headers_mut()
        .insert(CONTENT_LENGTH, HeaderValue::from(body.len()));
    *response.body_mut() = Reply::Torn(Box::new(Torn {
        first: Some(body.slice(..body.len() / 2)),
        then,
    }));
    response
}
