//! The last question before a new request is stored: may it wait in its lane?
//!
//! Whoever is known by its key is not asked: it is in already. Where nothing bounds what waits nobody is asked.

use crate::ingest::Ingest;
use crate::prepare::Prepared;
use crate::refusal::Refusal;
use smoother_core::Millis;
use smoother_core::scheduler::Waiting;

/// The shortest and the longest time after which one that was refused is told to come back.
const SOONEST: Millis = Millis::from_secs(1);
const LATEST: Millis = Millis::from_secs(15 * 60);

impl Ingest {
    /// Asks the lane whether it has room for a new request.
    pub(crate) async fn admit(&self, prepared: &Prepared) -> Result<(), Refusal> {
        let request = &prepared.request;
        let config = &self.settings().config;
        let own = config.tenants.get(&request.tenant);
        let is_bound =
            config.limits.bound(request.priority) || own.is_some_and(|own| own.max_waiting.is_set());
        if !is_bound {
            return Ok(());
        }
        let newcomer = Waiting::priced(request, prepared.burndown);
        let Some(Err(full)) = self.ports.views.admit(&request.lane, newcomer).await else {
            return Ok(());
        };
        let now = self.ports.clock.now();
        Err(Refusal::Full {
            lane: request.lane.clone(),
            come_back: full.next.since(now).clamp(SOONEST, LATEST),
            full: Box::new(full),
        })
    }
}
