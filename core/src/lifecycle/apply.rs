//! The transition function: the only place where a request's row changes.

mod allowed;
mod chain;
mod lost;
mod size;

use super::{Change, Refused, State};
use crate::request::{Door, Failure, OnDisconnect, Outcome, Request, Runner};
use crate::units::{Timestamp, Tokens};
use allowed::{allow, dead, leaving, open, running, same_call, same_lane};
use chain::{degrade, divert};
use lost::lose;
use size::{rerun, shrink};

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

/// A job that failed by no fault of its own: an operator may want it made again.
fn is_dead(request: &Request, failure: &Failure) -> bool {
    request.door == Door::Job && failure.status != 400
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
