//! Listings: which rows somebody means, and the cursor that leads through them.
//!
//! The store's own cursor is wrapped with a check over it and the filter it was made for, so that a cursor that
//! was cut, changed or moved to another filter is refused here instead of quietly listing something else.

use crate::ports::ListFilter;
use crate::request::{Outcome, Request};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

const CHECK: usize = 8;

impl ListFilter {
    /// Whether the row is one of those that are meant.
    pub fn takes(&self, row: &Request) -> bool {
        let ended = |fits: &dyn Fn(crate::units::Timestamp) -> bool| row.ended_at.is_some_and(fits);
        self.tenant.as_ref().is_none_or(|tenant| row.tenant == *tenant)
            && self.lane.as_ref().is_none_or(|lane| row.lane == *lane)
            && (self.states.is_empty() || self.states.contains(&row.state))
            && (!self.dead || row.dead)
            && self.error.is_none_or(|wanted| match &row.outcome {
                Some(Outcome::Failure(failure)) => wanted.takes(failure.kind),
                _ => false,
            })
            && self.ended_from.is_none_or(|from| ended(&|at| at >= from))
            && self.ended_before.is_none_or(|before| ended(&|at| at < before))
    }
}

/// The store's cursor in its public form.
pub fn seal(inner: &str, filter: &ListFilter) -> String {
    let mut bytes = check(inner, filter).to_vec();
    bytes.extend_from_slice(inner.as_bytes());
    URL_SAFE_NO_PAD.encode(bytes)
}

/// The store's cursor out of its public form; `None` where it is none, or was made for another filter.
pub fn open(outer: &str, filter: &ListFilter) -> Option<String> {
    let bytes = URL_SAFE_NO_PAD.decode(outer).ok()?;
    let (found, inner) = bytes.split_at_checked(CHECK)?;
    let inner = std::str::from_utf8(inner).ok()?;
    (found == check(inner, filter)).then(|| inner.to_owned())
}

fn check(inner: &str, filter: &ListFilter) -> [u8; CHECK] {
    let mut hash = Sha256::new();
    hash.update(inner.as_bytes());
    hash.update([0]);
    for state in &filter.states {
        hash.update(state.as_str().as_bytes());
        hash.update([1]);
    }
    let moment = |at: Option<crate::units::Timestamp>| at.map(|at| at.as_millis().to_string());
    for name in [
        filter.tenant.as_ref().map(ToString::to_string),
        filter.lane.as_ref().map(ToString::to_string),
        filter.dead.then(|| "dead".to_owned()),
        filter.error.map(|error| error.as_str().to_owned()),
        moment(filter.ended_from),
        moment(filter.ended_before),
    ] {
        hash.update([2]);
        hash.update(name.unwrap_or_default().as_bytes());
    }
    let digest = hash.finalize();
    let mut check = [0; CHECK];
    check.copy_from_slice(&digest[..CHECK]);
    check
}

#[cfg(test)]
mod tests;
