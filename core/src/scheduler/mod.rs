//! Who goes next in one lane.
//!
//! Three levels decide. Bands (interactive, normal, batch) share the quota by their weights, and the tenants of
//! a band share the band by theirs, both by start-time fair queueing: nobody starves, and what one does not
//! use the others may. Inside a tenant the earliest deadline goes first; requests that come back from a call go
//! before the others. A tenant that has as many calls under way as it may have lets the others pass. Whose time is
//! nearly up may go before its turn, on its tenant's and its band's account ([`urgent`]).
//!
//! ```text
//! Arrived ──▶ waiting ◀──▶ snoozed          Expire, Fail, Left: out
//!                │ ▲                      Leave: on in its chain
//!        Release │ │ Lapsed, Ended{again}   Check: a release not heard of
//!                ▼ │
//!             released ── Started ──▶ running ── Ended ──▶ out
//! ```
//!
//! Where the lane's circuit breaker is open or its day is used up, nothing goes: whoever has another lane in its
//! chain is sent on, the others wait. So is whoever needs more than is left of the day. Retries go as far as the lane's
//! budget of them reaches.
//!
//! Whoever's turn it is reserves in the [`crate::ledger`]. If that is refused, the head is promised the moment
//! the ledger names, and smaller requests behind it go first only if that promise still holds.

mod account;
mod ages;
mod beyond;
mod bounds;
mod budget;
mod calls;
mod caps;
mod config;
mod door;
mod entry;
mod event;
mod fairness;
mod forecast;
mod lane;
mod line;
mod release;
mod report;
mod report_tenants;
mod reported;
mod shed;
mod snapshot;
mod span;
mod spend;
mod tenants;
#[cfg(test)]
pub(crate) mod tests;
mod urgent;
mod view;
mod waiting;

pub use bounds::{Full, Load, Measure, Scope};
pub use config::{Handing, SchedulerConfig};
pub use door::{Late, Limit, TurnedAway};
pub use event::{Again, Command, Event, Gone, Waiting};
pub use lane::Scheduler;
pub use snapshot::LaneSnapshot;
pub use tenants::TenantsSnapshot;
pub use view::{
    AtBest, Forecast, LaneReport, LaneView, LimitView, Mark, TenantLine, TenantReport, WaitingView,
};
