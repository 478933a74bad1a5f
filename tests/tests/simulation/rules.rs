//! What may follow what in the life of a request, written down a second time and by itself.

use smoother_core::{Call, Outcome, Request, State};

/// What is wrong with a row that follows another.
pub fn step(before: Option<&Request>, after: &Request) -> Vec<String> {
    let mut faults = Vec::new();
    let Some(before) = before else {
        if after.state != State::Queued || after.call.get() != 0 {
            faults.push(format!("stored first as {}", after.state));
        }
        return faults;
    };
    let (from, to) = (before.state, after.state);
    let redriven = after.redriven == before.redriven + 1;
    if !allowed(from, to, redriven) {
        faults.push(format!("{from} was followed by {to}"));
    }
    if after.rev.get() != before.rev.get() + 1 {
        let (was, is) = (before.rev.get(), after.rev.get());
        faults.push(format!("version {was} was followed by {is}"));
    }
    let released = u32::from(from != State::Released && to == State::Released);
    // A release whose write failed is made void: its number is spent, and nothing else changes.
    let void = from == State::Queued && to == State::Queued && after.lane == before.lane;
    let spent = u32::from(void && after.call.get() == before.call.get() + 1);
    if after.call.get() != before.call.get() + released + spent {
        faults.push(format!(
            "call {} was followed by call {}",
            before.call, after.call
        ));
    }
    let claimed = u32::from(from != State::Running && to == State::Running);
    if after.calls_made != before.calls_made + claimed {
        faults.push(format!(
            "{} calls made became {}",
            before.calls_made, after.calls_made
        ));
    }
    if after.lane != before.lane && to != State::Queued {
        faults.push(format!("changed its lane as {to}"));
    }
    if after.body_hash != before.body_hash || after.tenant != before.tenant {
        faults.push("became another request".to_owned());
    }
    faults.extend(end(before, after));
    faults
}

fn end(before: &Request, after: &Request) -> Option<String> {
    if before.state == after.state || after.state != State::Completed {
        return None;
    }
    let answered = matches!(after.outcome, Some(Outcome::Answer { .. }));
    if !answered {
        return Some("COMPLETED without an answer".to_owned());
    }
    if !after.degraded && before.state != State::Running {
        return Some(format!("answered while it was {}", before.state));
    }
    let (deadline, ended) = (after.deadline?, after.ended_at?);
    (ended > deadline).then(|| format!("COMPLETED {} after its deadline", ended.since(deadline)))
}

const fn allowed(from: State, to: State, redriven: bool) -> bool {
    use State::{Cancelled, Completed, Expired, Failed, Queued, Received, Released, Running};
    match (from, to) {
        (Failed, Queued) => redriven,
        (Failed, Failed) | (Queued, Queued) | (Released, Released) | (Running, Running) => true,
        (Queued, Released | Completed) | (Released, Queued | Running) | (Running, Queued | Completed) => true,
        (Queued | Released | Running, Failed | Cancelled | Expired) => true,
        (Received | Completed | Cancelled | Expired | Failed, _)
        | (_, Received)
        | (Queued, Running)
        | (Released, Completed)
        | (Running, Released) => false,
    }
}

/// What is wrong with a claim.
pub fn claim(row: Option<&Request>, call: &Call, known: bool) -> Vec<String> {
    let mut faults = Vec::new();
    if known {
        faults.push(format!("call {} was claimed twice", call.number));
    }
    let Some(row) = row else {
        faults.push("claimed without a row".to_owned());
        return faults;
    };
    if row.state != State::Running || row.call != call.number || row.lane != call.lane {
        faults.push(format!(
            "claimed as call {} while it was {} call {}",
            call.number, row.state, row.call
        ));
    }
    let late = row
        .latest_start
        .filter(|latest| call.charged_at > *latest && row.calls_made <= 1);
    if late.is_some() {
        faults.push("started after its longest wait".to_owned());
    }
    faults
}
