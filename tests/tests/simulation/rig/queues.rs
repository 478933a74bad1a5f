//! The queues.

use super::{Part, Rig};
use crate::broken::Broken;
use crate::judge::{BEGINNING, short};
use smoother_core::ports::{Dispatch, LaneQueue, Pending, QueueError, Released};
use smoother_core::scheduler::{Again, Event, Waiting};
use smoother_core::{LaneId, Timestamp};
use smoother_tests::memory::{MemoryDispatch, MemoryLanes};
use std::future::ready;
use std::sync::{Arc, Mutex, PoisonError};

/// Which lanes are served now: a queue that is no channel of one process leads to whoever reads it.
#[derive(Clone, Default)]
pub struct Post(Arc<Mutex<Option<Arc<MemoryLanes>>>>);

impl Post {
    pub fn serve(&self, lanes: &Arc<MemoryLanes>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(lanes));
    }

    pub fn lanes(&self) -> Option<Arc<MemoryLanes>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// The lanes' queues.
pub struct RigLanes {
    pub rig: Rig,
    pub lanes: Arc<MemoryLanes>,
}

impl RigLanes {
    /// What a lane can find out by itself may get lost: that a request left, was claimed, or was not.
    fn is_lost(&self, event: &Event) -> bool {
        let found_out = matches!(
            event,
            Event::Left { .. } | Event::Started { .. } | Event::Unclaimed { .. }
        );
        found_out && self.rig.mischief.strikes(|weather| weather.lost)
    }

    fn is_kept_back(&self, event: &Event) -> bool {
        match (self.rig.mischief.broken, event) {
            (Some(Broken::ArrivalLost), Event::Arrived(waiting)) => waiting.id.as_bytes()[15] % 3 == 0,
            (Some(Broken::DivertUntold), Event::Arrived(_)) => self.rig.part != Part::WayIn,
            (Some(Broken::EndUntold), Event::Ended { again, .. }) => *again == Again::No,
            _ => false,
        }
    }

    fn changed(&self, event: Event) -> Event {
        match event {
            Event::Ended {
                request,
                call,
                charged,
                throttle,
                health,
                at,
                ..
            } if self.rig.mischief.is(Broken::SnoozeForgotten) => Event::Ended {
                request,
                call,
                charged,
                throttle,
                again: Again::No,
                health,
                at,
            },
            Event::Ended {
                request,
                call,
                charged,
                throttle,
                again: Again::Resized { .. },
                health,
                at,
            } if self.rig.mischief.is(Broken::RerunUnderpriced) => Event::Ended {
                request,
                call,
                charged,
                throttle,
                again: Again::NotBefore(at),
                health,
                at,
            },
            Event::Arrived(waiting) if self.rig.mischief.is(Broken::LastComeFirst) => {
                let arrived_at = Timestamp::from_millis(2 * BEGINNING - waiting.arrived_at.as_millis());
                Event::Arrived(Waiting {
                    arrived_at,
                    ..waiting
                })
            }
            event => event,
        }
    }
}

impl LaneQueue for RigLanes {
    fn send(&self, lane: &LaneId, event: Event) -> Pending<Result<(), QueueError>> {
        let lost = self.is_lost(&event) || self.is_kept_back(&event);
        if let Some(what) = in_words(&event) {
            let kind = if lost { "lost" } else { "event" };
            self.rig.judge.note(kind, format!("{what} to {lane}"));
        }
        if lost {
            return Box::pin(ready(Ok(())));
        }
        let (own, post) = (Arc::clone(&self.lanes), self.rig.post.clone());
        let of_worker = self.rig.part == Part::Worker;
        let (lane, event) = (lane.clone(), self.changed(event));
        self.rig.life.begin(move || {
            let lanes = post.lanes().filter(|_| of_worker).unwrap_or(own);
            lanes.send(&lane, event)
        })
    }
}

fn in_words(event: &Event) -> Option<String> {
    Some(match event {
        Event::Arrived(waiting) => format!("{} arrived", short(waiting.id)),
        Event::Left { request, why } => format!("{} left {why:?}", short(*request)),
        Event::Started { request, call, .. } => format!("{} started {call}", short(*request)),
        Event::Ended {
            request, call, again, ..
        } => format!("{} ended {call} {again:?}", short(*request)),
        Event::Unclaimed { request, call } => format!("{} unclaimed {call}", short(*request)),
        _ => return None,
    })
}

/// The way to the workers.
pub struct RigDispatch {
    pub rig: Rig,
    pub dispatch: Arc<MemoryDispatch>,
}

impl Dispatch for RigDispatch {
    fn send(&self, released: Vec<Released>) -> Pending<Result<(), QueueError>> {
        let dispatch = Arc::clone(&self.dispatch);
        self.rig.life.begin(move || dispatch.send(released))
    }
}
