//! From where a change is allowed, and whose it must be.

use crate::ids::{CallNo, LaneId};
use crate::lifecycle::{Change, Leaving, Refused, State};
use crate::request::Request;

pub(super) fn allow(request: &Request, change: &Change, from: &[State]) -> Result<(), Refused> {
    if from.contains(&request.state) {
        Ok(())
    } else {
        Err(Refused::State {
            change: change.as_str(),
            state: request.state,
        })
    }
}

pub(super) fn open(request: &Request, change: &Change) -> Result<(), Refused> {
    if request.state.is_terminal() {
        return Err(Refused::State {
            change: change.as_str(),
            state: request.state,
        });
    }
    Ok(())
}

pub(super) fn same_lane(found: &LaneId, current: &LaneId) -> Result<(), Refused> {
    if found == current {
        Ok(())
    } else {
        Err(Refused::Lane {
            found: found.clone(),
            current: current.clone(),
        })
    }
}

pub(super) fn same_call(found: CallNo, current: CallNo) -> Result<(), Refused> {
    if found == current {
        Ok(())
    } else {
        Err(Refused::Call { found, current })
    }
}

pub(super) fn running(request: &Request, change: &Change, call: CallNo) -> Result<(), Refused> {
    allow(request, change, &[State::Running])?;
    same_call(call, request.call)
}

pub(super) fn leaving(request: &Request, change: &Change, from: &Leaving) -> Result<(), Refused> {
    match from {
        Leaving::Call(call) => running(request, change, *call),
        Leaving::Line(lane) => {
            allow(request, change, &[State::Queued])?;
            same_lane(lane, &request.lane)
        }
    }
}

pub(super) fn dead(request: &Request, change: &Change) -> Result<(), Refused> {
    allow(request, change, &[State::Failed])?;
    if request.dead {
        Ok(())
    } else {
        Err(Refused::NotDead {
            change: change.as_str(),
        })
    }
}
