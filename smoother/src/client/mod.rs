//! The smoother's API, as the commands use it.

mod deployed;
mod error;
mod http;
mod job;
mod lane;
mod letter;
mod model;
mod patience;
mod submission;
mod target;
mod tls;
mod upload;

pub use error::{ClientError, Problem};
pub use http::{Answer, Client};
pub use job::{Job, ResultAnswer};
pub use lane::{Breaker, Lane, Limit, Waiting};
pub use letter::{Act, Handled, Held, Letter, Letters, Meant, NotDone, Swept};
pub use patience::{Patience, Teller};
pub use submission::{Accepted, NewJob};
pub use target::Target;
#[cfg(test)]
pub(crate) use tls::config as tls_for;
