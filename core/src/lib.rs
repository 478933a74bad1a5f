//! Every decision of Bedrock Smoother and its vocabulary.
//!
//! Nothing here reads a clock, a file, the environment or a random number: time and randomness come in as
//! arguments, and what is to be done goes out as values. The same code therefore decides on one machine, on
//! AWS, in the simulation tests and in the planner.

pub mod breaker;
pub mod call;
pub mod config;
pub mod cost;
pub mod degraded;
pub mod estimate;
pub mod fallback;
pub mod hold;
pub mod ids;
pub mod ledger;
pub mod lifecycle;
pub mod listing;
pub mod metrics;
pub mod model;
pub mod named;
pub mod ports;
mod quoted;
pub mod request;
pub mod right_size;
pub mod scheduler;
pub mod spread;
pub mod throttle;
pub mod units;
pub mod verdict;

pub use call::{Call, CallEnding, Settlement};
pub use cost::{Estimate, Usage};
pub use fallback::{Hop, HopCause, Hopped};
pub use ids::{CallNo, IdError, LaneId, ModelId, RequestId, Rev, TenantId};
pub use lifecycle::{Change, Refused, State};
pub use model::{ModelCall, ModelError, ModelErrorKind, ModelEvent, ModelHead, ModelStream, Operation};
pub use quoted::quoted;
pub use request::{Door, Failure, OnDisconnect, OnIndeterminate, Outcome, Priority, Request, Runner};
pub use throttle::ThrottleCause;
pub use units::{Millis, RequestsPerMinute, Timestamp, Tokens, TokensPerDay, TokensPerMinute};
