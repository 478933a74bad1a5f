//! A body that ends only when what has to follow it is done.

use axum::body::Body;
use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use smoother_core::ports::BoxFuture;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

/// The invocation is over when its body is: what was begun for it is finished before.
pub(super) struct Ending {
    body: Body,
    /// What the body ended with, once it has.
    last: Option<Option<axum::Error>>,
    then: Option<BoxFuture<'static, ()>>,
}

impl Ending {
    pub(super) fn new(body: Body, then: impl Future<Output = ()> + Send + 'static) -> Self {
        Self {
            body,
            last: None,
            then: Some(Box::pin(then)),
        }
    }
}

impl HttpBody for Ending {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let this = &mut *self;
        if this.last.is_none() {
            match ready!(Pin::new(&mut this.body).poll_frame(context)) {
                Some(Ok(frame)) => return Poll::Ready(Some(Ok(frame))),
                Some(Err(error)) => this.last = Some(Some(error)),
                None => this.last = Some(None),
            }
        }
        if let Some(then) = &mut this.then {
            ready!(then.as_mut().poll(context));
            this.then = None;
        }
        Poll::Ready(this.last.as_mut().and_then(Option::take).map(Err))
    }

    fn is_end_stream(&self) -> bool {
        // Asked before the end it would let the invocation go while something is under way.
        self.last.is_some() && self.then.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::BodyExt;
    use std::sync::Arc;
    use tokio::sync::Notify;

    #[tokio::test]
    async fn the_bytes_come_at_once_and_the_end_after_what_follows() {
        let done = Arc::new(Notify::new());
        let waits = Arc::clone(&done);
        let mut body = Ending::new(Body::from("answer"), async move { waits.notified().await });
        assert!(!body.is_end_stream());
        let frame = body.frame().await.unwrap().unwrap();
        assert_eq!(frame.into_data().unwrap(), "answer");
        assert!(!body.is_end_stream(), "something is under way");
        {
            let mut end = body.frame();
            let waker = std::task::Waker::noop();
            let pending = Pin::new(&mut end)
                .poll(&mut Context::from_waker(waker))
                .is_pending();
            assert!(pending, "it ended before what follows was done");
        }
        done.notify_one();
        assert!(body.frame().await.is_none());
        assert!(body.is_end_stream());
    }

    #[tokio::test]
    async fn an_empty_body_ends_the_same_way() {
        let body = Ending::new(Body::empty(), async {});
        assert!(!body.is_end_stream());
        assert!(body.collect().await.unwrap().to_bytes().is_empty());
    }
}
