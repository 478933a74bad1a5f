//! Whether a request's row, its calls and the states it passed tell one and the same story.

use smoother_core::lifecycle::State;
use smoother_core::{Call, Outcome, Request, Rev, Timestamp};

/// The states of a request with the version and the time of each.
pub(super) type Passed = [(Rev, State, Timestamp)];

/// What does not fit together.
pub(super) fn mistakes(request: &Request, calls: &[Call], passed: &Passed) -> Vec<String> {
    let mut found = Vec::new();
    row(request, &mut found);
    called(request, calls, &mut found);
    way(request, passed, &mut found);
    found
}

fn row(request: &Request, found: &mut Vec<String>) {
    let state = request.state;
    if state.is_terminal() != request.ended_at.is_some() {
        found.push(format!("it is {state}, and its end's time says otherwise"));
    }
    let told = match state {
        State::Completed => matches!(request.outcome, Some(Outcome::Answer { .. })),
        State::Failed => matches!(request.outcome, Some(Outcome::Failure(_))),
        _ => request.outcome.is_none(),
    };
    if !told {
        found.push(format!("it is {state}, and its outcome is another's"));
    }
    if (state == State::Released) != request.start_by.is_some() {
        found.push(format!("it is {state}, and its release's bound says otherwise"));
    }
}

fn called(request: &Request, calls: &[Call], found: &mut Vec<String>) {
    if u64::from(request.calls_made) != calls.len() as u64 {
        found.push(format!(
            "it made {} calls, and {} are stored",
            request.calls_made,
            calls.len()
        ));
    }
    for call in calls {
        if call.request != request.id || call.number > request.call {
            found.push(format!("call {} of {} is not its own", call.number, call.request));
        }
    }
    let runs = |call: &Call| call.number == request.call && call.settlement.is_none();
    if request.state == State::Running && !calls.iter().any(runs) {
        found.push(format!(
            "it is RUNNING, and its call {} is not open",
            request.call
        ));
    }
}

fn way(request: &Request, passed: &Passed, found: &mut Vec<String>) {
    let mut before: Option<(Rev, State)> = None;
    for (rev, state, _) in passed {
        let fits = match before {
            None => *rev == Rev::FIRST && matches!(state, State::Received | State::Queued),
            Some((last, from)) => *rev == last.next() && leads(from, *state),
        };
        if !fits {
            found.push(format!("it cannot have become {state} at version {}", rev.get()));
            return;
        }
        before = Some((*rev, *state));
    }
    if before != Some((request.rev, request.state)) {
        found.push(format!(
            "it is {} at version {}, and its events end elsewhere",
            request.state,
            request.rev.get()
        ));
    }
}

/// The lifecycle's arrows. A change that leaves the state as it was is one too; a dead letter may be sent again.
fn leads(from: State, to: State) -> bool {
    match (from, to) {
        (State::Received, State::Queued)
        | (State::Queued, State::Released)
        | (State::Released, State::Running | State::Queued)
        | (State::Running, State::Queued)
        | (State::Failed, State::Queued) => true,
        (from, to) => from == to || (to.is_terminal() && !from.is_terminal()),
    }
}
