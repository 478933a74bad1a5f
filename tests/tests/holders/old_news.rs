//! News of an arrival that come when its request has left: they count for nothing, and nobody makes room for it.

use super::holders::ports;
use super::judge::lane;
use super::producers::request;
use super::scenario::Scenario;
use super::town::{Place, Town};
use smoother_core::breaker::{CallHealth, Hand};
use smoother_core::config::Bound;
use smoother_core::ports::{LaneQueue, NewRequest, PayloadRef, Store};
use smoother_core::scheduler::{Again, Event, Gone, Waiting};
use smoother_core::{Change, Priority, Request, RequestId, State, Tokens};
use smoother_prioritizer::hold;
use smoother_tests::memory::{Fate, Point, Touched};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// As many wait in the lane from the beginning.
const WAIT: u64 = 2;
/// A bound that leaves nobody else room, and one that does.
const FULL: u64 = WAIT;
const ROOMY: u64 = 10;

/// A lane in which nobody goes, because its breaker is held open, and somebody who brings it requests.
struct Stage {
    town: Town,
    producer: Place,
    asked: u64,
}

impl Stage {
    async fn new(most: u64) -> Self {
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
            requests: Some(most),
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
        for _ in 0..WAIT {
            let row = stage.stored(Priority::Batch).await;
            stage.tell_of(&row).await;
        }
        stage
    }

