//! Who goes before whom: deadlines inside a tenant, and smaller ones that may overtake a blocked head.

use super::world::{Dice, Job, START, World, at, config, id, lane, tenant, waiting};
use super::{ended, released, scheduler, started};
use crate::config::Pacing;
use crate::ledger::tests::limiters::Kind;
use crate::request::Priority;
use crate::scheduler::Event;
use crate::units::{Millis, TokensPerDay};
use proptest::prelude::*;

#[test]
fn the_earliest_deadline_goes_first_and_arrival_breaks_no_promise() {
    let mut scheduler = scheduler(config(lane(60_000, None, Pacing::Auto)));
    scheduler.step(at(0), Event::Arrived(waiting(99, 0, Priority::Normal, 9_800)));
    scheduler.step(at(0), started(id(99), 1, 0));
    // Without a deadline a normal request stands as if it had 15 minutes.
    let deadlines = [(1, None), (2, Some(1_000_000)), (3, Some(800_000)), (4, None)];
    for (number, deadline) in deadlines {
        let mut one = waiting(number, number, Priority::Normal, 1_000);
        one.deadline = deadline.map(at);
        scheduler.step(at(number), Event::Arrived(one));
    }
    let order = released(&scheduler.step(at(9_000), Event::Tick));
    let order: Vec<_> = order.into_iter().map(|(request, _)| request).collect();
    assert_eq!(order, [id(3), id(1), id(4), id(2)]);
}

#[test]
fn what_a_band_was_overcharged_does_not_let_it_pass_those_who_came_back() {
    let mut scheduler = scheduler(config(lane(60_000, None, Pacing::Auto)));
    let arrive = |number, priority, reserve| Event::Arrived(waiting(number, 0, priority, reserve));
    // Nine calls of the batch go, dear as expected; more of them wait, and then somebody interactive comes.
    for number in 0..20 {
        scheduler.step(at(0), arrive(number, Priority::Batch, 1_000));
    }
    for number in 0..9 {
        scheduler.step(at(0), started(id(number), 1, 0));
    }
    for number in 100..104 {
        assert!(released(&scheduler.step(at(1), arrive(number, Priority::Interactive, 900))).is_empty());
    }
    // They turn out to be cheap: the batch was charged far too much.
    let mut order = Vec::new();
    for number in 0..9 {
        order.extend(released(&scheduler.step(at(2), ended(id(number), 1, 100, 2))));
    }
    let first: Vec<_> = order.iter().map(|(request, _)| *request).take(4).collect();
    assert_eq!(first, [id(100), id(101), id(102), id(103)]);
    assert!(order.len() > 4, "the batch goes on behind them");
}

