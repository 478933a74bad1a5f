//! Lanes, models, health and metrics.

use super::world::{MODEL, World, job, view};
use http::StatusCode;
use metrics::{Counter, Gauge, Histogram, Key, KeyName, Metadata, Recorder, SharedString, Unit};
use smoother_core::breaker::Phase;
use smoother_core::metrics::{
    BREAKER_OPENED, BREAKER_STATE, DEAD_LETTERS_NOW, OLDEST_SECONDS, QUOTA_LIMIT, QUOTA_USED,
    RETRIES_PUT_OFF, RUNNING, SENT_ON, WAITING,
};
use smoother_core::ports::LetterCount;
use smoother_core::{RequestId, State};
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

#[tokio::test]
async fn a_lane_shows_its_scheduler_and_what_it_serves() {
    let world = World::new();
    world.views.views.lock().unwrap().insert(view().lane, view());
    let list = world.get("/v1/lanes").await.json();
    assert_eq!(list["lanes"].as_array().unwrap().len(), 1);
    let lane = world.get("/v1/lanes/sonnet").await.json();
    assert_eq!(lane, list["lanes"][0]);
    assert_eq!(lane["lane"], "sonnet");
    assert_eq!(lane["at"], "2026-01-01T00:00:10.000Z");
    assert_eq!(lane["tokens"]["free"], 49_000);
    assert_eq!(lane["waiting"]["batch"]["oldest_ms"], 1_500);
    assert_eq!(lane["throttles"]["tokens"], 3);
    assert_eq!(lane["models"][0], MODEL);
    let unknown = world.get("/v1/lanes/opus").await;
    assert_eq!(unknown.status, StatusCode::NOT_FOUND);
    assert!(unknown.json()["detail"].as_str().unwrap().contains("sonnet"));
}

#[tokio::test]
async fn models_lead_to_lanes() {
    let world = World::new();
    let models = world.get("/v1/models").await.json();
    assert_eq!(models["models"].as_array().unwrap().len(), 2);
    assert_eq!(models["models"][0]["id"], MODEL);
    assert_eq!(models["models"][1]["lane"], "sonnet");
    assert_eq!(models["models"][1]["requests_per_minute"], 600);
    assert_eq!(models["models"][1]["standby"], false);
    let mut spare = world.results.lanes()[0].clone();
    spare.fallback.standby = true;
    world.results.reconfigure(vec![spare], false);
    let models = world.get("/v1/models").await.json();
    assert_eq!(models["models"][0]["standby"], true);
}

#[tokio::test]
async fn other_lanes_are_shown_from_then_on_and_a_former_one_while_something_is_in_it() {
    let world = World::new();
    world.views.views.lock().unwrap().insert(view().lane, view());
    let mut other = world.results.lanes()[0].clone();
    other.id = smoother_core::LaneId::new("other").unwrap();
    world.results.reconfigure(vec![other], false);
    let models = world.get("/v1/models").await.json();
    assert_eq!(models["models"][0]["lane"], "other");
    let lanes = world.get("/v1/lanes").await.json();
    assert_eq!(lanes["lanes"][0]["lane"], "sonnet", "there is work in it");

    let mut done = view();
    done.waiting.clear();
    (done.running, done.released) = (0, 0);
    world.views.views.lock().unwrap().insert(view().lane, done);
    let lanes = world.get("/v1/lanes").await.json();
    assert!(lanes["lanes"].as_array().unwrap().is_empty(), "{lanes}");
}

#[tokio::test]
async fn health_is_about_the_process_and_readiness_about_work() {
    let world = World::new();
    *world.rows.broken.lock().unwrap() = Some(smoother_core::ports::StoreError::Closed);
    assert_eq!(world.get("/healthz").await.status, StatusCode::OK);
    assert_eq!(world.get("/readyz").await.status, StatusCode::OK);
    world.ready.store(false, Ordering::Relaxed);
    let answer = world.get("/readyz").await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(answer.bytes, "not ready: draining\n");
    assert_eq!(world.get("/healthz").await.status, StatusCode::OK);
}

#[test]
fn a_scrape_sets_the_gauges_of_every_lane() {
    let recorder = Gauges::default();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let world = World::new();
    let mut lane = view();
    lane.breaker.state = Phase::Open;
    lane.breaker.opened = 3;
    world.views.views.lock().unwrap().insert(view().lane, lane);
    let answer = metrics::with_local_recorder(&recorder, || runtime.block_on(world.get("/metrics")));
    assert_eq!(answer.bytes, "# metrics\n");
    assert_eq!(recorder.get(WAITING, "batch"), Some(7.0));
    assert_eq!(recorder.get(WAITING, "interactive"), Some(0.0));
    assert_eq!(recorder.get(OLDEST_SECONDS, "batch"), Some(1.5));
    assert_eq!(recorder.get(RUNNING, ""), Some(2.0));
    assert_eq!(recorder.get(QUOTA_USED, ""), Some(1_000.0));
    assert_eq!(recorder.get(QUOTA_LIMIT, ""), Some(300_000.0));
    assert_eq!(recorder.get(BREAKER_STATE, ""), Some(2.0));
    for (name, count) in [(BREAKER_OPENED, 3), (RETRIES_PUT_OFF, 4), (SENT_ON, 5)] {
        assert_eq!(recorder.counted(name), Some(count), "{name}");
    }
}

