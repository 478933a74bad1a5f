//! The planner: what would happen to this traffic at that quota?
//!
//! A [`Workload`] (a trace, or a mix drawn from a seed) goes through core's own scheduler in virtual time, against an
//! [`Upstream`] that takes as long as a model does and refuses by a limiter of choice. What comes out is a [`Report`]:
//! waits by priority and tenant, utilisation beside its bound, throttles, deadlines; and, by replaying again and again,
//! the quota or the max_tokens at which a wait would be met.
//!
//! ```text
//! trace ─▶ rows ─┐
//!                ├─▶ assign ─▶ Workload ─▶ replay ─▶ Replay ─▶ Report ─▶ text, JSON, HTML
//! mix ───▶ rows ─┘   (seed)                 ▲ │
//!                                  answers ─┘ └─ bound: who knew every cost beforehand
//! ```
//!
//! Pure: texts come in, values and texts go out. The same input and seed give the same report, to the last digit.

pub mod answer;
mod bound;
pub mod cli;
pub mod figures;
mod html;
mod mix;
mod replay;
mod report;
mod round;
pub mod span;
mod trace;
mod upstream;
mod workload;

pub use bound::Bound;
pub use html::page;
pub use mix::{Arrivals, Mix, MixError, Size, Stream};
pub use replay::{CallRecord, Ending, Fate, Replay, RightSized, Setup, replay};
pub use report::{
    Band, Calls, Deadlines, LaneShown, Report, Requests, Series, TenantShown, Tenants, UpstreamShown,
    Utilisation, Waits, WorkloadShown, text,
};
pub use trace::{Mistake, TraceErrors, rows_of};
pub use upstream::{Latency, Limiter, LimiterKind, Upstream};
pub use workload::{Assign, BandShares, Demand, Job, PerBand, Row, Workload};
