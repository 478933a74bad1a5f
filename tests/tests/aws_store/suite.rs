//! Every case of the suite, and those of the changes once more where every third call is spoiled.

use super::stand::{Place, bed};
use super::weather::Weather;
use smoother_tests::conformance::store::{self, Bed};
use smoother_tests::conformance::{Case, hold, pass};
use std::sync::Arc;
use std::time::Duration;

macro_rules! store_tests {
    ($($name:ident)+) => {
        $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $name() {
            pass(store::$name::CASES, || bed(Weather::default())).await;
        })+

        /// A table has no process that is alone with it, and so nothing to take up after a restart.
        #[test]
        fn no_list_of_cases_is_left_out() {
            let run = [$(stringify!($name)),+];
            let all: Vec<_> = store::ALL.iter().map(|(name, _)| *name).filter(|name| *name != "recovery").collect();
            assert_eq!(run.as_slice(), all);
        }
    };
}

store_tests! { changes ends inserts letters listing outbox payloads walk writes }

/// What holders keep.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_hold() {
    for weather in [Weather::default(), Weather::storm(5)] {
        for (_, cases) in hold::ALL {
            pass(cases, || held(weather.clone())).await;
        }
    }
}

async fn held(weather: Weather) -> hold::Stand {
    let place = Place::fresh().await;
    hold::Stand {
        hold: Arc::new(place.hold(&weather)),
        store: Arc::new(place.priced(&weather, 1)),
        other: Arc::new(place.priced(&weather, 1)),
        lag: Duration::from_secs(1),
    }
}

/// Answers are lost, connections break, calls are throttled: what was promised holds all the same.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_a_storm() {
    let weather = Weather::storm(1);
    // Every change in every state: calm weather is enough for thousands of writes of which none meets another.
    let long = |case: &&Case<Bed>| case.name == "every_change_in_every_state_does_what_the_lifecycle_says";
    let (_, changes): (Vec<_>, Vec<_>) = store::changes::CASES.iter().partition(long);
    assert_eq!(changes.len(), store::changes::CASES.len() - 1);
    for case in changes {
        pass(std::slice::from_ref(case), || bed(weather.clone())).await;
    }
    for cases in [
        store::ends::CASES,
        store::inserts::CASES,
        store::letters::CASES,
        store::walk::CASES,
    ] {
        pass(cases, || bed(weather.clone())).await;
    }
    assert!(
        weather.spoiled() > 1_000,
        "a storm spoils {} calls",
        weather.spoiled()
    );
}
