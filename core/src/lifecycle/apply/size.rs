//! The max_tokens that goes upstream: a smaller one, another lane's, or the caller's own again.

use super::requeue;
use crate::cost::Estimate;
use crate::lifecycle::Refused;
use crate::request::Request;
use crate::units::Tokens;

pub(super) fn shrink(next: &mut Request, max_output: Tokens) -> Result<(), Refused> {
    let own = next.estimate.max_output;
    let size = next.right_size.as_mut().ok_or(Refused::Sized)?;
    if size.rerun || size.own.is_some() || max_output >= own {
        return Err(Refused::Sized);
    }
    size.own = Some(own);
    next.estimate.max_output = max_output;
    next.estimate.expected_output = next.estimate.expected_output.min(max_output);
    Ok(())
}

/// Takes up the size of another lane. What was cut short once goes with its caller's own value everywhere.
pub(super) fn resize(next: &mut Request, own: Option<Tokens>) {
    let Some(size) = &mut next.right_size else { return };
    size.own = own;
    if size.rerun
        && let Some(estimate) = next.rerun_estimate()
    {
        to_own(next, estimate);
    }
}

pub(super) fn rerun(next: &mut Request) -> Result<(), Refused> {
    let estimate = next.rerun_estimate().ok_or(Refused::OwnSize)?;
    to_own(next, estimate);
    requeue(next);
    Ok(())
}

fn to_own(next: &mut Request, estimate: Estimate) {
    next.estimate = estimate;
    if let Some(size) = &mut next.right_size {
        size.own = None;
        size.rerun = true;
    }
}