/// Calls of one size, one a second at most, with deadlines that a plan by seconds can meet.
fn feasible(seed: u64) -> Vec<Job> {
    let mut dice = Dice(seed);
    let mut taken = std::collections::BTreeSet::new();
    let mut jobs = Vec::new();
    for number in 0..120 {
        let arrival = dice.below(100);
        // It is planned into the first free second from a random one on; its deadline is that, or later.
        let mut second = arrival + dice.below(20);
        while !taken.insert(second) {
            second += 1;
        }
        let mut one = waiting(number, arrival * 1_000, Priority::Normal, 980);
        // A second more, because seconds here do not begin on the second.
        one.deadline = Some(at((second + dice.below(3)) * 1_000 + 1_000));
        jobs.push(Job {
            waiting: one,
            charged: 980,
            actual: 980,
            lasts: 1,
        });
    }
    jobs
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn a_feasible_set_of_equal_calls_misses_no_deadline(seed in any::<u64>()) {
        let lane = lane(60_000, None, Pacing::Bucket { seconds: 1 });
        let mut world = World::new(config(lane), Kind::Bucket(1), feasible(seed));
        world.run();
        prop_assert!(world.fates.iter().all(|fate| fate.completed.is_some() && !fate.expired));
    }

    /// A large head is blocked, and smaller ones of other tenants come: whatever goes before it, it goes no
    /// later than was promised when it was first blocked.
    #[test]
    fn overtaking_never_delays_a_promise(
        head in 5_000u64..60_000,
        used in 1u64..9_000,
        small in prop::collection::vec((1u64..6_000, 0u64..400, 0u8..4), 1..60),
        pacing in prop_oneof![Just(Pacing::Auto), Just(Pacing::Window), Just(Pacing::Bucket { seconds: 10 })],
    ) {
        let mut lane = lane(60_000, Some(60), pacing);
        lane.tokens_per_day = Some(TokensPerDay::new(1_000_000));
        let mut scheduler = scheduler(config(lane));
        scheduler.step(at(0), Event::Arrived(waiting(1, 0, Priority::Normal, used)));
        scheduler.step(at(0), started(id(1), 1, 0));
        let commands = scheduler.step(at(0), Event::Arrived(waiting(2, 0, Priority::Normal, head)));
        if released(&commands).is_empty() {
            let mut promised = scheduler.blocked_until.unwrap();
            let mut now = at(0);
            for (number, (size, wait, who)) in small.into_iter().enumerate() {
                now = (now + Millis::new(wait)).min(promised);
                let mut one = waiting(10 + number as u64, 0, Priority::Normal, size);
                // Of tenants behind the head, so that none goes before it by its turn.
                one.tenant = tenant(&format!("t{who}"));
                one.arrived_at = now;
                let commands = scheduler.step(now, Event::Arrived(one));
                for (request, call) in released(&commands) {
                    if request == id(2) {
                        return Ok(());
                    }
                    scheduler.step(now, started(request, call, now.as_millis() - START));
                }
                let head = scheduler.shares.head().and_then(|slot| scheduler.table.get(slot));
                if head.is_none_or(|head| head.id != id(2)) {
                    return Ok(());
                }
                let blocked = scheduler.blocked_until.unwrap();
                prop_assert!(blocked <= promised, "{} after {}", blocked, promised);
                promised = blocked;
            }
            let commands = scheduler.step(promised, Event::Tick);
            prop_assert!(released(&commands).iter().any(|(request, _)| *request == id(2)));
        }
    }
}

#[test]
fn smaller_ones_overtake_a_head_that_waits_for_the_day() {
    let mut lane = lane(600_000, None, Pacing::Auto);
    lane.tokens_per_day = Some(TokensPerDay::new(50_000));
    let mut scheduler = scheduler(config(lane));
    scheduler.step(at(0), Event::Arrived(waiting(1, 0, Priority::Normal, 20_000)));
    let blocked = scheduler.step(at(0), Event::Arrived(waiting(2, 0, Priority::Normal, 40_000)));
    assert_eq!(released(&blocked), []);
    let commands = scheduler.step(at(1), Event::Arrived(waiting(3, 1, Priority::Normal, 10_000)));
    assert_eq!(released(&commands), [(id(3), 1)]);
    // It looks no further than eight behind the head.
    for number in 10..18 {
        scheduler.step(
            at(2),
            Event::Arrived(waiting(number, 2, Priority::Normal, 30_000)),
        );
    }
    let commands = scheduler.step(at(3), Event::Arrived(waiting(20, 3, Priority::Normal, 10_000)));
    assert_eq!(released(&commands), []);
}

#[test]
fn a_smaller_one_whose_turn_comes_first_goes_first() {
    let mut scheduler = scheduler(config(lane(60_000, None, Pacing::Auto)));
    scheduler.step(at(0), Event::Arrived(waiting(1, 0, Priority::Batch, 9_700)));
    scheduler.step(at(0), Event::Arrived(waiting(2, 0, Priority::Batch, 5_000)));
    // 100 tokens are left: an interactive request does not queue behind the batch one.
    let commands = scheduler.step(at(0), Event::Arrived(waiting(3, 0, Priority::Interactive, 100)));
    assert_eq!(released(&commands), [(id(3), 1)]);
}
