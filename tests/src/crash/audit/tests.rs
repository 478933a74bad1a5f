//! The audit bites: sound records have no fault, and each doctored one has exactly its own.

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
fn a_lost_job() {
    assert_eq!(
        kinds(|records| {
            records.rows.remove("job-c");
            records.upstream.retain(|up| up.mark.as_deref() != Some("c"));
        }),
        [Kind::Lost]
    );
}

#[test]
fn a_job_that_never_ends() {
    assert_eq!(
        kinds(|records| {
            let job = job(records, "job-c");
            job.state = "QUEUED".into();
            job.passed = journal(1, "QUEUED");
            records.told.pop();
        }),
        [Kind::Unfinished]
    );
}

#[test]
fn two_terminal_states() {
    assert_eq!(
        kinds(|records| records.told.push(seen(5_000, "c", "job-c", "FAILED", 5))),
        [Kind::Changed]
    );
    assert_eq!(
        kinds(|records| job(records, "job-c").state = "EXPIRED".into()),
        [Kind::Changed]
    );
    // Cancelled in the end, but its only call completed and was answered.
    assert_eq!(
        kinds(|records| job(records, "job-b").state = "CANCELLED".into()),
        [Kind::Changed]
    );
}

#[test]
fn a_state_that_a_crash_has_taken_back() {
    assert_eq!(kinds(|records| job(records, "job-a").rev = 8), [Kind::Changed]);
    assert_eq!(
        kinds(|records| {
            let at = records
                .told
                .iter()
                .position(|line| matches!(line.what, What::Seen { .. }));
            records
                .told
                .insert(at.unwrap(), seen(1_350, "a", "job-a", "PROCESSING", 3));
        }),
        [Kind::Changed]
    );
}

#[test]
fn a_journal_with_a_gap_or_a_second_end() {
    assert_eq!(
        kinds(|records| drop(job(records, "job-a").passed.remove(4))),
        [Kind::Changed]
    );
    assert_eq!(
        kinds(|records| job(records, "job-a").passed[5].state = "FAILED".into()),
        [Kind::Changed]
    );
    assert_eq!(
        kinds(|records| job(records, "job-a").passed[5].state = "RUNNING".into()),
        [Kind::Numbering],
        "claimed once more than it was called"
    );
    let goes_on = |records: &mut Records| job(records, "job-a").passed[4].state = "RUNNING".into();
    assert_eq!(kinds(goes_on), [], "a change while it runs is no claim");
}

#[test]
fn a_result_that_changed_or_went() {
    assert_eq!(
        kinds(|records| job(records, "job-b").digest = Some("another".into())),
        [Kind::Result]
    );
    assert_eq!(
        kinds(|records| job(records, "job-a").digest = None),
        [Kind::Result]
    );
    assert_eq!(
        kinds(|records| records.upstream[3].outcome = "aborted".into()),
        [Kind::Result],
        "nobody upstream gave this answer"
    );
}

#[test]
fn the_answer_to_another_request() {
    assert_eq!(
        kinds(|records| records.upstream[0].mark = Some("a".into())),
        [Kind::Foreign]
    );
    assert!(kinds(|records| records.told.push(accepted("b", "job-a"))).contains(&Kind::Foreign));
}

#[test]
fn a_key_that_names_two_jobs_or_two_bodies() {
    assert_eq!(
        kinds(|records| records.told[2].what = What::Again { job: "job-c".into() }),
        [Kind::Foreign, Kind::Key]
    );
    assert_eq!(
        kinds(|records| records.told[3].what = What::Other { status: 202 }),
        [Kind::Key]
    );
}

#[test]
fn a_call_number_used_twice() {
    // While call 2 runs, beside the call that it names.
    assert_eq!(
        kinds(|records| records
            .upstream
            .push(upstream("up-5", "a", 13_500, 13_900, "aborted"))),
        [Kind::CallTwice]
    );
    // While call 1 runs, whose fate is unknown.
    assert_eq!(
        kinds(|records| records
            .upstream
            .push(upstream("up-5", "a", 9_500, 9_900, "answered"))),
        [Kind::CallTwice]
    );
    // Call 1 was never sent and call 2 twice: there are enough numbers, but none at that time.
    assert_eq!(
        kinds(|records| {
            records.upstream.remove(2);
            records
                .upstream
                .push(upstream("up-5", "a", 13_500, 13_900, "aborted"));
        }),
        [Kind::CallTwice]
    );
    // One Bedrock id for two numbers.
    assert_eq!(
        kinds(|records| {
            let twice = call(3, 13_990, 14_500, "COMPLETED", Some("up-2"));
            job(records, "job-a").calls.push(twice);
            job(records, "job-a").calls_made = 3;
            job(records, "job-a").passed = journal(3, "COMPLETED");
            job(records, "job-a").calls[1].ended_ms = Some(13_980);
        }),
        [Kind::Changed, Kind::CallTwice]
    );
}

#[test]
fn a_retry_that_the_sdk_made_itself() {
    assert_eq!(
        kinds(|records| records.upstream[3].invocation = records.upstream[2].invocation.clone()),
        [Kind::CallTwice]
    );
}

