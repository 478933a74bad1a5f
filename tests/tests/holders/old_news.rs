//! News of an arrival that come when its request has left: they count for nothing, and nobody makes room for it.

use super::holders::ports;
use super::judge::lane;
use super::producers::request;
use super::scenario::Scenario;
use super::town::{Place, Town};
use smoother_core::breaker::Hand;
use smoother_core::config::Bound;
use smoother_core::ports::{LaneQueue, NewRequest, PayloadRef, Store};
use smoother_core::scheduler::{Event, Gone, Waiting};
use smoother_core::{Change, Priority, Request, RequestId, State};
use smoother_prioritizer::hold;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// As many as may wait in the lane, and do from the beginning.
const MOST: u64 = 2;

/// A lane in which nobody goes, because its breaker is held open, and somebody who brings it requests.
struct Stage {
    town: Town,
    producer: Place,
    asked: u64,
}

impl Stage {
    async fn new() -> Self {
        let scenario = Scenario {
            doubled: 0,
            longest_lag: Duration::ZERO,
            ..Scenario::of(0)
        };
        let (calls, _called) = tokio::sync::mpsc::unbounded_channel();
        let mut town = Town::new(&scenario, None, calls);
        let limits = &mut Arc::make_mut(&mut town.config).limits;
        limits.shed = true;
        limits.lane = Bound {
            requests: Some(MOST),
            tokens: None,
        };
        let producer = town.open();
        let mut stage = Self {
            town,
            producer,
            asked: 0,
        };
        stage.tell(Event::Breaker(Some(Hand::Open))).await;
        // Whoever holds the lane next knows it from the first.
        stage.held().await;
        for _ in 0..MOST {
            let row = stage.stored(Priority::Batch).await;
            stage.tell_of(&row).await;
        }
        stage
    }

    async fn stored(&mut self, priority: Priority) -> Request {
        self.asked += 1;
        let mut ask = self.town.scenario.asks[0].clone();
        ask.priority = priority;
        let row = request(&ask, self.asked, &self.producer);
        let new = NewRequest {
            request: row.clone(),
            body: PayloadRef::Inline("{}".into()),
        };
        self.producer.store.insert(new).await.unwrap();
        row
    }

    async fn tell(&self, event: Event) {
        self.producer.teller.send(&lane(), event).await.unwrap();
    }

    async fn tell_of(&self, row: &Request) {
        self.tell(Event::Arrived(Waiting::priced(row, 1))).await;
    }

    async fn call_off(&self, id: RequestId) {
        let at = self.producer.clock.now();
        self.producer
            .store
            .change(id, Change::Cancel { at })
            .await
            .unwrap();
    }

    async fn tell_of_the_leaving(&self, id: RequestId) {
        let why = Gone::Cancelled;
        self.tell(Event::Left { request: id, why }).await;
    }

    /// Somebody is given everything that is in the lane's queue, and dies with it.
    async fn given_to_one_that_dies(&self) {
        let queue = self.town.post.lane(&lane()).unwrap();
        while !queue.receive(Duration::ZERO).await.is_empty() {}
    }

    /// The lane is held as long as all of its queue takes to come again, and half a minute.
    async fn held(&self) {
        let place = self.town.open();
        let config = self.town.config.clone();
        let until = Instant::now() + Duration::from_secs(60);
        let ports = ports(&self.town, &place, CancellationToken::new());
        hold(&config, &config.lanes[&lane()], ports, "h", until)
            .await
            .unwrap();
        assert!(self.town.post.lane(&lane()).unwrap().is_empty(), "all is heard");
    }

    /// How many wait by what the holder says, and how many have failed.
    fn waiting_and_failed(&self) -> (u64, usize) {
        let waiting = self.town.world.report(&lane()).unwrap().view.waiting;
        let rows = self.town.world.rows();
        let failed = rows.iter().filter(|row| row.state == State::Failed).count();
        (waiting.values().map(|band| band.requests).sum(), failed)
    }
}

#[tokio::test(start_paused = true)]
async fn of_one_that_has_left_since_it_was_first_told() {
    let mut stage = Stage::new().await;
    let urgent = stage.stored(Priority::Interactive).await;
    stage.tell_of(&urgent).await;
    stage.given_to_one_that_dies().await;
    stage.call_off(urgent.id).await;
    stage.tell_of_the_leaving(urgent.id).await;
    stage.held().await;
    assert_eq!(stage.waiting_and_failed(), (MOST, 0));
}

#[tokio::test(start_paused = true)]
async fn of_one_whose_leaving_is_told_first() {
    let mut stage = Stage::new().await;
    let urgent = stage.stored(Priority::Interactive).await;
    stage.call_off(urgent.id).await;
    stage.tell_of_the_leaving(urgent.id).await;
    stage.tell_of(&urgent).await;
    stage.held().await;
    assert_eq!(stage.waiting_and_failed(), (MOST, 0));
}

#[tokio::test(start_paused = true)]
async fn of_one_whose_leaving_is_not_told() {
    let mut stage = Stage::new().await;
    let urgent = stage.stored(Priority::Interactive).await;
    stage.call_off(urgent.id).await;
    stage.tell_of(&urgent).await;
    stage.held().await;
    assert_eq!(stage.waiting_and_failed(), (MOST, 0));
}

#[tokio::test(start_paused = true)]
async fn for_one_that_waits_room_is_made_however_often_it_is_told() {
    let mut stage = Stage::new().await;
    let urgent = stage.stored(Priority::Interactive).await;
    stage.tell_of(&urgent).await;
    stage.given_to_one_that_dies().await;
    stage.tell_of(&urgent).await;
    stage.held().await;
    assert_eq!(stage.waiting_and_failed(), (MOST, 1));
}
