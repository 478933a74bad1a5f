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
    Candidate {
        quota,
        free: view.tokens.free,
        used: view.tokens.used,
        waiting: view.waiting.values().map(|band| band.tokens).sum(),
        // An open breaker whose time is up wants a few arrivals to probe with.
        shut: !view.breaker.admits || view.day_parked,
    }
}
