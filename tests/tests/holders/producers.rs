//! Producers: each stores its request, and tells the lane, unless it dies in between.

use super::judge::{lane, short};
use super::scenario::Ask;
use super::town::{Place, Town};
use rand::RngCore;
use rand::SeedableRng;
use rand::rngs::StdRng;
use smoother_core::ports::{LaneQueue, NewRequest, PayloadRef, Store};
use smoother_core::request::Fresh;
use smoother_core::scheduler::{Event, Waiting};
use smoother_core::{Door, Estimate, ModelId, Operation, Request, RequestId, TenantId, Tokens};
use std::sync::PoisonError;
use std::time::Duration;

fn request(ask: &Ask, number: u64, place: &Place) -> Request {
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
    if ask.untold {
        town.judge.note("untold", &short(id));
        return;
    }
    let arrived = Event::Arrived(Waiting::priced(&request, 1));
    if place.teller.send(&lane(), arrived).await.is_err() {
        town.judge.note("untold", &short(id));
    }
}
