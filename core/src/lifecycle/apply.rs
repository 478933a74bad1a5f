//! The transition function: the only place where a request's row changes.

use super::{Change, Leaving, Refused, State};
use crate::cost::Estimate;
use crate::fallback::{Hop, HopCause, Hopped};
use crate::ids::{CallNo, LaneId};
use crate::request::{Door, Failure, OnDisconnect, OnIndeterminate, Outcome, Request, Runner};
use crate::units::{Timestamp, Tokens};

/// Calls of one request that may be lost before it fails.
const LOST_AT_MOST: u32 = 10;

/// The request after `change`, one `rev` on, or why that cannot be.
pub fn apply(request: &Request, change: &Change) -> Result<Request, Refused> {
    let mut next = request.clone();
    match change {
        Change::Queue => {
            allow(request, change, &[State::Received])?;
            next.state = State::Queued;
        }
        Change::Release {
            lane,
            call,
            reserve,
            start_by,
            at,
        } => {
            allow(request, change, &[State::Queued])?;
            same_lane(lane, &request.lane)?;
            same_call(*call, request.call.next())?;
            next.state = State::Released;
            next.call = *call;
            next.reserved = *reserve;
            next.start_by = Some(*start_by);
            next.not_before = None;
            next.released_at = Some(*at);
        }
        Change::Claim { call, at } => {
            allow(request, change, &[State::Released])?;
            same_call(*call, request.call)?;
            let start_by = request.start_by.unwrap_or(Timestamp::EPOCH);
            if *at > start_by {
                return Err(Refused::Late { start_by, at: *at });
            }
            next.state = State::Running;
            next.calls_made = request.calls_made.saturating_add(1);
            next.start_by = None;
            next.started_at = Some(*at);
        }
        Change::Lapse { call, at } => {
            allow(request, change, &[State::Released])?;
            same_call(*call, request.call)?;
            let start_by = request.start_by.unwrap_or(Timestamp::EPOCH);
            if *at <= start_by {
                return Err(Refused::Early { start_by, at: *at });
            }
            requeue(&mut next);
            // Whoever was to claim it did not.
            next.runner = Runner::Worker;
        }
        Change::Void { call } => {
            allow(request, change, &[State::Queued])?;
            same_call(*call, request.call.next())?;
            next.call = *call;
        }
        Change::Requeue {
            call,
            not_before,
            throttle,
            error,
            spends_try,
        } => {
            running(request, change, *call)?;
            requeue(&mut next);
            next.not_before = Some(*not_before);
            next.last_error = *error;
            next.tries = request.tries.saturating_add(u32::from(*spends_try));
            if let Some(cause) = throttle {
                *next.throttles.entry(*cause).or_insert(0) += 1;
            }
        }
        Change::Resize { lane, max_output } => {
            allow(request, change, &[State::Queued])?;
            same_lane(lane, &request.lane)?;
            shrink(&mut next, *max_output)?;
        }
        Change::Rerun { call } => {
            running(request, change, *call)?;
            rerun(&mut next)?;
        }
        Change::Divert { from, cause, at } => {
            leaving(request, change, from)?;
            divert(&mut next, change, *cause, *at)?;
        }
        Change::Degrade {
            from,
            cause,
            answer,
            at,
        } => {
            leaving(request, change, from)?;
            degrade(&mut next, change, *cause, *at)?;
            end(&mut next, State::Completed, *at, Some(answer.clone()));
        }
        Change::Lose { call, at } => {
            running(request, change, *call)?;
            lose(&mut next, *at);
        }
        Change::Complete {
            call,
            answer,
            first_output_at,
            at,
        } => {
            running(request, change, *call)?;
            next.first_output_at = *first_output_at;
            end(&mut next, State::Completed, *at, Some(answer.clone()));
        }
        Change::Fail { call, failure, at } => {
            match call {
                Some(call) => running(request, change, *call)?,
                None => allow(
                    request,
                    change,
                    &[State::Received, State::Queued, State::Released],
                )?,
            }
            next.last_error = failure.kind.or(request.last_error);
            next.dead = is_dead(request, failure);
            end(
                &mut next,
                State::Failed,
                *at,
                Some(Outcome::Failure(failure.clone())),
            );
        }
        Change::Cancel { at } => {
            open(request, change)?;
            end(&mut next, State::Cancelled, *at, None);
        }
        Change::Abandon { at } => {
            open(request, change)?;
            if request.on_disconnect == OnDisconnect::Finish {
                return Err(Refused::Kept);
            }
            end(&mut next, State::Cancelled, *at, None);
        }
        Change::Join { door, on_disconnect } => {
            open(request, change)?;
            join(&mut next, *door, *on_disconnect);
        }
        Change::Expire { at } => {
            open(request, change)?;
            end(&mut next, State::Expired, *at, None);
        }
        Change::Redrive => {
            dead(request, change)?;
            redrive(&mut next);
        }
        Change::Dismiss => {
            dead(request, change)?;
            next.dead = false;
        }
    }
    next.rev = request.rev.next();
    Ok(next)
}

fn allow(request: &Request, change: &Change, from: &[State]) -> Result<(), Refused> {
    if from.contains(&request.state) {
        Ok(())
    } else {
        Err(Refused::State {
            change: change.as_str(),
            state: request.state,
        })
    }
}

