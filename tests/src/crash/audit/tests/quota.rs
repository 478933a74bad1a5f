//! The simulator's log against the quota.

use super::*;

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