    /// To read a row takes so long.
    fn rows_take(&self, long: Duration) {
        self.town.world.plan(move |point: &Point, _| match point.touched {
            Touched::Get => Fate::Delay(long),
            _ => Fate::Proceed,
        });
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

    async fn held(&self) {
        held(self.town.clone(), self.town.open()).await;
    }

    /// How many wait by what the holder says, and how many have failed.
    fn waiting_and_failed(&self) -> (u64, usize) {
        let waiting = self.town.world.report(&lane()).unwrap().view.waiting;
        let rows = self.town.world.rows();
        let failed = rows.iter().filter(|row| row.state == State::Failed).count();
        (waiting.values().map(|band| band.requests).sum(), failed)
    }
}

/// The lane is held as long as all of its queue takes to come again, and half a minute.
async fn held(town: Town, place: Place) {
    held_for(60, town, place).await;
}

async fn held_for(seconds: u64, town: Town, place: Place) {
    let config = town.config.clone();
    let until = Instant::now() + Duration::from_secs(seconds);
    let ports = ports(&town, &place, CancellationToken::new());
    hold(&config, &config.lanes[&lane()], ports, "h", until)
        .await
        .unwrap();
    assert!(town.post.lane(&lane()).unwrap().is_empty(), "all is heard");
}

#[tokio::test(start_paused = true)]
async fn of_one_that_was_told_before() {
    for most in [FULL, ROOMY] {
        let mut stage = Stage::new(most).await;
        let urgent = stage.stored(Priority::Interactive).await;
        stage.tell_of(&urgent).await;
        stage.given_to_one_that_dies().await;
        stage.call_off(urgent.id).await;
        stage.held().await;
        assert_eq!(stage.waiting_and_failed(), (WAIT, 0), "{most} may wait");
    }
}

#[tokio::test(start_paused = true)]
async fn of_one_whose_leaving_is_told_first() {
    for most in [FULL, ROOMY] {
        let mut stage = Stage::new(most).await;
        let urgent = stage.stored(Priority::Interactive).await;
        stage.call_off(urgent.id).await;
        stage.tell_of_the_leaving(urgent.id).await;
        stage.tell_of(&urgent).await;
        stage.held().await;
        assert_eq!(stage.waiting_and_failed(), (WAIT, 0), "{most} may wait");
    }
}

#[tokio::test(start_paused = true)]
async fn of_one_whose_end_is_told_first() {
    let mut stage = Stage::new(ROOMY).await;
    let urgent = stage.stored(Priority::Interactive).await;
    stage.call_off(urgent.id).await;
    let ended = Event::Ended {
        request: urgent.id,
        call: urgent.call.next(),
        charged: Tokens::ZERO,
        throttle: None,
        again: Again::No,
        health: CallHealth::Unknown,
        at: stage.producer.clock.now(),
    };
    stage.tell(ended).await;
    stage.tell_of(&urgent).await;
    stage.held().await;
    assert_eq!(stage.waiting_and_failed(), (WAIT, 0));
}

#[tokio::test(start_paused = true)]
async fn of_one_whose_leaving_is_not_told_nobody_is_to_make_room() {
    let mut stage = Stage::new(FULL).await;
    let urgent = stage.stored(Priority::Interactive).await;
    stage.call_off(urgent.id).await;
    stage.tell_of(&urgent).await;
    stage.held().await;
    assert_eq!(stage.waiting_and_failed(), (WAIT, 0));
}

/// Nobody tells of its arrival; the index shows it for longer than it waits.
#[tokio::test(start_paused = true)]
async fn of_an_index_that_lags() {
    // It is read 10 s, 20 s and 30 s after the lane was taken.
    for left_after in [12, 18] {
        let mut stage = Stage::new(ROOMY).await;
        let stays = stage.stored(Priority::Batch).await;
        stage.tell_of(&stays).await;
        let holds = held(stage.town.clone(), stage.town.open());
        let goes = async {
            tokio::time::sleep(Duration::from_secs(left_after - 1)).await;
            let urgent = stage.stored(Priority::Interactive).await;
            tokio::time::sleep(Duration::from_secs(1)).await;
            stage.town.world.lag(Duration::from_secs(600));
            stage.call_off(urgent.id).await;
            stage.tell_of_the_leaving(urgent.id).await;
        };
        tokio::join!(goes, holds);
        assert_eq!(stage.waiting_and_failed(), (WAIT + 1, 0), "after {left_after} s");
    }
}

#[tokio::test(start_paused = true)]
async fn for_one_that_waits_room_is_made_however_often_it_is_told() {
    let mut stage = Stage::new(FULL).await;
    let urgent = stage.stored(Priority::Interactive).await;
    stage.tell_of(&urgent).await;
    stage.given_to_one_that_dies().await;
    stage.tell_of(&urgent).await;
    stage.held().await;
    assert_eq!(stage.waiting_and_failed(), (WAIT, 1));
}

/// The news of its leaving come while its row is being read, and before that says so: it is read again.
#[tokio::test(start_paused = true)]
async fn of_one_that_leaves_while_its_row_is_read() {
    let mut stage = Stage::new(FULL).await;
    stage.rows_take(Duration::from_secs(10));
    let holds = held(stage.town.clone(), stage.town.open());
    let news = async {
        let urgent = stage.stored(Priority::Interactive).await;
        stage.tell_of(&urgent).await;
        tokio::time::sleep(Duration::from_secs(5)).await;
        stage.tell_of_the_leaving(urgent.id).await;
        tokio::time::sleep(Duration::from_secs(10)).await;
        stage.call_off(urgent.id).await;
    };
    tokio::join!(news, holds);
    assert_eq!(stage.waiting_and_failed(), (WAIT, 0));
}

/// The lane is to be left by the end of a minute, and begins to be after 42 s; its row has been read after 59.
#[tokio::test(start_paused = true)]
async fn a_lane_is_left_when_what_is_doubted_was_read() {
    let mut stage = Stage::new(FULL).await;
    stage.rows_take(Duration::from_secs(10));
    let holds = held(stage.town.clone(), stage.town.open());
    let news = async {
        tokio::time::sleep(Duration::from_secs(49)).await;
        let urgent = stage.stored(Priority::Interactive).await;
        stage.tell_of(&urgent).await;
    };
    tokio::join!(news, holds);
    assert_eq!(stage.waiting_and_failed(), (WAIT, 1));
}

/// The lane has given it up itself, and the index still shows it a minute after its tenant was read.
#[tokio::test(start_paused = true)]
async fn of_one_that_was_given_up() {
    let mut stage = Stage::new(FULL).await;
    let holds = held_for(100, stage.town.clone(), stage.town.open());
    let news = async {
        tokio::time::sleep(Duration::from_secs(45)).await;
        stage.town.world.lag(Duration::from_secs(600));
        let urgent = stage.stored(Priority::Interactive).await;
        stage.tell_of(&urgent).await;
    };
    tokio::join!(news, holds);
    assert_eq!(stage.waiting_and_failed(), (WAIT, 1));
}
