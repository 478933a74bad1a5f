//! The smoother's API, as the commands use it.

mod error;
mod http;
mod job;
mod lane;
mod patience;
mod submission;

pub use error::{ClientError, Problem};
pub use http::{Answer, Client};
pub use job::{Job, ResultAnswer};
pub use lane::{Lane, Limit, Waiting};
pub use patience::{Patience, Teller};
pub use submission::{Accepted, NewJob};
