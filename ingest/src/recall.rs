//! What all processes together know of outputs, read where this one hears of no ends.
//!
//! What was read serves for a minute, or for a few seconds while too little is known, so that few requests wait for it.
//! Where it cannot be read at once, the estimate is made of what was known before.

use crate::body::Facts;
use crate::chain::model_in;
use crate::ingest::Ingest;
use crate::learned::max_output;
use crate::route::Route;
use smoother_core::config::LaneConfig;
use smoother_core::estimate::OutputKey;
use smoother_core::{Millis, TenantId};
use std::sync::Arc;
use tokio::time::timeout;

/// An estimate is not worth more of anybody's time.
const PATIENCE: Millis = Millis::new(300);

impl Ingest {
    /// Sees to it that what is known of the answers to such a request is known here, whichever of `lanes` it goes to.
    pub(crate) async fn recall<'a>(
        &self,
        route: &Route,
        lanes: impl Iterator<Item = &'a Arc<LaneConfig>> + Send,
        tenant: &TenantId,
        facts: &Facts,
    ) {
        let Some(outputs) = self.ports.outputs.as_ref().filter(|_| !facts.no_output) else {
            return;
        };
        let keys_in = |lane: &'a Arc<LaneConfig>| {
            OutputKey::both(model_in(lane, &route.model), tenant, max_output(facts, lane))
        };
        let mut stale = self
            .learned
            .stale(lanes.flat_map(keys_in), self.ports.clock.now());
        // A batch takes no key twice.
        stale.sort_unstable();
        stale.dedup();
        if stale.is_empty() {
            return;
        }
        let read = match timeout(PATIENCE.into(), outputs.read(&stale)).await {
            Ok(Ok(read)) => read,
            Ok(Err(error)) => {
                tracing::warn!(%error, "what is known of outputs could not be read; estimates are made without it");
                Vec::new()
            }
            Err(_) => {
                tracing::warn!(
                    "what is known of outputs could not be read in time; estimates are made without it"
                );
                Vec::new()
            }
        };
        // Read or not: those who come in the next seconds do not wait for it again.
        self.learned.take_up(stale, &read, self.ports.clock.now());
    }
}
