//! How long a caller is kept waiting, and which limit it was that passed.

use smoother_core::{Door, Millis, Request, Timestamp, Tokens};
use std::fmt;

/// A request with a limit of the caller's own expires by itself; this much later the caller is answered all the
/// same.
const SLACK: Millis = Millis::from_secs(2);

/// A limit on waiting, by the name under which it was set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Limit {
    name: &'static str,
    value: Millis,
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} = {}", self.name, self.value.get())
    }
}

/// One caller's patience for the first word of its answer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Patience {
    pub(crate) limit: Limit,
    /// After this long it is answered, whatever has come.
    pub(crate) lasts: Millis,
    /// Whether it may send the same call again and be known by its key.
    pub(crate) returns: bool,
}

impl Patience {
    /// The caller's own, else the server's.
    pub(crate) fn new(own: Option<Millis>, servers: Millis, returns: bool) -> Self {
        let (name, value, slack) = match own {
            Some(own) => ("x-smoother-timeout-ms", own, SLACK),
            None => ("server.sync_timeout_ms", servers, Millis::ZERO),
        };
        Self {
            limit: Limit { name, value },
            lasts: value + slack,
            returns,
        }
    }

    /// No longer than this, where the process that answers has no more.
    pub(crate) fn within(self, left: Millis) -> Self {
        if self.lasts <= left {
            return self;
        }
        let (name, value) = ("the milliseconds left to this invocation", left);
        Self {
            limit: Limit { name, value },
            lasts: left,
            ..self
        }
    }
}

/// How a request stood when its limit passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Expiry {
    /// The first of its limits to pass; `None` where it has none.
    pub(crate) limit: Option<Limit>,
    /// Whether it was waiting, not answering.
    pub(crate) waiting: bool,
    /// From arrival to its end.
    pub(crate) after: Millis,
}

impl Expiry {
    /// Of a request that has expired.
    pub(crate) fn of(row: &Request) -> Self {
        let (max_wait, timeout) = match row.door {
            Door::Sync => ("x-smoother-max-wait-ms", "x-smoother-timeout-ms"),
            Door::Job => ("max_wait_ms", "timeout_ms"),
        };
        // Once it has started, the wait it was promised is over.
        let latest_start = row.latest_start.filter(|_| row.calls_made == 0);
        let limit = [(latest_start, max_wait), (row.deadline, timeout)]
            .into_iter()
            .filter_map(|(at, name)| Some((at?, name)))
            .min_by_key(|(at, _)| *at)
            .map(|(at, name)| Limit {
                name,
                value: at.since(row.arrived_at),
            });
        Self {
            limit,
            waiting: !was_running(row),
            after: waited(row, row.arrived_at),
        }
    }
}

/// Whether a request that has ended without an answer ended in the middle of a call: going back in line takes the
/// reservation away, and a release that nobody claimed is younger than the last start.
fn was_running(row: &Request) -> bool {
    row.reserved > Tokens::ZERO && row.started_at.is_some() && row.started_at >= row.released_at
}

/// From arrival to the end or, before it, until now.
pub(crate) fn waited(row: &Request, now: Timestamp) -> Millis {
    row.ended_at.unwrap_or(now).since(row.arrived_at)
}
