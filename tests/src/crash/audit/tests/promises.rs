//! What clients were told, and what the store says has become of it.

use super::*;

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
