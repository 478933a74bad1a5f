use super::Bed;
use super::requests::head;
use bytes::Bytes;
use smoother_core::lifecycle::Change;
use smoother_core::ports::{Clock, Ended, Live, Update};
use smoother_core::request::Failure;
use smoother_core::scheduler::{Event, Gone, Waiting};
use smoother_core::{Millis, Outcome, Request, RequestId, Tokens};
use std::sync::Arc;

/// What a worker and its lane do, step by step.
impl Bed {
    /// The next request that arrives in a lane.
    pub(crate) async fn arrived(&self) -> Waiting {
        match self.event().await {
            Event::Arrived(waiting) => waiting,
            other => panic!("a request should arrive, but the lane was told {other:?}"),
        }
    }

    /// Releases a request.
    pub(crate) fn release(&self, id: RequestId) -> Request {
        let at = self.clock.now();
        let row = self.store.row(id).unwrap();
        let call = row.call.next();
        let release = Change::Release {
            lane: row.lane,
            call,
            reserve: Tokens::new(1),
            start_by: at + Millis::from_secs(20),
            at,
        };
        self.store.apply(id, &release).unwrap()
    }

    /// Releases and claims a request; its call begins.
    pub(crate) fn start(&self, id: RequestId) -> Request {
        let (call, at) = (self.release(id).call, self.clock.now());
        let row = self.store.apply(id, &Change::Claim { call, at }).unwrap();
        self.live.publish(id, Update::Call(call));
        row
    }

    /// The next thing a lane is told is that this request's call has started, the one after it that it was
    /// cancelled.
    pub(crate) async fn cancelled_while_running(&self, row: &Request) {
        let (request, call) = (row.id, row.call);
        let at = row.started_at.unwrap();
        assert_eq!(self.event().await, Event::Started { request, call, at });
        self.cancelled(request).await;
    }

    /// The next thing a lane is told is that this request was cancelled.
    pub(crate) async fn cancelled(&self, request: RequestId) {
        let why = Gone::Cancelled;
        assert_eq!(self.event().await, Event::Left { request, why });
    }

    pub(crate) fn frame(&self, id: RequestId, frame: &Bytes) {
        self.live.publish(id, Update::Frame(frame.clone()));
    }

    pub(crate) fn head(&self, id: RequestId) {
        self.live.publish(id, Update::Head(Arc::new(head())));
    }

    /// The call's answer, durable and told.
    pub(crate) fn complete(&self, id: RequestId, result: impl Into<Bytes>) {
        let result = result.into();
        self.complete_untold(id, result.clone());
        let (request, result) = (self.store.row(id).unwrap(), Some(result));
        self.live
            .publish(id, Update::Ended(Arc::new(Ended { request, result })));
    }

    /// The call's answer, durable; nobody is told.
    pub(crate) fn complete_untold(&self, id: RequestId, result: impl Into<Bytes>) {
        let result = result.into();
        let (call, at) = (self.store.row(id).unwrap().call, self.clock.now());
        let answer = Outcome::Answer {
            head: head(),
            usage: None,
            bytes: result.len() as u64,
        };
        self.store.keep_result(id, result);
        let change = Change::Complete {
            call,
            answer,
            first_output_at: None,
            at,
        };
        self.store.apply(id, &change).unwrap();
    }

    /// The call's final failure.
    pub(crate) fn fail(&self, id: RequestId, status: u16, exception: &str, message: &str) {
        let (call, at) = (self.store.row(id).unwrap().call, self.clock.now());
        let failure = Failure {
            kind: None,
            status,
            exception: exception.to_owned(),
            message: message.to_owned(),
            headers: vec![("x-amzn-requestid".to_owned(), "upstream-7".to_owned())],
        };
        self.end(
            id,
            &Change::Fail {
                call: Some(call),
                failure,
                at,
            },
            None,
        );
    }

    /// Any end, and its telling.
    pub(crate) fn end(&self, id: RequestId, change: &Change, result: Option<Bytes>) {
        let request = self.store.apply(id, change).unwrap();
        self.live
            .publish(id, Update::Ended(Arc::new(Ended { request, result })));
    }

    /// Tells readers of an end that is stored, as the outbox does.
    pub(crate) fn tell_end(&self, id: RequestId) {
        let request = self.store.row(id).unwrap();
        self.live.publish(
            id,
            Update::Ended(Arc::new(Ended {
                request,
                result: None,
            })),
        );
    }
}
