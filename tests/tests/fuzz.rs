//! The corpus of every target and some seconds of mutations of it; `make fuzz` does the same for long. A fault is
//! shrunk and kept in `tests/fuzz-corpus`. `FUZZ_SEED` repeats a run.
#![allow(clippy::unwrap_used)]
#![allow(
    clippy::print_stdout,
    reason = "the figures of a run are shown with --nocapture"
)]

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use rand::rngs::StdRng;
use smoother_core::ports::BoxFuture;
use smoother_tests::fuzz::guard::Bounds;
use smoother_tests::fuzz::run::{Budget, Campaign, Outcome};
use smoother_tests::fuzz::targets::batch::Batches;
use smoother_tests::fuzz::targets::calls::Calls;
use smoother_tests::fuzz::targets::config::Configs;
use smoother_tests::fuzz::targets::doors::Doors;
use smoother_tests::fuzz::targets::operator::Operator;
use smoother_tests::fuzz::targets::script::Scripts;
use smoother_tests::fuzz::targets::store::Stores;
use smoother_tests::fuzz::targets::upstream::Frames;
use smoother_tests::fuzz::trial::Plan;
use smoother_tests::fuzz::{Fault, Kind, Target, Verdict, corpus, mutate, report, words};
use smoother_tests::memory::{Fate, Touched};
use tokio::sync::Mutex;

/// With eight targets, some twenty seconds in all.
const LONGEST: Duration = Duration::from_millis(2_000);

fn seed() -> u64 {
    std::env::var("FUZZ_SEED").map_or_else(|_| rand::random_range(0..1_000_000), |seed| seed.parse().unwrap())
}

/// One at a time: a campaign watches the whole process, and a test that fails panics.
static ALONE: Mutex<()> = Mutex::const_new(());

