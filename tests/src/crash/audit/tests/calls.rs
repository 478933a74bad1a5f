//! Call numbers, the simulator's log, and the kills.

use super::*;

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
