//! A reader of one log.

use super::log::{Log, Place, Role};
use super::{Hub, Seat};
use smoother_core::RequestId;
use smoother_core::ports::{BoxFuture, Reader, Update};
use std::sync::Arc;

/// Reads a log from its beginning; leaves it when dropped.
#[derive(Debug)]
pub(super) struct LogReader {
    seat: Seat,
    place: Place,
}

impl LogReader {
    /// The seat was taken already, by [`Hub::join`].
    pub fn new(hub: Hub, id: RequestId, log: Arc<Log>) -> Self {
        Self {
            seat: Seat {
                hub,
                id,
                log,
                role: Role::Reader,
            },
            place: Place::default(),
        }
    }
}

impl Reader for LogReader {
    fn next(&mut self) -> BoxFuture<'_, Option<Update>> {
        Box::pin(self.seat.log.next(&mut self.place))
    }
}
