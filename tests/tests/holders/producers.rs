//! Producers: each stores its request, and tells the lane, unless it dies in between.

use super::judge::{lane, short};
use super::scenario::Ask;
use super::town::{Place, Town};
use rand::RngCore;
use rand::SeedableRng;
use rand::rngs::StdRng;
use smoother_core::ports::{LaneQueue, NewRequest, PayloadRef, Store};
use smoother_core::request::Fresh;
use smoother_core::scheduler::{Event, Gone, Waiting};
use smoother_core::{Call, Change, Door, Estimate, ModelId, Operation, Request, RequestId, TenantId, Tokens};
use std::sync::PoisonError;
use std::time::Duration;

pub fn request(ask: &Ask, number: u64, place: &Place) -> Request {
    // The id does not say when it came: a producer's clock may be anything.
    let mut random = [0; 10];
    StdRng::seed_from_u64(number).fill_bytes(&mut random);
    let arrived_at = place.clock.now();
    let estimate = Estimate {
        input: Tokens::new(ask.tokens / 2),
        max_output: Tokens::new(ask.tokens - ask.tokens / 2),
        expected_output: Tokens::new(ask.tokens / 4),
    };
    Request {
        priority: ask.priority,
        ..Request::fresh(Fresh {
            id: RequestId::fresh(arrived_at, random),
            tenant: TenantId::new(&format!("t{}", ask.tenant)).expect("a tenant's name"),
            lane: lane(),
            model: ModelId::new("m").expect("a model's id"),
            operation: Operation::Converse,
            door: Door::Job,
            arrived_at,
            body_hash: [1; 32],
            body_bytes: 2,
            estimate,
        })
    }
}

/// One request, as far as its producer brings it.
pub async fn produce(town: Town, ask: Ask, number: u64) {
    let place = town.open();
    let request = request(&ask, number, &place);
    let id = request.id;
    let asked = || town.asked.lock().unwrap_or_else(PoisonError::into_inner);
    asked().insert(id, ask.clone());
    let new = NewRequest {
        request: request.clone(),
        body: PayloadRef::Inline("{}".into()),
    };
    while place.store.insert(new.clone()).await.is_err() {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    town.judge
        .note("stored", &format!("{} of {}", short(id), request.tenant));
    let arrived = Event::Arrived(Waiting::priced(&request, 1));
    if ask.untold || place.teller.send(&lane(), arrived).await.is_err() {
        town.judge.note("untold", &short(id));
    }
    if let Some(after) = ask.called_off {
        tokio::time::sleep(after).await;
        call_off(&town, &place, id).await;
    }
}

/// As the way in does it: of a call under way the lane hears first, and of the cancel then, unless one overtakes the
/// other.
async fn call_off(town: &Town, place: &Place, id: RequestId) {
    let at = place.clock.now();
    // One that is said to have failed is not told, whether it was made or not.
    let Ok(row) = place.store.change(id, Change::Cancel { at }).await else {
        return;
    };
    town.judge.note("cancel", &short(id));
    let calls = place.store.calls(id).await.unwrap_or_default();
    let is_open = |call: &&Call| call.number == row.call && call.settlement.is_none();
    let started = calls.iter().find(is_open).map(|call| Event::Started {
        request: id,
        call: call.number,
        at: call.charged_at,
    });
    let left = Event::Left {
        request: id,
        why: Gone::Cancelled,
    };
    for event in started.into_iter().chain([left]) {
        // What the queue does not take is lost.
        let _ = place.teller.send(&lane(), event).await;
    }
}
