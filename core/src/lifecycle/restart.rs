//! What a restart makes of a request that was not over.

use super::{Change, State};
use crate::request::{OnDisconnect, Request};
use crate::units::{Millis, Timestamp};

/// The change that puts a stored request back into order once whoever worked on it is gone; `None` where it is
/// in order. Its open calls are settled as indeterminate beside it.
///
/// A request whose caller cannot come back is cancelled: a call would be made for nobody.
pub fn after_restart(request: &Request, now: Timestamp) -> Option<Change> {
    let for_nobody = request.on_disconnect == OnDisconnect::CancelAtOnce;
    match request.state {
        State::Received | State::Queued | State::Released if for_nobody => Some(Change::Abandon { at: now }),
        State::Received => Some(Change::Queue),
        // Who was to claim it is gone, so its time is taken to be up.
        State::Released => Some(Change::Lapse {
            call: request.call,
            at: now.max(request.start_by.unwrap_or(Timestamp::EPOCH) + Millis::new(1)),
        }),
        State::Running => Some(Change::Lose {
            call: request.call,
            at: now,
        }),
        State::Queued | State::Completed | State::Failed | State::Cancelled | State::Expired => None,
    }
}
