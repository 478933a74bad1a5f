//! On in the chain of fallbacks: to another lane, or to the text that ends it.

use super::requeue;
use super::size::resize;
use crate::fallback::{Hop, HopCause, Hopped};
use crate::ids::LaneId;
use crate::lifecycle::{Change, Refused};
use crate::request::Request;
use crate::units::Timestamp;

fn hop(next: &mut Request, cause: HopCause, at: Timestamp) -> Hop {
    next.hops.push(Hopped {
        from: next.lane.clone(),
        model: next.model_to_call().clone(),
        cause,
        at,
    });
    if let HopCause::Error(kind) = cause {
        next.last_error = Some(kind);
    }
    next.fallback.remove(0)
}

pub(super) fn divert(
    next: &mut Request,
    change: &Change,
    cause: HopCause,
    at: Timestamp,
) -> Result<(), Refused> {
    if !matches!(next.fallback.first(), Some(Hop::Lane { .. })) {
        return Err(Refused::NoHop {
            change: change.as_str(),
        });
    }
    let left = Hop::Lane {
        lane: next.lane.clone(),
        model: next.model_to_call().clone(),
        estimate: next.estimate,
        own_output: next.right_size.as_ref().and_then(|size| size.own),
    };
    if let Hop::Lane {
        lane,
        model,
        estimate,
        own_output,
    } = hop(next, cause, at)
    {
        if may_come_back(next, cause) {
            let text = next
                .fallback
                .iter()
                .position(|hop| matches!(hop, Hop::Answer { .. }));
            next.fallback.insert(text.unwrap_or(next.fallback.len()), left);
        }
        next.lane = lane;
        next.called_model = Some(model).filter(|model| *model != next.model);
        next.estimate = estimate;
        resize(next, own_output);
    }
    requeue(next);
    Ok(())
}

/// Whether the lane just left goes to the end of the chain: it was in trouble for a while, and may be well again when
/// the others are not. Once for each lane, so that lanes in trouble together do not pass a request round and round.
fn may_come_back(request: &Request, cause: HopCause) -> bool {
    let left = |lane: &LaneId| request.hops.iter().filter(|hop| hop.from == *lane).count();
    let passing = matches!(cause, HopCause::BreakerOpen | HopCause::RetriesSpent);
    passing && request.hops.last().is_some_and(|hop| left(&hop.from) == 1)
}

pub(super) fn degrade(
    next: &mut Request,
    change: &Change,
    cause: HopCause,
    at: Timestamp,
) -> Result<(), Refused> {
    if !matches!(next.fallback.first(), Some(Hop::Answer { .. })) {
        return Err(Refused::NoHop {
            change: change.as_str(),
        });
    }
    hop(next, cause, at);
    next.degraded = true;
    Ok(())
}