#[test]
fn numbers_that_do_not_rise_or_overlap() {
    assert_eq!(
        kinds(|records| job(records, "job-b").calls_made = 2),
        [Kind::Numbering]
    );
    assert_eq!(
        kinds(|records| job(records, "job-a").calls[1].number = 1),
        [Kind::Numbering]
    );
    // A number that nobody claimed is left out, and no fault.
    assert_eq!(kinds(|records| job(records, "job-a").calls[1].number = 4), []);
    assert_eq!(
        kinds(|records| job(records, "job-a").calls[0].ended_ms = Some(13_001)),
        [Kind::Numbering]
    );
}

#[test]
fn an_upstream_call_of_a_job_no_client_knows_needs_a_number_too() {
    // The submission was cut off by the kill: its client knows of no job, but the store does.
    let unknown = |records: &mut Records| {
        records.told.push(asked("d", false));
        let up = upstream("up-6", "d", 9_500, 10_005, "aborted");
        records.upstream.insert(3, up);
    };
    assert_eq!(kinds(unknown), [Kind::CallTwice]);
    assert_eq!(
        kinds(|records| {
            unknown(records);
            let call = call(1, 9_400, 12_000, "INDETERMINATE", None);
            let row = row("job-d", "CANCELLED", vec![call]);
            records.rows.insert("job-d".into(), row);
        }),
        []
    );
}

#[test]
fn calls_of_unknown_jobs_are_matched_so_that_the_most_find_one() {
    let unknown = |records: &mut Records, late: u64| {
        for (mark, at) in [("d", 10_000), ("e", 9_500)] {
            records.told.push(asked(mark, false));
            records.upstream.push(upstream(mark, mark, at, at + 5, "aborted"));
        }
        for (id, from, to) in [("job-d", 8_000, 9_600), ("job-e", late, 12_000)] {
            let row = row(id, "CANCELLED", vec![call(1, from, to, "INDETERMINATE", None)]);
            records.rows.insert(id.into(), row);
        }
    };
    // The earlier arrival fits the first job only, the later one both.
    assert_eq!(kinds(|records| unknown(records, 10_400)), []);
    assert_eq!(
        kinds(|records| unknown(records, 10_501)),
        [Kind::CallTwice, Kind::Indeterminate]
    );
    // A refusal that names the job tells whose it is.
    let refused = |job: &str| What::Refused {
        status: 429,
        error: "in a test".into(),
        job: Some(job.into()),
    };
    assert_eq!(
        kinds(|records| {
            unknown(records, 10_400);
            records.told.push(told(9_900, "d", refused("job-d")));
        }),
        [Kind::CallTwice]
    );
}

#[test]
fn a_call_lost_without_a_kill_or_kept_through_one() {
    assert_eq!(
        kinds(|records| records.lives[0].end = End::Stopped),
        [Kind::Indeterminate]
    );
    assert_eq!(
        kinds(|records| job(records, "job-a").calls[0].ending = Some("ABORTED".into())),
        [Kind::Indeterminate]
    );
}

#[test]
fn a_request_called_again_against_its_policy() {
    assert_eq!(
        kinds(|records| records.told[0] = asked("a", true)),
        [Kind::Indeterminate]
    );
}

#[test]
fn an_overspent_window() {
    // Fifty more calls in a minute that holds ten thousand tokens: 200 each while they run.
    assert_eq!(
        kinds(|records| crowd(records, 50, |n| upstream(
            &format!("x{n}"),
            "c",
            20_000 + n,
            80_000,
            "aborted"
        ))),
        [Kind::Overspent, Kind::Concurrency]
    );
    // What a call gives back counts no more: a hundred and fifty of a hundred each would not fit, ninety do.
    let settled = |n| upstream(&format!("x{n}"), "c", 20_000 + 10 * n, 20_005 + 10 * n, "aborted");
    assert_eq!(kinds(|records| crowd(records, 90, settled)), []);
    assert_eq!(kinds(|records| crowd(records, 150, settled)), [Kind::Overspent]);
    // A minute later there is room again.
    let apart = |n| {
        upstream(
            &format!("x{n}"),
            "c",
            20_000 + 1_000 * n,
            20_005 + 1_000 * n,
            "aborted",
        )
    };
    assert_eq!(kinds(|records| crowd(records, 150, apart)), []);
}

/// More upstream calls, each with a call number of a job of its own.
fn crowd(records: &mut Records, many: u64, make: impl Fn(u64) -> Upstream) {
    for n in 0..many {
        let up = make(n);
        let (from, to) = (up.arrival_ms, up.end_ms.unwrap());
        let row = row(
            &format!("crowd-{n}"),
            "CANCELLED",
            vec![call(1, from, to, "ABORTED", Some(&up.request_id))],
        );
        records.rows.insert(row.id.clone(), row);
        records.upstream.push(up);
    }
}

#[test]
fn a_ledger_that_runs_into_the_limiter() {
    let throttled = |n: u64| {
        let mut up = upstream(&format!("x{n}"), "c", 20_000 + n, 20_000 + n, "refused");
        up.error = Some("ThrottlingException: Too many tokens, please wait before trying again.".into());
        up
    };
    assert_eq!(kinds(|records| crowd(records, 1, throttled)), [Kind::Overspent]);
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
