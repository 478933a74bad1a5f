//! A call whose runner is gone: what follows is for the request's policies to say.

use super::{end, is_dead, requeue};
use crate::lifecycle::State;
use crate::request::{Failure, OnDisconnect, OnIndeterminate, Outcome, Request, Runner};
use crate::units::Timestamp;

/// Calls of one request that may be lost before it fails.
const LOST_AT_MOST: u32 = 10;

/// By the request's policies. Its own call may be what ends the runner, each time anew: that has a bound.
pub(super) fn lose(next: &mut Request, at: Timestamp) {
    next.lost = next.lost.saturating_add(1);
    let failure = match next.on_indeterminate {
        // Whoever it was made for is gone for good.
        _ if next.on_disconnect == OnDisconnect::CancelAtOnce => {
            return end(next, State::Cancelled, at, None);
        }
        OnIndeterminate::Retry if next.lost < LOST_AT_MOST => {
            requeue(next);
            next.runner = Runner::Worker;
            return;
        }
        OnIndeterminate::Retry => lost_too_often(),
        OnIndeterminate::Fail => indeterminate(),
    };
    next.dead = is_dead(next, &failure);
    end(next, State::Failed, at, Some(Outcome::Failure(failure)));
}

fn indeterminate() -> Failure {
    internal(
        "The smoother stopped while this call was under way, so whether it ran is unknown; \
         on_indeterminate = \"fail\" forbids calling again."
            .to_owned(),
    )
}

fn lost_too_often() -> Failure {
    internal(format!(
        "Whoever made this request's call was gone before its end, {LOST_AT_MOST} times: it may be what ends them. \
         Look at the log of those moments; what was submitted as a job can be redriven."
    ))
}

fn internal(message: String) -> Failure {
    Failure {
        kind: None,
        status: 500,
        exception: "InternalServerException".to_owned(),
        message,
        headers: Vec::new(),
    }
}
