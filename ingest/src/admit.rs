//! The last question before a new request is stored: may it wait in its lane, and would it be in time?
//!
//! Whoever is known by its key is not asked: it is in already. Where nothing bounds what waits, and the request sets no
//! limit on its own time, nobody is asked.

use crate::ingest::Ingest;
use crate::prepare::Prepared;
use crate::refusal::Refusal;
use smoother_core::scheduler::{Late, Limit, TurnedAway, Waiting};
use smoother_core::{Door, Millis, Request, Timestamp};

/// The shortest and the longest time after which one that was refused is told to come back.
const SOONEST: Millis = Millis::from_secs(1);
const LATEST: Millis = Millis::from_secs(15 * 60);

impl Ingest {
    /// Asks the lane whether it has room and time for a new request. The limit that it will miss, by its name, where it
    /// may come in all the same.
    pub(crate) async fn admit(&self, prepared: &Prepared) -> Result<Option<&'static str>, Refusal> {
        let request = &prepared.request;
        let has_limit = request.latest_start.is_some() || request.deadline.is_some();
        if !has_limit && !self.is_bound(request) {
            return Ok(None);
        }
        let newcomer = Waiting::priced(request, prepared.burndown);
        let now = self.ports.clock.now();
        match self.ports.views.admit(&request.lane, newcomer).await {
            None => Ok(None),
            Some(Ok(forecast)) => {
                let late = forecast.misses(request.latest_start, request.deadline);
                Ok(late.map(|late| name(late.limit, request.door)))
            }
            Some(Err(TurnedAway::Full(full))) => Err(Refusal::Full {
                lane: request.lane.clone(),
                come_back: full.next.since(now).clamp(SOONEST, LATEST),
                full: Box::new(full),
            }),
            Some(Err(TurnedAway::Late(late))) => Err(too_late(request, &late, now)),
        }
    }

    fn is_bound(&self, request: &Request) -> bool {
        let config = &self.settings().config;
        let own = config.tenants.get(&request.tenant);
        config.limits.bound(request.priority) || own.is_some_and(|own| own.max_waiting.is_set())
    }
}

fn too_late(request: &Request, late: &Late, now: Timestamp) -> Refusal {
    let forecast = &late.forecast;
    Refusal::TooLate {
        lane: request.lane.clone(),
        limit: name(late.limit, request.door),
        value: late.at.since(request.arrived_at),
        wait: forecast.start.since(now),
        at_best: forecast.earliest.since(now),
        position: forecast.position,
        // As soon as so much less waits that it would be in time.
        come_back: forecast.earliest.since(late.at).clamp(SOONEST, LATEST),
    }
}

/// As its caller has named it.
const fn name(limit: Limit, door: Door) -> &'static str {
    match (limit, door) {
        (Limit::MaxWait, Door::Sync) => "x-smoother-max-wait-ms",
        (Limit::MaxWait, Door::Job) => "max_wait_ms",
        (Limit::Timeout, Door::Sync) => "x-smoother-timeout-ms",
        (Limit::Timeout, Door::Job) => "timeout_ms",
    }
}