async fn holds<T: Target + 'static>(opening: impl Future<Output = anyhow::Result<T>>) -> Outcome {
    let _alone = ALONE.lock().await;
    let target = Arc::new(opening.await.unwrap());
    let campaign = Campaign {
        bounds: Bounds::default(),
        seed: seed(),
        budget: Budget::Both(4_000, LONGEST),
        home: corpus::home(),
        keep: true,
    };
    let outcome = campaign.run(target).await.unwrap();
    println!("{}", report::line(&outcome));
    assert!(outcome.findings.is_empty(), "{}", outcome.shown());
    // A campaign that only refuses, or only accepts, has shown half of it.
    assert!(outcome.accepted > 0 && outcome.refused > 0, "{outcome:?}");
    outcome
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn doors() {
    holds(Doors::open()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_from_upstream() {
    holds(Frames::open()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_from_upstream_through_everything() {
    holds(Calls::open()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_operators_doors() {
    holds(Operator::open()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn configurations() {
    holds(async { Ok(Configs) }).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn scripts_of_the_simulator() {
    holds(async { Ok(Scripts) }).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lines_of_a_batch() {
    let programs = Path::new(env!("CARGO_BIN_EXE_fuzz")).parent().unwrap();
    holds(Batches::open(programs)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn data_directories() {
    holds(Stores::open()).await;
}

/// What a planted fault does where a body holds half of a pair of surrogates.
#[derive(Clone, Copy)]
enum Plant {
    Panic,
    PanicElsewhere,
    Echo,
    Fails,
}

/// The real doors, and a fault that only few inputs meet.
struct Planted {
    doors: Doors,
    plant: Plant,
}

impl Target for Planted {
    fn name(&self) -> &'static str {
        "doors"
    }

    fn mutate(&self, chance: &mut StdRng, input: &mut Vec<u8>, other: &[u8]) {
        self.doors.mutate(chance, input, other);
    }

    fn feed(&self, input: Bytes) -> BoxFuture<'static, Result<Verdict, Fault>> {
        let body = mutate::http::Parts::of(&input).body;
        let met = body.windows(6).any(|piece| piece == b"\\ud800");
        let plant = self.plant;
        let real = self.doors.feed(input.clone());
        Box::pin(async move {
            if !met {
                return real.await;
            }
            match plant {
                Plant::Panic => panic!("half a pair"),
                Plant::PanicElsewhere => {
                    drop(tokio::spawn(async { panic!("half a pair, on a task of its own") }).await);
                    real.await
                }
                Plant::Echo => {
                    let said = format!("cannot read {}", String::from_utf8_lossy(&body));
                    words::judge(&said, &input).map(|()| Verdict::Refused)
                }
                Plant::Fails => Err(Fault::new(Kind::ServerError, "500")),
            }
        })
    }
}

/// Runs until the planted fault is found; its input is kept, and found at once by the next run.
async fn bites(plant: Plant, kind: Kind) {
    let _alone = ALONE.lock().await;
    let doors = Doors::open().await.unwrap();
    let target: Arc<dyn Target> = Arc::new(Planted { doors, plant });
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("doors");
    std::fs::create_dir(&folder).unwrap();
    std::fs::copy(corpus::home().join("doors/converse"), folder.join("converse")).unwrap();
    let mut campaign = Campaign {
        bounds: Bounds::default(),
        seed: seed(),
        budget: Budget::Both(20_000, Duration::from_secs(120)),
        home: home.path().to_owned(),
        keep: true,
    };
    let outcome = campaign.run_until_found(Arc::clone(&target)).await.unwrap();
    let [finding] = outcome.findings.as_slice() else {
        panic!("not found in {} cases", outcome.cases);
    };
    assert_eq!(finding.fault.kind, kind, "{}", finding.fault);
    if kind != Kind::Echo {
        let text = mutate::http::Parts::of(&finding.input);
        assert_eq!(text.body, b"\\ud800", "shrunk to what it takes");
    }
    campaign.budget = Budget::Cases(0);
    let again = campaign.run_until_found(target).await.unwrap();
    assert_eq!(again.findings.len(), 1, "a kept input is met again");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_planted_panic_is_found() {
    bites(Plant::Panic, Kind::Panic).await;
    bites(Plant::PanicElsewhere, Kind::Panic).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_planted_echo_is_found() {
    bites(Plant::Echo, Kind::Echo).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_planted_failure_is_found() {
    bites(Plant::Fails, Kind::ServerError).await;
}

/// Spins, or takes memory, where an input holds an `!`.
struct Unbounded(Kind);

impl Target for Unbounded {
    fn name(&self) -> &'static str {
        "unbounded"
    }

    fn mutate(&self, chance: &mut StdRng, input: &mut Vec<u8>, other: &[u8]) {
        mutate::raw::mutate(chance, input, other);
    }

    fn feed(&self, input: Bytes) -> BoxFuture<'static, Result<Verdict, Fault>> {
        let kind = self.0;
        Box::pin(async move {
            match (input.contains(&b'!'), kind) {
                (false, _) => Ok(Verdict::Accepted),
                (true, Kind::Hang) => std::future::pending().await,
                (true, _) => {
                    let hoard = vec![u8::try_from(input.len() % 200).unwrap() + 1; 200 << 20];
                    Ok(if hoard.contains(&0) {
                        Verdict::Refused
                    } else {
                        Verdict::Accepted
                    })
                }
            }
        })
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_case_without_end_and_one_without_bounds_are_found() {
    let _alone = ALONE.lock().await;
    for (kind, time) in [
        (Kind::Hang, Duration::from_millis(300)),
        (Kind::Memory, Duration::from_secs(60)),
    ] {
        let home = tempfile::tempdir().unwrap();
        std::fs::create_dir(home.path().join("unbounded")).unwrap();
        std::fs::write(home.path().join("unbounded/calm"), b"calm").unwrap();
        let campaign = Campaign {
            bounds: Bounds {
                time,
                memory: 100 << 20,
            },
            seed: seed(),
            budget: Budget::Both(100_000, Duration::from_secs(60)),
            home: home.path().to_owned(),
            keep: true,
        };
        let outcome = campaign.run_until_found(Arc::new(Unbounded(kind))).await.unwrap();
        let [finding] = outcome.findings.as_slice() else {
            panic!("{kind:?} not found in {} cases", outcome.cases);
        };
        assert_eq!(finding.fault.kind, kind, "{}", finding.fault);
        assert!(finding.input.contains(&b'!'), "{:?}", finding.input);
    }
}

/// Upstream is well, and the house goes wrong by itself.
async fn bites_beside(plan: Plan, kind: Kind) {
    let _alone = ALONE.lock().await;
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("calls");
    std::fs::create_dir(&folder).unwrap();
    std::fs::copy(corpus::home().join("calls/well"), folder.join("well")).unwrap();
    let campaign = Campaign {
        bounds: Bounds::default(),
        seed: seed(),
        budget: Budget::Cases(0),
        home: home.path().to_owned(),
        keep: false,
    };
    let outcome = campaign.run_until_found(Arc::new(Calls::with(plan).await.unwrap()));
    let outcome = outcome.await.unwrap();
    let [finding] = outcome.findings.as_slice() else {
        panic!("{kind:?} not found");
    };
    assert_eq!(finding.fault.kind, kind, "{}", finding.fault);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_that_is_settled_twice_and_a_request_that_nobody_takes_up_are_found() {
    let twice: Plan = || {
        let mut first = true;
        Box::new(move |point, _| match point.touched {
            Touched::End if std::mem::take(&mut first) => Fate::FailAfter,
            _ => Fate::Proceed,
        })
    };
    bites_beside(twice, Kind::Wrong).await;
    let never: Plan = || {
        Box::new(|point, _| match point.touched {
            Touched::Dispatch => Fate::Lose,
            _ => Fate::Proceed,
        })
    };
    bites_beside(never, Kind::Hang).await;
}