#[test]
fn a_scrape_counts_the_dead_letters_of_each_lane_down_to_none() {
    let recorder = Gauges::default();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let world = World::new();
    world.views.views.lock().unwrap().insert(view().lane, view());
    let scraped = || {
        let answer = metrics::with_local_recorder(&recorder, || runtime.block_on(world.get("/metrics")));
        assert_eq!(answer.status, StatusCode::OK);
        ["sonnet", "former"].map(|lane| recorder.of_lane(DEAD_LETTERS_NOW, lane))
    };
    assert_eq!(scraped(), [Some(0.0), None]);
    for n in 1..=3 {
        let mut row = job(n);
        (row.state, row.dead) = (State::Failed, true);
        if n == 3 {
            row.lane = smoother_core::LaneId::new("former").unwrap();
        }
        world.rows.put(row);
    }
    world.rows.put(job(4));
    assert_eq!(scraped(), [Some(2.0), Some(1.0)]);
    for n in 2..=3 {
        world.rows.put(job(n));
    }
    assert_eq!(
        scraped(),
        [Some(1.0), Some(0.0)],
        "one that was shown falls to none"
    );
    *world.rows.broken.lock().unwrap() = Some(smoother_core::ports::StoreError::Closed);
    assert_eq!(
        scraped(),
        [Some(1.0), Some(0.0)],
        "a store that is away fails no scrape"
    );
}

#[test]
fn a_scrape_reads_a_bounded_part_of_the_dead_letters_and_says_at_least_so_many() {
    let recorder = Gauges::default();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let world = World::new();
    let scraped = || {
        let answer = metrics::with_local_recorder(&recorder, || runtime.block_on(world.get("/metrics")));
        assert_eq!(answer.status, StatusCode::OK);
        ["sonnet", "former"].map(|lane| recorder.of_lane(DEAD_LETTERS_NOW, lane))
    };
    let put = |n: usize, lane: &str, dead: bool| {
        let mut row = job(0);
        row.id = RequestId::from_bytes((n as u128).to_be_bytes());
        (row.state, row.dead) = (State::Failed, dead);
        row.lane = smoother_core::LaneId::new(lane).unwrap();
        world.rows.put(row);
    };
    // The oldest is of another lane.
    put(0, "former", true);
    for n in 1..LetterCount::AT_MOST {
        put(n, "sonnet", true);
    }
    let most = LetterCount::AT_MOST as f64;
    assert_eq!(scraped(), [Some(most - 1.0), Some(1.0)], "all of them");
    for n in [LetterCount::AT_MOST, LetterCount::AT_MOST + 1] {
        put(n, "sonnet", true);
    }
    assert_eq!(
        scraped(),
        [Some(most), Some(1.0)],
        "one that is not counted any more has not gone"
    );
    for n in 0..LetterCount::AT_MOST {
        put(n, "sonnet", false);
    }
    assert_eq!(scraped(), [Some(2.0), Some(0.0)], "all of them again");
}

/// Gauges and counters by name, and by priority or lane.
#[derive(Default)]
struct Gauges(Mutex<HashMap<[String; 3], Arc<AtomicU64>>>);

impl Gauges {
    fn counted(&self, name: &str) -> Option<u64> {
        let key = [name, "", "sonnet"].map(str::to_owned);
        let count = Arc::clone(self.0.lock().unwrap().get(&key)?);
        Some(count.load(Ordering::Relaxed))
    }

    fn place(&self, key: &Key) -> Arc<AtomicU64> {
        let label = |name| key.labels().find(|l| l.key() == name).map_or("", |l| l.value());
        let key = [key.name(), label("priority"), label("lane")].map(str::to_owned);
        Arc::clone(self.0.lock().unwrap().entry(key).or_default())
    }

    fn get(&self, name: &str, priority: &str) -> Option<f64> {
        self.level([name, priority, "sonnet"])
    }

    fn of_lane(&self, name: &str, lane: &str) -> Option<f64> {
        self.level([name, "", lane])
    }

    fn level(&self, key: [&str; 3]) -> Option<f64> {
        let level = Arc::clone(self.0.lock().unwrap().get(&key.map(str::to_owned))?);
        Some(f64::from_bits(level.load(Ordering::Relaxed)))
    }
}

impl Recorder for Gauges {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        Counter::from_arc(self.place(key))
    }
    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::from_arc(self.place(key))
    }
    fn register_histogram(&self, _: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::noop()
    }
}
