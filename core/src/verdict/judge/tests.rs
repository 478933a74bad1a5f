//! Every row of the verdict table, in every situation that overrules it.

use super::*;
use proptest::prelude::*;
use std::collections::HashSet;

const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);

/// Every kind; the match keeps the list from falling behind the type.
fn kinds() -> Vec<ModelErrorKind> {
    use ModelErrorKind::*;
    let mut all = ThrottleCause::ALL.map(Throttled).to_vec();
    let rest = [
        Unavailable,
        Internal,
        ModelTimeout,
        ModelFailed,
        NotReady,
        Validation,
        AccessDenied,
        NotFound,
        Connect,
        Cut,
        Stalled,
        Malformed,
        Setup,
    ];
    all.extend(rest);
    for kind in &all {
        match kind {
            Throttled(_) | Unavailable | Internal | ModelTimeout | ModelFailed | NotReady | Validation
            | AccessDenied | NotFound | Connect | Cut | Stalled | Malformed | Setup => {}
        }
    }
    assert_eq!(all.iter().collect::<HashSet<_>>().len(), 17);
    all
}

fn calm() -> Situation {
    Situation {
        door: Door::Sync,
        tries: 0,
        max_tries: 3,
        throttled: 0,
        started_output: false,
        cut_short: false,
        has_fallback: false,
        deadline: None,
        retry_after: None,
        now: NOW,
        random: u64::MAX,
    }
}

fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Done => "done",
        Verdict::Rerun => "rerun",
        Verdict::Retry { .. } => "retry",
        Verdict::Snooze { .. } => "snooze",
        Verdict::Fallback => "fallback",
        Verdict::Park { .. } => "park",
        Verdict::Discard => "discard",
    }
}

/// Each kind's verdict by itself, written a second time and in other words than the table.
fn expected(kind: ModelErrorKind) -> &'static str {
    use ModelErrorKind::*;
    match kind {
        Throttled(ThrottleCause::Day) => "park",
        Throttled(_) | Unavailable => "snooze",
        Internal | ModelTimeout | ModelFailed | NotReady | Connect | Cut | Stalled | Malformed => "retry",
        AccessDenied | NotFound | Setup | Validation => "discard",
    }
}

#[test]
fn every_row_by_itself() {
    for kind in kinds() {
        assert_eq!(word(judge(Some(kind), &calm())), expected(kind), "{kind:?}");
    }
    assert_eq!(judge(None, &calm()), Verdict::Done);
    let cut_short = Situation {
        cut_short: true,
        ..calm()
    };
    assert_eq!(judge(None, &cut_short), Verdict::Rerun);
    // What the error says goes first: nobody saw an answer.
    assert_eq!(
        word(judge(Some(ModelErrorKind::Validation), &cut_short)),
        "discard"
    );
}

#[test]
fn the_last_try_ends_only_what_spends_tries() {
    for kind in kinds() {
        let last = Situation { tries: 2, ..calm() };
        let means = if expected(kind) == "retry" {
            "discard"
        } else {
            expected(kind)
        };
        assert_eq!(word(judge(Some(kind), &last)), means, "{kind:?}");
    }
}

/// As [`expected`], where another lane is at hand.
fn expected_with_fallback(kind: ModelErrorKind) -> &'static str {
    use ModelErrorKind::*;
    match kind {
        AccessDenied | NotFound | Setup | Throttled(ThrottleCause::Day) => "fallback",
        other => expected(other),
    }
}

#[test]
fn another_lane_takes_what_this_one_cannot_serve() {
    let with = Situation {
        has_fallback: true,
        ..calm()
    };
    let last = Situation { tries: 2, ..with };
    let short = Situation { throttled: 2, ..with };
    for kind in kinds() {
        assert_eq!(
            word(judge(Some(kind), &with)),
            expected_with_fallback(kind),
            "{kind:?}"
        );
        let means = match expected(kind) {
            "retry" => "fallback",
            _ => expected_with_fallback(kind),
        };
        assert_eq!(word(judge(Some(kind), &last)), means, "{kind:?}, its last try");
        let capacity = throttle_of(kind) == Some(ThrottleCause::Capacity);
        let means = if capacity {
            "fallback"
        } else {
            expected_with_fallback(kind)
        };
        assert_eq!(word(judge(Some(kind), &short)), means, "{kind:?}, often refused");
    }
    // The request's own fault is nobody else's to mend, and what was shown is final.
    let shown = Situation {
        started_output: true,
        ..last
    };
    assert_eq!(judge(Some(ModelErrorKind::Validation), &last), Verdict::Discard);
    assert_eq!(judge(Some(ModelErrorKind::Internal), &shown), Verdict::Discard);
}

