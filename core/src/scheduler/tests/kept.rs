//! What is kept of a window for interactive requests: from much that waits, from little, and for how long.

use super::world::{at, config, id, lane, waiting};
use super::{ended, released, scheduler, started, wake};
use crate::config::Pacing;
use crate::ports::LaneMemory;
use crate::request::Priority;
use crate::scheduler::{Event, Scheduler};

/// It is known that a sliding minute of 600,000 stands upstream, and two thirds of it are used.
fn two_thirds_used(window: Option<usize>) -> Scheduler {
    let mut config = config(lane(600_000, None, Pacing::Eager));
    config.window = window;
    let mut scheduler = scheduler(config);
    let memory = LaneMemory {
        pacing: serde_json::from_str(r#"{"t":{"x":3,"s":4}}"#).unwrap(),
        ..LaneMemory::default()
    };
    scheduler.remember(at(0), &memory);
    takes(&mut scheduler, 900, Priority::Batch, 400_000);
    scheduler
}

/// A call that is over at once.
fn takes(scheduler: &mut Scheduler, number: u64, priority: Priority, tokens: u64) {
    assert_eq!(come(scheduler, &[(number, priority, tokens)]), [number]);
    scheduler.step(at(0), started(id(number), 1, 0));
    scheduler.step(at(0), ended(id(number), 1, tokens, 0));
}

/// Which of them go when they come.
fn come(scheduler: &mut Scheduler, these: &[(u64, Priority, u64)]) -> Vec<u64> {
    let mut go = Vec::new();
    for (number, priority, tokens) in these {
        let arrived = Event::Arrived(waiting(*number, *number, *priority, *tokens));
        go.extend(released(&scheduler.step(at(0), arrived)));
    }
    let numbers = these.iter().map(|(number, _, _)| *number);
    numbers.filter(|number| go.contains(&(id(*number), 1))).collect()
}

#[test]
fn a_fifth_is_kept_from_much_and_next_to_nothing_from_little() {
    let batch = |number, tokens| (number, Priority::Batch, tokens);
    let much = [batch(1, 61_000), batch(2, 61_000), batch(3, 61_000)];
    assert_eq!(come(&mut two_thirds_used(None), &much), [1]);
    let little = [batch(1, 60_000), batch(2, 60_000), batch(3, 60_000)];
    assert_eq!(come(&mut two_thirds_used(None), &little), [1, 2, 3]);
    assert_eq!(
        come(&mut two_thirds_used(Some(8)), &little),
        [1],
        "nobody knows how much waits"
    );
}

/// Nothing happens meanwhile: it looks again by itself.
#[test]
fn what_interactive_requests_take_is_kept_for_some_seconds() {
    let mut scheduler = two_thirds_used(None);
    takes(&mut scheduler, 901, Priority::Interactive, 10_000);
    let batch = [(1, Priority::Batch, 50_000)];
    assert_eq!(come(&mut scheduler, &batch), [1]);
    scheduler.step(at(0), started(id(1), 1, 0));
    scheduler.step(at(0), ended(id(1), 1, 50_000, 0));
    let arrived = Event::Arrived(waiting(2, 2, Priority::Batch, 50_000));
    let mut commands = scheduler.step(at(0), arrived);
    let mut looks = 0;
    while released(&commands).is_empty() {
        let next = wake(&commands).unwrap();
        looks += 1;
        assert!(next > at(0) && looks < 20);
        commands = scheduler.step(next, Event::Tick);
        if !released(&commands).is_empty() {
            assert!((at(5_000)..=at(8_000)).contains(&next), "{next:?}");
        }
    }
    assert!((5..=8).contains(&looks), "{looks}");
}