fn open(request: &Request, change: &Change) -> Result<(), Refused> {
    if request.state.is_terminal() {
        return Err(Refused::State {
            change: change.as_str(),
            state: request.state,
        });
    }
    Ok(())
}

fn same_lane(found: &LaneId, current: &LaneId) -> Result<(), Refused> {
    if found == current {
        Ok(())
    } else {
        Err(Refused::Lane {
            found: found.clone(),
            current: current.clone(),
        })
    }
}

fn same_call(found: CallNo, current: CallNo) -> Result<(), Refused> {
    if found == current {
        Ok(())
    } else {
        Err(Refused::Call { found, current })
    }
}

fn running(request: &Request, change: &Change, call: CallNo) -> Result<(), Refused> {
    allow(request, change, &[State::Running])?;
    same_call(call, request.call)
}

fn leaving(request: &Request, change: &Change, from: &Leaving) -> Result<(), Refused> {
    match from {
        Leaving::Call(call) => running(request, change, *call),
        Leaving::Line(lane) => {
            allow(request, change, &[State::Queued])?;
            same_lane(lane, &request.lane)
        }
    }
}

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

fn divert(next: &mut Request, change: &Change, cause: HopCause, at: Timestamp) -> Result<(), Refused> {
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

fn shrink(next: &mut Request, max_output: Tokens) -> Result<(), Refused> {
    let own = next.estimate.max_output;
    let size = next.right_size.as_mut().ok_or(Refused::Sized)?;
    if size.rerun || size.own.is_some() || max_output >= own {
        return Err(Refused::Sized);
    }
    size.own = Some(own);
    next.estimate.max_output = max_output;
    next.estimate.expected_output = next.estimate.expected_output.min(max_output);
    Ok(())
}

/// Takes up the size of another lane. What was cut short once goes with its caller's own value everywhere.
fn resize(next: &mut Request, own: Option<Tokens>) {
    let Some(size) = &mut next.right_size else { return };
    size.own = own;
    if size.rerun
        && let Some(estimate) = next.rerun_estimate()
    {
        to_own(next, estimate);
    }
}

fn rerun(next: &mut Request) -> Result<(), Refused> {
    let estimate = next.rerun_estimate().ok_or(Refused::OwnSize)?;
    to_own(next, estimate);
    requeue(next);
    Ok(())
}

fn to_own(next: &mut Request, estimate: Estimate) {
    next.estimate = estimate;
    if let Some(size) = &mut next.right_size {
        size.own = None;
        size.rerun = true;
    }
}

/// Whether the lane just left goes to the end of the chain: it was in trouble for a while, and may be well again when
/// the others are not. Once for each lane, so that lanes in trouble together do not pass a request round and round.
fn may_come_back(request: &Request, cause: HopCause) -> bool {
    let left = |lane: &LaneId| request.hops.iter().filter(|hop| hop.from == *lane).count();
    let passing = matches!(cause, HopCause::BreakerOpen | HopCause::RetriesSpent);
    passing && request.hops.last().is_some_and(|hop| left(&hop.from) == 1)
}

fn degrade(next: &mut Request, change: &Change, cause: HopCause, at: Timestamp) -> Result<(), Refused> {
    if !matches!(next.fallback.first(), Some(Hop::Answer { .. })) {
        return Err(Refused::NoHop {
            change: change.as_str(),
        });
    }
    hop(next, cause, at);
    next.degraded = true;
    Ok(())
}

/// A job that failed by no fault of its own: an operator may want it made again.
fn is_dead(request: &Request, failure: &Failure) -> bool {
    request.door == Door::Job && failure.status != 400
}

fn dead(request: &Request, change: &Change) -> Result<(), Refused> {
    allow(request, change, &[State::Failed])?;
    if request.dead {
        Ok(())
    } else {
        Err(Refused::NotDead {
            change: change.as_str(),
        })
    }
}

fn redrive(next: &mut Request) {
    requeue(next);
    next.runner = Runner::Worker;
    next.dead = false;
    next.redriven = next.redriven.saturating_add(1);
    next.tries = 0;
    next.lost = 0;
    // What an operator sends is no retry, which the lane would count against its budget.
    next.last_error = None;
    next.deadline = None;
    next.latest_start = None;
    next.ended_at = None;
    next.outcome = None;
}

fn requeue(next: &mut Request) {
    next.state = State::Queued;
    next.start_by = None;
    next.not_before = None;
    next.reserved = Tokens::ZERO;
}

/// By the request's policies. Its own call may be what ends the runner, each time anew: that has a bound.
fn lose(next: &mut Request, at: Timestamp) {
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

/// What has once been promised to somebody who does not wait stays promised.
fn join(next: &mut Request, door: Door, on_disconnect: OnDisconnect) {
    if door == Door::Job {
        next.door = Door::Job;
        next.on_disconnect = OnDisconnect::Finish;
    } else if next.on_disconnect != OnDisconnect::Finish {
        next.on_disconnect = on_disconnect;
    }
}

fn end(next: &mut Request, state: State, at: Timestamp, outcome: Option<Outcome>) {
    next.state = state;
    next.start_by = None;
    next.not_before = None;
    next.ended_at = Some(at);
    next.outcome = outcome;
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
