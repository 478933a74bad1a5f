//! What ends teach, in the table; and requests that wait get their size.

use super::stand::{Place, dynamodb};
use super::weather::Weather;
use smoother_aws::DynamoOutputs;
use smoother_core::config::Config;
use smoother_core::estimate::{Lesson, OutputKey};
use smoother_core::ports::{
    Clock, LaneQueue, NewRequest, PayloadRef, Pending, QueueError, SharedOutputs, Store,
};
use smoother_core::scheduler::Event;
use smoother_core::{LaneId, Outcome, Request, RequestId, Timestamp, Tokens, Usage};
use smoother_embedded::{OsEntropy, SystemClock};
use smoother_ingest::{Teacher, TeacherPorts};
use smoother_tests::conformance::{id, request};
use std::sync::{Arc, Mutex};
use tokio::task::JoinSet;

const CONFIG: &str = "[lanes.sonnet]\nmodels = [\"us.anthropic.claude-sonnet-4-5-20250929-v1:0\"]\n\
                      region = \"us-east-1\"\ntokens_per_minute = 300000\n";

fn outputs(place: &Place, weather: &Weather) -> DynamoOutputs {
    DynamoOutputs::new(dynamodb(weather), &place.table, Arc::new(OsEntropy))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_lesson_of_many_writers_is_lost_and_few_count_twice_where_answers_are() {
    // A write whose answer is lost is known by its mark, unless another was made on top of it.
    for (weather, most) in [(Weather::default(), 120), (Weather::storm(5), 180)] {
        let place = Place::fresh().await;
        let key = OutputKey::of(&request(0));
        let lesson = Lesson {
            output: Tokens::new(300),
            cut_short: None,
            at: request(0).arrived_at,
            may_be_sized: true,
        };
        let mut writers = JoinSet::new();
        for _ in 0..4 {
            let (outputs, key) = (outputs(&place, &weather), key.clone());
            writers.spawn(async move {
                for _ in 0..10 {
                    outputs.teach(&key, &[lesson; 3]).await.unwrap();
                }
            });
        }
        writers.join_all().await;
        let found = outputs(&place, &weather).read(&[key]).await.unwrap();
        let answers = serde_json::to_value(&found[0].1).unwrap();
        let samples = answers["average"]["samples"].as_u64().unwrap();
        assert!((4 * 10 * 3..=most).contains(&samples), "{answers}");
    }
}

/// What lanes are told.
#[derive(Default)]
struct Told(Mutex<Vec<(LaneId, Event)>>);

impl LaneQueue for Told {
    fn send(&self, lane: &LaneId, event: Event) -> Pending<Result<(), QueueError>> {
        self.0.lock().unwrap().push((lane.clone(), event));
        Box::pin(std::future::ready(Ok(())))
    }
}

impl Told {
    /// Whose size a lane was told, and what they reserve.
    fn resized(&self) -> Vec<(RequestId, Tokens)> {
        let told = self.0.lock().unwrap();
        let mut told: Vec<_> = told
            .iter()
            .map(|(_, event)| match event {
                Event::Resized { request, reserve, .. } => (*request, *reserve),
                other => panic!("{other:?}"),
            })
            .collect();
        told.sort_unstable();
        told
    }
}

/// A request that waits with its caller's own value; it may be sent right-sized if it `agrees`.
fn waits(n: u64, agrees: bool) -> Request {
    let mut row = request(n);
    row.estimate.max_output = Tokens::new(4_096);
    row.right_size = row
        .right_size
        .filter(|_| agrees)
        .map(|size| smoother_core::right_size::RightSize { own: None, ..size });
    row
}

/// One like it that ended with so many tokens.
fn ended(n: u64, output: u64) -> Request {
    let usage = Usage {
        input: Tokens::new(10),
        output: Tokens::new(output),
        ..Usage::default()
    };
    let mut row = waits(n, true);
    row.outcome = Some(Outcome::Answer {
        head: smoother_core::ModelHead::default(),
        usage: Some(usage),
        bytes: 6,
    });
    row
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_that_wait_get_their_size_when_enough_has_been_learned() {
    let (place, calm) = (Place::fresh().await, Weather::default());
    let store = place.store(&calm);
    for n in 0..300 {
        let mut row = waits(n, n % 10 != 0);
        if n % 10 == 1 {
            row.tenant = smoother_core::TenantId::new("other").unwrap();
        }
        let body = PayloadRef::Inline("{}".into());
        store.insert(NewRequest { request: row, body }).await.unwrap();
    }
    let (told, clock) = (
        Arc::new(Told::default()),
        Arc::new(SystemClock::new(Timestamp::EPOCH)),
    );
    let ports = TeacherPorts {
        store: Arc::new(store.clone()),
        lanes: told.clone(),
        waiting: Arc::new(place.hold(&calm)),
        outputs: Arc::new(outputs(&place, &calm)),
        clock: clock.clone(),
    };
    let process = || {
        Teacher::new(
            ports.clone(),
            Config::load(Some(("smoother.toml", CONFIG)), []).unwrap(),
        )
    };
    let teacher = process();
    let in_an_hour = || clock.now() + smoother_core::Millis::from_secs(3_600);
    let key = [OutputKey::of(&waits(0, true))];
    (1_000..1_031).for_each(|n| teacher.ended(&ended(n, 10)));
    teacher.hand_on(clock.now()).await;
    let known = || async { ports.outputs.read(&key).await.unwrap() };
    assert!(known().await.is_empty(), "there was no time");
    teacher.hand_on(in_an_hour()).await;
    assert_eq!(known().await.len(), 1);
    assert!(told.resized().is_empty(), "31 answers tell no size");
    // The rest comes to another process.
    let other = process();
    (2_000..2_033).for_each(|n| other.ended(&ended(n, 10)));
    // What there is no time for goes on with the next ends.
    for _ in 0..100 {
        other.hand_on(in_an_hour()).await;
        if store.get(id(299)).await.unwrap().unwrap().is_right_sized() {
            break;
        }
    }

    let resized = told.resized();
    let agreed: Vec<u64> = (0..300).filter(|n| n % 10 > 1).collect();
    assert!(
        resized.len() >= 224 && resized.len() < agreed.len(),
        "of the first 256 or so the lane hears"
    );
    for n in 0..300 {
        let row = store.get(id(n)).await.unwrap().unwrap();
        assert_eq!(row.is_right_sized(), n % 10 > 1, "request {n}");
        if row.is_right_sized() {
            assert_eq!(
                (row.estimate.max_output, row.own_max_output()),
                (Tokens::new(64), Tokens::new(4_096))
            );
        }
        if let Ok(at) = resized.binary_search_by_key(&row.id, |(id, _)| *id) {
            assert_eq!(resized[at].1, row.estimate.reserve(5));
        }
    }
}
