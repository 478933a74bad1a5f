//! Bringing the scheduler back in line with a request's row.
//!
//! The scheduler believes what it was told; messages get lost, writes are refused, workers die. Wherever that
//! shows, the row is read and the scheduler is told what it says.

use crate::carry_out::{FAILED_STORE_PAUSE, Hands, elsewhere};
use crate::leave;
use smoother_core::breaker::CallHealth;
use smoother_core::ports::{ChangeError, StoreError};
use smoother_core::scheduler::{Again, Event};
use smoother_core::{
    Call, CallNo, Change, Refused, Request, RequestId, Settlement, State, Timestamp, Tokens,
};

/// What the row says, whatever the scheduler believed.
pub(crate) async fn reread(hands: &Hands, id: RequestId) -> Vec<Event> {
    match row(hands, id).await {
        Ok(Some(row)) => as_stored(hands, &row).await,
        Ok(None) => vec![elsewhere(id)],
        Err(_) => Vec::new(),
    }
}

/// The row, if there is one.
///
/// The scheduler may know nothing of the request, so a store that fails is asked until it answers: nobody else would ask
/// before the next start.
///
/// # Errors
/// It will not answer, which is told in the log.
pub(crate) async fn row(hands: &Hands, id: RequestId) -> Result<Option<Request>, StoreError> {
    loop {
        let error = match hands.ports.store.get(id).await {
            Ok(row) => return Ok(row),
            Err(error) => error,
        };
        tracing::error!(lane = %hands.lane, request = %id, %error, "a row could not be read");
        if matches!(error, StoreError::Damaged(_) | StoreError::Closed) {
            return Err(error);
        }
        tokio::time::sleep(FAILED_STORE_PAUSE).await;
    }
}

/// What became of a release, by its row and the calls that were made: whether its reservation may be freed.
pub(crate) async fn check(hands: &Hands, id: RequestId, call: CallNo) -> Vec<Event> {
    loop {
        match look(hands, id, call).await {
            Ok(events) => return events,
            // It may be claimed yet; the scheduler asks again.
            Err(ChangeError::Refused(Refused::Early { .. })) => return Vec::new(),
            // Claimed, cancelled or gone on between the reading and the writing: the row says how it stands now.
            Err(ChangeError::Refused(_) | ChangeError::NotFound(_)) => {}
            Err(ChangeError::Store(error)) => {
                tracing::error!(lane = %hands.lane, request = %id, %call, %error, "a release could not be checked");
                return Vec::new();
            }
        }
    }
}

async fn look(hands: &Hands, id: RequestId, call: CallNo) -> Result<Vec<Event>, ChangeError> {
    let store = &hands.ports.store;
    let request = id;
    let Some(mut row) = store.get(id).await? else {
        return Ok(vec![Event::Void { request, call }]);
    };
    // Another lane to which it went on gives out the same number as one here whose release was refused.
    let current = row.call == call && row.lane == hands.lane;
    let mut events = match row.state {
        State::Released if current => {
            let at = hands.ports.clock.now();
            row = store.change(id, Change::Lapse { call, at }).await?;
            tracing::warn!(lane = %hands.lane, request = %id, %call, "a release was never claimed; it waits again");
            vec![Event::Lapsed { request, call }]
        }
        State::Running if current => started(request, call, row.started_at),
        _ => match store
            .calls(id)
            .await?
            .into_iter()
            .find(|made| made.number == call && made.lane == hands.lane)
        {
            Some(made) => as_made(&made),
            None if row.state == State::Queued && current => vec![Event::Lapsed { request, call }],
            // Reserved for and never recorded. Its write may yet come, unless commits come in order.
            None if !store.commits_in_order()
                && row.state == State::Queued
                && row.call.next() == call
                && row.lane == hands.lane =>
            {
                row = store.change(id, Change::Void { call }).await?;
                vec![Event::Lapsed { request, call }]
            }
            None => vec![Event::Void { request, call }],
        },
    };
    if row.state == State::Queued {
        if row.lane == hands.lane {
            events.push(Event::Arrived(hands.priced(&row)));
        } else {
            leave::enter(hands, &row).await;
        }
    }
    Ok(events)
}

/// What the lane would have been told of a call that was made.
fn as_made(made: &Call) -> Vec<Event> {
    let (request, call) = (made.request, made.number);
    let mut events = started(request, call, Some(made.charged_at));
    events.extend(made.settlement.as_ref().map(|settled| Event::Ended {
        request,
        call,
        charged: settled.charged,
        // Old news teach nothing about what the upstream takes now.
        throttle: None,
        again: Again::No,
        health: CallHealth::Unknown,
        at: settled.at,
    }));
    events
}

fn started(request: RequestId, call: CallNo, at: Option<Timestamp>) -> Vec<Event> {
    let started = at.map(|at| Event::Started { request, call, at });
    started.into_iter().collect()
}

/// A call that must have ended long ago, and nobody told how: its worker is gone, or what it said was lost. It is
/// settled as indeterminate and its request goes by its policy. Where the row says otherwise, that holds; a worker that
/// comes back finds its call over.
pub(crate) async fn lose(hands: &Hands, id: RequestId, call: CallNo, reserve: Tokens) -> Vec<Event> {
    let at = hands.ports.clock.now();
    let settlement = Settlement::indeterminate(call, reserve, at);
    let lose = Change::Lose { call, at };
    let outcome = match hands.ports.store.end(id, settlement, Some(lose), None).await {
        Ok(report) => report.request,
        Err(error) => Err(error.into()),
    };
    let mut events = vec![Event::Ended {
        request: id,
        call,
        charged: reserve,
        throttle: None,
        again: Again::No,
        health: CallHealth::Unknown,
        at,
    }];
    match outcome {
        Ok(row) => {
            tracing::warn!(
                lane = %hands.lane, request = %id, %call, state = %row.state,
                "nobody told of a call's end; it counts as indeterminate, and its request goes by its policy"
            );
            events.extend(as_stored(hands, &row).await);
        }
        Err(ChangeError::Refused(_) | ChangeError::NotFound(_)) => events.extend(reread(hands, id).await),
        Err(ChangeError::Store(error)) => {
            tracing::error!(lane = %hands.lane, request = %id, %call, %error, "a lost call could not be settled");
            // The scheduler asks again.
            return Vec::new();
        }
    }
    events
}

async fn as_stored(hands: &Hands, row: &Request) -> Vec<Event> {
    if row.lane != hands.lane {
        // Whoever moved it may not have come to tell its lane, which knows it by now or wants to.
        if row.state == State::Queued {
            leave::enter(hands, row).await;
        }
        return vec![elsewhere(row.id)];
    }
    match row.state {
        State::Received | State::Queued => {
            vec![elsewhere(row.id), Event::Arrived(hands.priced(row))]
        }
        State::Running => row.started_at.map_or_else(Vec::new, |at| {
            vec![Event::Started {
                request: row.id,
                call: row.call,
                at,
            }]
        }),
        // A worker has it; if none has, the check after start_by comes back here.
        State::Released => Vec::new(),
        State::Completed | State::Failed | State::Cancelled | State::Expired => vec![elsewhere(row.id)],
    }
}
