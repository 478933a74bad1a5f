//! The audit bites: sound records have no fault, and each doctored one has exactly its own.

mod calls;
mod promises;
mod quota;

use super::*;
use crate::crash::records::{Life, Passed, What};

const CLAUDE: &str = "us.anthropic.claude-sonnet-4-5-20250929-v1:0";
const KILL: u64 = 10_000;

fn told(at_ms: u64, mark: &str, what: What) -> Told {
    Told {
        at_ms,
        mark: mark.to_owned(),
        what,
    }
}

fn asked(mark: &str, fail_on_indeterminate: bool) -> Told {
    let how = "in a test".to_owned();
    told(
        1_000,
        mark,
        What::Asked {
            how,
            fail_on_indeterminate,
        },
    )
}

fn accepted(mark: &str, job: &str) -> Told {
    let (job, state) = (job.to_owned(), "QUEUED".to_owned());
    told(1_100, mark, What::Accepted { job, state })
}

fn seen(at_ms: u64, mark: &str, job: &str, state: &str, rev: u64) -> Told {
    let (job, state) = (job.to_owned(), state.to_owned());
    told(at_ms, mark, What::Seen { job, state, rev })
}

fn call(number: u32, started_ms: u64, ended_ms: u64, ending: &str, upstream: Option<&str>) -> Call {
    Call {
        number,
        started_ms,
        ended_ms: Some(ended_ms),
        ending: Some(ending.to_owned()),
        upstream: upstream.map(str::to_owned),
    }
}

fn upstream(id: &str, mark: &str, arrival_ms: u64, end_ms: u64, outcome: &str) -> Upstream {
    Upstream {
        request_id: id.to_owned(),
        model: CLAUDE.to_owned(),
        mark: Some(mark.to_owned()),
        invocation: Some(format!("invocation of {id}")),
        arrival_ms,
        end_ms: Some(end_ms),
        outcome: outcome.to_owned(),
        error: None,
        reserved: 200,
        charged: 100,
    }
}

/// Nine versions: queued, running at every second one as often as called, and the state at last.
fn journal(calls: usize, state: &str) -> Vec<Passed> {
    let state_at = |rev: u64| match usize::try_from(rev).unwrap() {
        9 => state,
        n if n % 2 == 0 && n <= calls * 2 => "RUNNING",
        _ => "QUEUED",
    };
    (1..=9)
        .map(|rev| Passed {
            rev,
            state: state_at(rev).to_owned(),
            at_ms: 1_000 + rev,
        })
        .collect()
}

fn row(id: &str, state: &str, calls: Vec<Call>) -> Row {
    Row {
        id: id.to_owned(),
        state: state.to_owned(),
        rev: 9,
        calls_made: u32::try_from(calls.len()).unwrap(),
        passed: journal(calls.len(), state),
        calls,
        digest: (state == "COMPLETED").then(|| format!("digest of {id}")),
    }
}

fn life(started_ms: u64, ended_ms: u64, end: End) -> Life {
    Life {
        started_ms,
        ready_ms: Some(started_ms + 300),
        asked_to_stop_ms: None,
        ended_ms,
        end,
    }
}

/// Three requests: a job whose first call was lost by the kill, a synchronous answer, and a job called off.
fn sound() -> Records {
    let rows = [
        row(
            "job-a",
            "COMPLETED",
            vec![
                call(1, 9_000, 12_000, "INDETERMINATE", None),
                call(2, 13_000, 14_000, "COMPLETED", Some("up-2")),
            ],
        ),
        row(
            "job-b",
            "COMPLETED",
            vec![call(1, 3_000, 4_000, "COMPLETED", Some("up-3"))],
        ),
        row("job-c", "CANCELLED", vec![call(1, 3_000, 4_000, "ABORTED", None)]),
    ];
    Records {
        told: vec![
            asked("a", false),
            accepted("a", "job-a"),
            told(1_200, "a", What::Again { job: "job-a".into() }),
            told(1_300, "a", What::Other { status: 409 }),
            seen(1_400, "a", "job-a", "QUEUED", 1),
            seen(14_100, "a", "job-a", "COMPLETED", 9),
            told(
                14_200,
                "a",
                What::Result {
                    job: "job-a".into(),
                    digest: "digest of job-a".into(),
                },
            ),
            asked("b", false),
            told(
                4_100,
                "b",
                What::Answered {
                    job: "job-b".into(),
                    digest: "digest of job-b".into(),
                },
            ),
            asked("c", true),
            accepted("c", "job-c"),
            told(
                4_100,
                "c",
                What::CalledOff {
                    job: "job-c".into(),
                    state: "CANCELLED".into(),
                },
            ),
        ],
        lives: vec![life(0, KILL, End::Killed), life(11_000, 20_000, End::Stopped)],
        rows: rows.into_iter().map(|row| (row.id.clone(), row)).collect(),
        upstream: vec![
            upstream("up-3", "b", 3_010, 3_990, "answered"),
            upstream("up-4", "c", 3_020, 3_900, "aborted"),
            upstream("up-1", "a", 9_010, 10_010, "aborted"),
            upstream("up-2", "a", 13_010, 13_990, "answered"),
        ],
        quotas: [(CLAUDE.to_owned(), 10_000)].into(),
        max_concurrency: 2,
    }
}

fn job<'a>(records: &'a mut Records, id: &str) -> &'a mut Row {
    records.rows.get_mut(id).unwrap()
}

/// The kinds of fault that records doctored so have.
fn kinds(doctor: impl FnOnce(&mut Records)) -> Vec<Kind> {
    let mut records = sound();
    doctor(&mut records);
    let (_, faults) = audit(&records);
    for fault in &faults {
        // A history names what it is about, whatever the fault.
        assert!(history(&records, fault).contains(&fault.what));
    }
    let mut kinds: Vec<Kind> = faults.into_iter().map(|fault| fault.kind).collect();
    kinds.dedup();
    kinds
}

#[test]
fn sound_records_have_no_fault() {
    let (counts, faults) = audit(&sound());
    assert_eq!(faults, []);
    assert_eq!(
        (counts.kills, counts.stops, counts.jobs, counts.acknowledged),
        (1, 1, 3, 3)
    );
    assert_eq!((counts.indeterminate, counts.in_flight_at_kills), (1, 1));
    // At up-2's arrival three calls have given back a hundred each, and it reserves two hundred.
    assert_eq!(counts.fullest_minute_permille, 50);
}

#[test]
fn a_server_that_fell_by_itself() {
    let status = "exit status: 101".to_owned();
    assert_eq!(
        kinds(|records| records.lives.push(life(21_000, 22_000, End::ByItself { status }))),
        [Kind::Fell]
    );
}

#[test]
fn a_history_holds_what_every_witness_knows() {
    let mut records = sound();
    job(&mut records, "job-a").digest = None;
    let (_, faults) = audit(&records);
    let text = history(&records, &faults[0]);
    for part in [
        "Result: COMPLETED without a result",
        "job job-a, mark a",
        "1100 client   Accepted",
        "9000 server   call 1 of job-a begins",
        "1009 store    rev 9 of job-a: COMPLETED",
        "9010 upstream up-1",
        "10000 driver   life 0 is killed",
        "13990 upstream up-2 ends answered",
    ] {
        assert!(text.contains(part), "{part} is not in:\n{text}");
    }
    assert!(!text.contains("job-b"), "another request has no place in it");
}
