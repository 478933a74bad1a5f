//! Everything all witnesses know of one request, in order of time.

use std::collections::HashSet;
use std::fmt::Write;

use super::{Case, Fault};
use crate::crash::records::{End, Records, Row};

/// The fault and the whole history of what it is about.
pub fn history(records: &Records, fault: &Fault) -> String {
    let case = Case::new(records);
    let mut text = format!("{:?}: {}\n", fault.kind, fault.what);
    let known = fault
        .job
        .as_deref()
        .and_then(|job| case.mark_of.get(job).copied());
    let mark = fault.mark.as_deref().or(known);
    if let Some(job) = &fault.job {
        let _ = writeln!(text, "  job {job}, mark {}", mark.unwrap_or("unknown"));
    }
    let mut lines: Vec<(u64, String)> = Vec::new();
    for line in mark.and_then(|mark| case.told.get(mark)).into_iter().flatten() {
        lines.push((line.at_ms, format!("client   {:?}", line.what)));
    }
    let of_this = |row: &&Row| {
        fault.job.as_deref() == Some(&row.id)
            || mark.is_some_and(|mark| case.mark_of.get(row.id.as_str()).copied() == Some(mark))
    };
    let mut named: HashSet<&str> = HashSet::new();
    for row in records.rows.values().filter(of_this) {
        let _ = writeln!(
            text,
            "  job {} is {} at rev {}, calls_made {}, result {:?}",
            row.id, row.state, row.rev, row.calls_made, row.digest
        );
        of_row(row, &mut lines);
        named.extend(row.calls.iter().filter_map(|call| call.upstream.as_deref()));
    }
    for up in &records.upstream {
        if (mark.is_some() && up.mark.as_deref() == mark) || named.contains(up.request_id.as_str()) {
            let (id, mark, outcome) = (&up.request_id, &up.mark, &up.outcome);
            lines.push((
                up.arrival_ms,
                format!("upstream {id} ({mark:?}) arrives, {:?}", up.error),
            ));
            lines.extend(
                up.end_ms
                    .map(|end| (end, format!("upstream {id} ends {outcome}"))),
            );
        }
    }
    lives(records, &mut lines);
    lines.sort();
    for (at, line) in lines {
        let _ = writeln!(text, "  {at} {line}");
    }
    text
}

fn of_row(row: &Row, lines: &mut Vec<(u64, String)>) {
    for passed in &row.passed {
        let words = format!("store    rev {} of {}: {}", passed.rev, row.id, passed.state);
        lines.push((passed.at_ms, words));
    }
    for call in &row.calls {
        let begins = format!("server   call {} of {} begins", call.number, row.id);
        lines.push((call.started_ms, begins));
        if let Some(end) = call.ended_ms {
            let words = format!(
                "server   call {} ends {:?}, upstream {:?}",
                call.number, call.ending, call.upstream
            );
            lines.push((end, words));
        }
    }
}

/// The server's lives while the request lived.
fn lives(records: &Records, lines: &mut Vec<(u64, String)>) {
    let times = lines.iter().map(|(at, _)| *at);
    let (Some(first), Some(last)) = (times.clone().min(), times.max()) else {
        return;
    };
    for (number, life) in records.lives.iter().enumerate() {
        if life.ended_ms < first || life.started_ms > last {
            continue;
        }
        lines.push((life.started_ms, format!("driver   life {number} starts")));
        lines.extend(
            life.ready_ms
                .map(|at| (at, format!("driver   life {number} is ready"))),
        );
        let told = |at| (at, format!("driver   life {number} is sent SIGTERM"));
        lines.extend(life.asked_to_stop_ms.map(told));
        let how = match &life.end {
            End::Killed => "is killed",
            End::Stopped => "has stopped",
            End::ByItself { .. } => "ends by itself",
        };
        lines.push((life.ended_ms, format!("driver   life {number} {how}")));
    }
}
