//! Bringing the scheduler back in line with a request's row.
//!
//! The scheduler believes what it was told; messages get lost, writes are refused, workers die. Wherever that
//! shows, the row is read and the scheduler is told what it says.

use crate::carry_out::{FAILED_STORE_PAUSE, Hands, elsewhere};
use crate::leave;
use smoother_core::breaker::CallHealth;
use smoother_core::ports::{ChangeError, StoreError};
use smoother_core::scheduler::{Again, Event};
use smoother_core::{CallNo, Change, Request, RequestId, Settlement, State, Tokens};

/// What the row says, whatever the scheduler believed.
///
/// The scheduler may have forgotten the request already, so a store that fails is asked until it answers: nobody
/// else would ask before the next start.
pub(crate) async fn reread(hands: &Hands, id: RequestId) -> Vec<Event> {
    loop {
        let error = match hands.ports.store.get(id).await {
            Ok(Some(row)) => return as_stored(hands, &row).await,
            Ok(None) => return vec![elsewhere(id)],
            Err(error) => error,
        };
        tracing::error!(lane = %hands.lane, request = %id, %error, "a row could not be read");
        if matches!(error, StoreError::Damaged(_) | StoreError::Closed) {
            return Vec::new();
        }
        tokio::time::sleep(FAILED_STORE_PAUSE).await;
    }
}

/// A release nobody was heard to claim: its row decides whether the reservation may be freed.
pub(crate) async fn check(hands: &Hands, id: RequestId, call: CallNo) -> Vec<Event> {
    let row = match hands.ports.store.get(id).await {
        Ok(Some(row)) => row,
        Ok(None) => return vec![elsewhere(id)],
        Err(error) => {
            tracing::error!(lane = %hands.lane, request = %id, %error, "a release could not be checked");
            return Vec::new();
        }
    };
    if row.state != State::Released || row.call != call {
        return as_stored(hands, &row).await;
    }
    let lapse = Change::Lapse {
        call,
        at: hands.ports.clock.now(),
    };
    match hands.ports.store.change(id, lapse).await {
        Ok(_) => {
            tracing::warn!(lane = %hands.lane, request = %id, %call, "a release was never claimed; it waits again");
            vec![Event::Lapsed { request: id, call }]
        }
        // Claimed or cancelled between the reading and the writing.
        Err(ChangeError::Refused(_) | ChangeError::NotFound(_)) => Box::pin(reread(hands, id)).await,
        Err(ChangeError::Store(error)) => {
            tracing::error!(lane = %hands.lane, request = %id, %error, "a release could not be taken back");
            Vec::new()
        }
    }
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
