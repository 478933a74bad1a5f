//! What a lane says to a new request at its door: come in and wait about so long, or why not.

use super::bounds::Full;
use super::lane::Scheduler;
use super::{Command, Forecast, SchedulerConfig, Waiting};
use crate::config::Admission;
use crate::units::Timestamp;

/// A limit that a request sets on its own time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// Until it starts.
    MaxWait,
    /// Until it is completed.
    Timeout,
}

/// A request that would not be in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Late {
    /// For which of its limits.
    pub limit: Limit,
    /// When that passes.
    pub at: Timestamp,
    /// When it would go.
    pub forecast: Forecast,
}

/// Why a request was not let in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TurnedAway {
    /// More would wait than may.
    Full(Full),
    /// It would not be in time.
    Late(Late),
}

impl Forecast {
    /// The first of a request's limits that passes before it can go, even if all goes better than it looks.
    pub fn misses(&self, latest_start: Option<Timestamp>, deadline: Option<Timestamp>) -> Option<Late> {
        [(latest_start, Limit::MaxWait), (deadline, Limit::Timeout)]
            .into_iter()
            .filter_map(|(at, limit)| Some((at.filter(|at| *at < self.earliest)?, limit)))
            .min_by_key(|(at, _)| *at)
            .map(|(at, limit)| Late {
                limit,
                at,
                forecast: *self,
            })
    }
}

impl SchedulerConfig {
    pub(super) fn too_late(&self, newcomer: &Waiting, forecast: &Forecast) -> Option<Late> {
        let late = forecast.misses(newcomer.latest_start, newcomer.deadline);
        late.filter(|_| self.limits.admission == Admission::Refuse)
    }
}

impl Scheduler {
    /// Whether a new request may come in, and when it would go. One that may holds a place until its arrival. To make room
    /// for it, what has expired goes, and what is shed: that is for `out`, and a step has to follow.
    ///
    /// # Errors
    /// What leaves it no room, or by how much it would be late.
    pub fn admit(
        &mut self,
        now: Timestamp,
        newcomer: &Waiting,
        out: &mut Vec<Command>,
    ) -> Result<Forecast, TurnedAway> {
        self.now = self.now.max(now);
        let now = self.now;
        let mut forecast = self.forecast_of(now, newcomer);
        if self.would_leave(newcomer) {
            // It waits for nothing here: how long the next lane of its chain takes is for that one to say.
            forecast.earliest = now;
        }
        if let Some(late) = self.config.too_late(newcomer, &forecast) {
            return Err(TurnedAway::Late(late));
        }
        if self.config.is_bound(newcomer.priority, &newcomer.tenant) {
            self.give_back_places(now, newcomer.id);
            let crowd = self.crowd(now, newcomer);
            if self.first_full(now, newcomer, &crowd).is_some() {
                self.ring(out);
                self.make_room(now, newcomer, out).map_err(TurnedAway::Full)?;
            }
            self.hold_place(now, newcomer);
        }
        Ok(forecast)
    }
}
