//! Which of the lanes that share a model a new request waits in.

use crate::ingest::Ingest;
use crate::route::Route;
use futures_util::future::join_all;
use smoother_core::config::LaneConfig;
use smoother_core::scheduler::LaneView;
use smoother_core::spread::{self, Candidate};
use std::sync::Arc;

impl Ingest {
    /// The lane a new request of this route waits in. A route of one lane asks nobody.
    pub(crate) async fn place<'a>(&self, route: &'a Route) -> Option<&'a Arc<LaneConfig>> {
        if let [only] = route.lanes.as_slice() {
            return Some(only);
        }
        let looks = route.lanes.iter().map(|lane| self.ports.views.view(&lane.id));
        let views = join_all(looks).await;
        let candidates: Vec<Candidate> = route
            .lanes
            .iter()
            .zip(views)
            .map(|(lane, view)| candidate(lane, view.as_ref()))
            .collect();
        let random = self.ports.entropy.below(u64::MAX);
        route.lanes.get(spread::choose(&candidates, random))
    }
}

/// A lane that does not answer is stopping.
fn candidate(lane: &LaneConfig, view: Option<&LaneView>) -> Candidate {
    let quota = lane.tokens_per_minute.get();
    let Some(view) = view else {
        return Candidate {
            quota,
            free: 0,
            used: quota,
            waiting: 0,
            shut: true,
        };
    };
    // Where no further call may run beside those that do, free tokens are of no use.
    let free = if view.concurrency.free > 0 {
        view.tokens.free
    } else {
        0
    };
    Candidate {
        quota,
        free,
        used: view.tokens.used,
        waiting: view.waiting.values().map(|band| band.tokens).sum(),
        // An open breaker whose time is up wants a few arrivals to probe with.
        shut: !view.breaker.admits || view.day_parked,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testbed::{Bed, lane};
    use smoother_core::scheduler::{Event, Scheduler, SchedulerConfig, Waiting};
    use smoother_core::{CallNo, Priority, RequestId, TenantId, Timestamp, Tokens};

    const NOW: Timestamp = Timestamp::from_millis(1_000_000);

    fn arrives(number: u8) -> Event {
        Event::Arrived(Waiting {
            id: RequestId::fresh(NOW, [number; 10]),
            tenant: TenantId::new("default").unwrap(),
            priority: Priority::Normal,
            arrived_at: NOW,
            deadline: None,
            latest_start: None,
            reserve: Tokens::new(10),
            expected: Tokens::new(10),
            surplus: Tokens::ZERO,
            last_call: CallNo::NONE,
            not_before: None,
            retries: false,
            may_leave: true,
            has_next_lane: true,
            by_caller: false,
        })
    }

    #[tokio::test]
    async fn free_tokens_draw_nobody_to_a_lane_that_can_make_no_further_call() {
        let lane = lane("main", "amazon.nova-lite-v1:0", 300_000);
        let config = SchedulerConfig::of(&Bed::new().ingest.settings().config, &lane);
        let mut scheduler = Scheduler::new(config, NOW);
        for number in 0..8 {
            assert!(candidate(&lane, Some(&scheduler.view(NOW))).free > 0, "{number}");
            scheduler.step(NOW, arrives(number));
        }
        let full = candidate(&lane, Some(&scheduler.view(NOW)));
        assert_eq!((full.free, full.waiting, full.shut), (0, 0, false));
    }
}