#[test]
fn a_deadline_too_near_for_a_wait_is_tried_in_the_other_lane() {
    for kind in kinds().into_iter().filter(|kind| expected(*kind) != "discard") {
        let situation = Situation {
            has_fallback: true,
            deadline: Some(NOW + Millis::new(250)),
            ..calm()
        };
        assert_eq!(judge(Some(kind), &situation), Verdict::Fallback, "{kind:?}");
    }
}

#[test]
fn what_a_caller_on_the_wire_has_seen_is_final() {
    for kind in kinds() {
        let shown = Situation {
            started_output: true,
            ..calm()
        };
        assert_eq!(judge(Some(kind), &shown), Verdict::Discard, "{kind:?}");
        let job = Situation {
            door: Door::Job,
            ..shown
        };
        assert_eq!(
            word(judge(Some(kind), &job)),
            expected(kind),
            "{kind:?}: a job's readers begin anew"
        );
    }
    let shown = Situation {
        started_output: true,
        ..calm()
    };
    assert_eq!(judge(None, &shown), Verdict::Done);
}

#[test]
fn no_wait_reaches_the_deadline() {
    for kind in kinds() {
        let short = Situation {
            deadline: Some(NOW + Millis::new(250)),
            ..calm()
        };
        let waits = ["retry", "snooze", "park"].contains(&expected(kind));
        let means = if waits { "discard" } else { expected(kind) };
        assert_eq!(word(judge(Some(kind), &short)), means, "{kind:?}");
        let long = Situation {
            deadline: Some(NOW + Millis::from_secs(7_200)),
            ..calm()
        };
        assert_eq!(word(judge(Some(kind), &long)), expected(kind), "{kind:?}");
    }
}

#[test]
fn bedrocks_own_hint_is_kept() {
    let told = Situation {
        retry_after: Some(Millis::new(9_000)),
        ..calm()
    };
    let verdict = judge(Some(ModelErrorKind::Unavailable), &told);
    assert_eq!(
        verdict,
        Verdict::Snooze {
            until: NOW + Millis::new(9_000)
        }
    );
}

#[test]
fn a_parked_lane_probes_hourly_and_at_midnight() {
    let day = Some(ModelErrorKind::Throttled(ThrottleCause::Day));
    let at = |hour: u64, minute: u64| Timestamp::from_millis((hour * 60 + minute) * 60_000);
    let until = |now| judge(day, &Situation { now, ..calm() });
    assert_eq!(until(at(10, 5)), Verdict::Park { until: at(11, 5) });
    assert_eq!(until(at(23, 50)), Verdict::Park { until: at(24, 0) });
    assert_eq!(until(at(24, 0)), Verdict::Park { until: at(25, 0) });
}

#[test]
fn a_throttle_never_returns_at_once() {
    let throttled = Some(ModelErrorKind::Throttled(ThrottleCause::Tokens));
    for (earlier, least) in [(0, 125), (1, 250), (3, 1_000), (20, 5_000)] {
        let situation = Situation {
            throttled: earlier,
            random: 0,
            ..calm()
        };
        assert_eq!(
            judge(throttled, &situation),
            Verdict::Snooze {
                until: NOW + Millis::new(least)
            }
        );
    }
}

proptest! {
    #[test]
    fn a_verdict_never_waits_into_the_past_or_past_the_deadline(
        index in 0usize..17, tries: u32, max_tries: u32, throttled: u32, random: u64,
        deadline in proptest::option::of(0u64..100_000), hint in proptest::option::of(0u64..100_000),
    ) {
        let situation = Situation {
            tries, max_tries, throttled, random,
            deadline: deadline.map(|ms| NOW + Millis::new(ms)),
            retry_after: hint.map(Millis::new),
            ..calm()
        };
        match judge(Some(kinds()[index]), &situation) {
            Verdict::Retry { at } | Verdict::Snooze { until: at } | Verdict::Park { until: at } => {
                prop_assert!(at >= NOW);
                prop_assert!(situation.deadline.is_none_or(|deadline| at < deadline));
            }
            Verdict::Done | Verdict::Rerun => prop_assert!(false, "an error is never done"),
            Verdict::Fallback | Verdict::Discard => {}
        }
    }
}
