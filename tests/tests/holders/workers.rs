//! Workers: each claims what is released, calls, settles, and tells the lane; some are lost on the way.

use super::judge::{Key, lane, short};
use super::town::{Place, Town};
use smoother_core::breaker::CallHealth;
use smoother_core::ports::{ChangeError, LaneQueue, Released, Store};
use smoother_core::scheduler::{Again, Event, Waiting};
use smoother_core::{
    CallEnding, Change, Millis, ModelErrorKind, ModelHead, Outcome, Refused, Request, Settlement, State,
    Tokens,
};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// How often a store that fails is offered a call's end.
const OFFER_EVERY: Duration = Duration::from_millis(700);

/// How long a worker's process lives.
const LIFE: Duration = Duration::from_secs(300);

/// One worker's process after the other, each by a clock of its own: where all clocks of workers were minutes ahead of
/// the holders' for ever, they would come too late to every release.
pub async fn work(town: Town) {
    loop {
        live(&town, Arc::new(town.open())).await;
    }
}

async fn live(town: &Town, place: Arc<Place>) {
    let until = Instant::now() + LIFE;
    while Instant::now() < until {
        for taken in town.post.dispatch.receive(Duration::from_secs(20)).await {
            let (town, place) = (town.clone(), Arc::clone(&place));
            tokio::spawn(async move {
                take(&town, &place, taken.message).await;
                town.post.dispatch.done(&[taken.receipt]);
            });
        }
    }
}

async fn tell(place: &Place, event: Event) {
    // What the queue does not take is lost, as with a worker that dies.
    let _ = place.teller.send(&lane(), event).await;
}

async fn take(town: &Town, place: &Place, released: Released) {
    let late = town.is_storm() && town.draws(1, 40);
    town.after(1, if late { 30_000 } else { 80 }).await;
    let (request, call) = (released.request, released.call);
    let at = place.clock.now();
    match place.store.change(request, Change::Claim { call, at }).await {
        Ok(row) => make(town, place, &row).await,
        Err(ChangeError::Refused(Refused::Late { .. })) => {
            town.judge.note("late", &short(request));
            tell(place, Event::Unclaimed { request, call }).await;
        }
        // Not ours; or nobody knows, and then nobody calls.
        Err(_) => {}
    }
}

async fn make(town: &Town, place: &Place, row: &Request) {
    let key: Key = (row.id, row.call);
    let (request, call) = key;
    let Some(ask) = town.ask(row.id) else { return };
    let reserved = row.reserved.get();
    town.judge.starts(key, reserved);
    let at = row.started_at.unwrap_or(place.clock.now());
    tell(place, Event::Started { request, call, at }).await;
    tokio::time::sleep(ask.lasts).await;
    if ask.lost && row.calls_made == 1 {
        // The call goes on to its end; whoever made it is gone.
        town.judge.note("lost", &short(request));
        town.judge.ends(key, None);
        return;
    }
    let fails = ask.fails_once && row.calls_made == 1;
    let cost = if fails { 0 } else { reserved * ask.costs / 100 };
    town.judge.ends(key, Some(cost));
    let not_before = place.clock.now() + Millis::new(400);
    let change = if fails {
        Change::Requeue {
            call,
            not_before,
            throttle: None,
            error: Some(ModelErrorKind::Cut),
            spends_try: true,
        }
    } else {
        Change::Complete {
            call,
            answer: Outcome::Answer {
                head: ModelHead::default(),
                usage: None,
                bytes: 0,
            },
            first_output_at: None,
            at: place.clock.now(),
        }
    };
    let settlement = Settlement {
        call,
        ending: if fails {
            CallEnding::Failed
        } else {
            CallEnding::Completed
        },
        charged: Tokens::new(cost),
        usage: None,
        throttle: None,
        error: None,
        upstream_request_id: None,
        at: place.clock.now(),
    };
    let again = if fails {
        Again::Retry(not_before)
    } else {
        Again::No
    };
    settle(place, settlement, change, again, row).await;
}

/// Stores a call's end, whatever it takes, and tells the lane.
async fn settle(place: &Place, settlement: Settlement, change: Change, again: Again, row: &Request) {
    let (request, call, charged) = (row.id, row.call, settlement.charged);
    let stored = loop {
        let end = place
            .store
            .end(request, settlement.clone(), Some(change.clone()), None)
            .await;
        match end {
            Ok(report) => break report.request,
            Err(_) => tokio::time::sleep(OFFER_EVERY).await,
        }
    };
    // Refused, it may have been stored by an offer that was said to have failed.
    let again = if stored.is_ok() { again } else { Again::No };
    let ended = Event::Ended {
        request,
        call,
        charged,
        throttle: None,
        again,
        health: CallHealth::Fine,
        at: settlement.at,
    };
    tell(place, ended).await;
    if stored.is_err()
        && let Ok(Some(row)) = place.store.get(request).await
        && row.state == State::Queued
    {
        tell(place, Event::Arrived(Waiting::priced(&row, 1))).await;
    }
}
