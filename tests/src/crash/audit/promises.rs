//! What clients were told, against the rows at the end.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::{Case, Fault, Kind, is_terminal, sorted};
use crate::crash::records::{Row, Told, What};

pub(super) fn check(case: &Case<'_>) -> Vec<Fault> {
    let mut faults = Vec::new();
    for row in sorted(&case.records.rows) {
        at_the_end(case, row, &mut faults);
        passed(case, row, &mut faults);
    }
    let marks: BTreeMap<&&str, &Vec<&Told>> = case.told.iter().collect();
    let mut owners: HashMap<&str, &str> = HashMap::new();
    for (mark, lines) in marks {
        keys(mark, lines, &mut faults);
        let mut seen: HashMap<&str, (u64, &str)> = HashMap::new();
        for line in lines {
            let Some(job) = line.what.job() else { continue };
            if *owners.entry(job).or_insert(mark) != *mark {
                let what = format!("job {job} was given to {mark} and to {}", owners[job]);
                faults.push(case.fault(Kind::Foreign, job, what));
            }
            match case.records.rows.get(job) {
                Some(row) => kept(case, row, line, &mut faults),
                None => {
                    let what = format!("told {:?}, and the job is gone", line.what);
                    faults.push(case.fault(Kind::Lost, job, what));
                }
            }
            if let What::Seen { state, rev, .. } = &line.what {
                let before = seen.insert(job, (*rev, state));
                if before.is_some_and(|before| !follows(before, (*rev, state))) {
                    let what = format!("seen {state} at rev {rev} after {before:?}");
                    faults.push(case.fault(Kind::Changed, job, what));
                }
            }
        }
    }
    faults
}

/// Each job has ended, in a state that its calls and its result bear out.
fn at_the_end(case: &Case<'_>, row: &Row, faults: &mut Vec<Fault>) {
    let mut fault = |kind, what: String| faults.push(case.fault(kind, &row.id, what));
    if !is_terminal(&row.state) {
        fault(Kind::Unfinished, format!("still {} after the drain", row.state));
    }
    let completed: Vec<_> = row.calls.iter().filter(|call| call.ended("COMPLETED")).collect();
    if row.state != "COMPLETED" {
        if row.digest.is_some() {
            fault(Kind::Changed, format!("{} with a result", row.state));
        }
        return;
    }
    if row.digest.is_none() {
        fault(Kind::Result, "COMPLETED without a result".to_owned());
    }
    if completed.len() != 1 {
        fault(
            Kind::Changed,
            format!("COMPLETED by {} completed calls", completed.len()),
        );
    }
    let mark = case.mark_of.get(row.id.as_str());
    for call in completed {
        let found = call.upstream.as_deref().and_then(|id| case.upstream.get(id));
        let answered = found.filter(|up| up.outcome == "answered");
        match answered {
            None => fault(
                Kind::Result,
                format!(
                    "completed by call {}, which upstream was {:?}",
                    call.number,
                    found.map(|up| &up.outcome)
                ),
            ),
            Some(up) if mark.is_some_and(|mark| up.mark.as_deref() != Some(*mark)) => {
                fault(Kind::Foreign, format!("completed by the answer to {:?}", up.mark));
            }
            Some(_) => {}
        }
    }
}

/// The store's journal leaves no version out, and holds one terminal state, its last.
fn passed(case: &Case<'_>, row: &Row, faults: &mut Vec<Fault>) {
    let mut fault = |kind, what: String| faults.push(case.fault(kind, &row.id, what));
    let revs = row.passed.iter().map(|passed| passed.rev);
    if !revs.eq(1..=row.rev) {
        fault(
            Kind::Changed,
            format!("at rev {}, and has passed {:?}", row.rev, row.passed),
        );
    }
    let ends: Vec<&str> = row
        .passed
        .iter()
        .map(|p| p.state.as_str())
        .filter(|s| is_terminal(s))
        .collect();
    let last = row.passed.last().map(|passed| passed.state.as_str());
    if is_terminal(&row.state) && (ends.len() != 1 || last != Some(&row.state)) {
        fault(
            Kind::Changed,
            format!("{} in the end, and has passed {:?}", row.state, row.passed),
        );
    }
    // A change while it runs is no claim.
    let running = |at: usize| row.passed.get(at).is_some_and(|passed| passed.state == "RUNNING");
    let claims = (0..row.passed.len())
        .filter(|at| running(*at) && !at.checked_sub(1).is_some_and(running))
        .count();
    if claims != row.calls_made as usize {
        fault(
            Kind::Numbering,
            format!("claimed {claims} times, calls_made is {}", row.calls_made),
        );
    }
}

/// What one line said still holds.
fn kept(case: &Case<'_>, row: &Row, line: &Told, faults: &mut Vec<Fault>) {
    let mut fault = |kind, what: String| faults.push(case.fault(kind, &row.id, what));
    match &line.what {
        What::Accepted { state, .. } | What::Seen { state, .. } | What::CalledOff { state, .. }
            if is_terminal(state) && *state != row.state =>
        {
            fault(
                Kind::Changed,
                format!("told {state}, and is {} in the end", row.state),
            );
        }
        What::Seen { rev, .. } if *rev > row.rev => {
            fault(
                Kind::Changed,
                format!("seen at rev {rev}, and is at rev {} in the end", row.rev),
            );
        }
        What::CalledOff { state, .. } if !is_terminal(state) => {
            fault(Kind::Changed, format!("called off, and told {state}"));
        }
        What::Result { digest, .. } | What::Answered { digest, .. } => {
            if row.state != "COMPLETED" {
                fault(
                    Kind::Changed,
                    format!("answered, and is {} in the end", row.state),
                );
            } else if row.digest.as_ref() != Some(digest) {
                fault(
                    Kind::Result,
                    format!("answered {digest}, and keeps {:?}", row.digest),
                );
            }
        }
        _ => {}
    }
}

/// One key is one job, and refuses another body.
fn keys(mark: &str, lines: &[&Told], faults: &mut Vec<Fault>) {
    let given = lines.iter().filter_map(|line| match &line.what {
        What::Accepted { job, .. } | What::Again { job } => Some(job.as_str()),
        _ => None,
    });
    let ids: BTreeSet<&str> = given.collect();
    let mut fault = |what: String| {
        let job = ids.iter().next().copied().unwrap_or_default();
        faults.push(Fault::of_job(Kind::Key, job, Some(mark), what));
    };
    if ids.len() > 1 {
        fault(format!("one key, and the jobs {ids:?}"));
    }
    for line in lines {
        if let What::Other { status } = line.what
            && status != 409
        {
            fault(format!(
                "another body under the same key was answered {status}, not 409"
            ));
        }
    }
}

/// A job's versions only rise, one version is one state, and nothing comes after a terminal one.
fn follows(before: (u64, &str), now: (u64, &str)) -> bool {
    if now.0 == before.0 {
        return now.1 == before.1;
    }
    now.0 > before.0 && !is_terminal(before.1)
}
