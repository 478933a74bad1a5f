//! The replay against cases that can be reckoned by hand, and against chance.
#![allow(clippy::unwrap_used)]

use super::{Ending, Replay, RightSized, Setup, replay};
use crate::report::Report;
use crate::upstream::{Latency, LimiterKind, Upstream};
use crate::workload::{Job, ORIGIN, Workload};
use smoother_core::config::Config;
use smoother_core::scheduler::SchedulerConfig;
use smoother_core::{Millis, Priority, TenantId, Tokens, TokensPerMinute};

/// A lane of 6,000 tokens a minute with a bucket of 10 s, 1,000 tokens, beside a limiter of the same kind; a call takes
/// 1 s and 10 ms a token; nothing is on its way.
fn setup() -> Setup {
    let lane = "[lanes.test]\nmodel = \"m\"\nregion = \"us-east-1\"\ntokens_per_minute = 6000\noutput_burndown = 1\n\
                max_output_tokens = 900\npacing = \"bucket\"\nbucket_seconds = 10\n";
    let config = Config::load(Some(("test", lane)), []).unwrap();
    let lane = config.lanes.values().next().unwrap();
    Setup {
        scheduler: SchedulerConfig::of(&config, lane),
        model: lane.models[0].clone(),
        upstream: Upstream {
            limiter: LimiterKind::Bucket(Millis::from_secs(10)),
            latency: Latency {
                base: Millis::from_secs(1),
                per_token_ms: 10.0,
            },
            round_trip: Millis::ZERO,
            ..Upstream::default()
        },
        most: None,
        right_sized: RightSized::Nobody,
        seed: 1,
    }
}

fn job(at_ms: u64, input: u64, output: u64, max_tokens: u64) -> Job {
    Job {
        arrived: ORIGIN + Millis::new(at_ms),
        tenant: TenantId::default(),
        priority: Priority::Normal,
        input: Tokens::new(input),
        output: Tokens::new(output),
        max_tokens: Some(Tokens::new(max_tokens)),
        deadline: None,
    }
}

fn workload(jobs: Vec<Job>) -> Workload {
    Workload::new("by hand".to_owned(), Vec::new(), jobs)
}

/// Milliseconds since the origin of each start and end.
fn times(replay: &Replay) -> Vec<(Option<u64>, Option<u64>)> {
    let ms = |at: Option<smoother_core::Timestamp>| at.map(|at| at.since(ORIGIN).get());
    replay
        .fates
        .iter()
        .map(|fate| (ms(fate.started), ms(fate.ended)))
        .collect()
}

#[test]
fn two_calls_as_reckoned_by_hand() {
    // The lane's bucket is 2 % smaller than the limiter's: 980. The first takes 900 of them (800 + 100), so 80 are
    // left. The second needs 900 too: 820 more, at 100 a second, would be there after 8.2 s. But the first is over
    // after 1 s + 50 × 10 ms = 1.5 s and gives 50 back: 770 / 100 = 7.7 s after the first went.
    let work = workload(vec![job(0, 800, 50, 100), job(0, 800, 50, 100)]);
    let played = replay(&work, &setup());
    assert_eq!(
        times(&played),
        [(Some(0), Some(1_500)), (Some(7_700), Some(9_200))]
    );
    assert_eq!((played.throttled_tokens, played.calls.len()), (0, 2));
    let report = Report::of(&work, &setup(), &played);
    let waits = report.waits.last().unwrap().waits;
    assert_eq!(
        (waits.mean_ms, waits.p50_ms, waits.p95_ms, waits.max_ms),
        (3_850, 0, 7_700, 7_700)
    );
    // 1,700 tokens in 9.2 s of 100 a second.
    assert_eq!(
        (report.utilisation.tokens, report.utilisation.percent),
        (1_700, 184.78)
    );
    // Who knew that each costs 850, and had the whole 1,000, would wait for 700 of them: 7 s.
    assert_eq!(
        (report.bound.waits.max_ms, report.bound.utilisation_percent),
        (7_000, 200.0)
    );
}

#[test]
fn what_never_fits_is_refused_and_what_waits_too_long_expires() {
    let mut late = job(1, 800, 50, 100);
    late.deadline = Some(ORIGIN + Millis::from_secs(5));
    let mut long = job(30_000, 10, 500, 500);
    long.deadline = Some(ORIGIN + Millis::from_secs(33));
    let work = workload(vec![job(0, 800, 50, 100), late, job(2, 6_000, 1, 1), long]);
    let played = replay(&work, &setup());
    let endings: Vec<Ending> = played.fates.iter().map(|fate| fate.ending).collect();
    assert_eq!(
        endings,
        [
            Ending::Completed,
            Ending::Expired,
            Ending::Refused,
            Ending::Overran
        ]
    );
    assert_eq!(times(&played)[1], (None, Some(5_000)));
    // Broken off after 3 s, in 2 s of which 200 tokens came.
    assert_eq!(times(&played)[3], (Some(30_000), Some(33_000)));
    assert_eq!(played.calls[1].cost, Tokens::new(210));
    let report = Report::of(&work, &setup(), &played);
    let (requests, deadlines) = (&report.requests, &report.deadlines);
    assert_eq!((requests.expired, requests.overran, requests.refused), (1, 1, 1));
    assert_eq!((deadlines.all, deadlines.met), (2, 0));
}

#[test]
fn a_quota_believed_too_high_is_throttled_and_everything_still_ends() {
    let mut setup = setup();
    setup.upstream.tokens_per_minute = Some(TokensPerMinute::new(4_000));
    let work = workload((0..40).map(|n| job(n * 100, 300, 20, 50)).collect());
    let played = replay(&work, &setup);
    assert!(played.throttled_tokens > 0);
    assert!(played.fates.iter().all(|fate| fate.ending == Ending::Completed));
    assert_eq!(
        u64::from(played.fates.iter().map(|fate| fate.throttled).sum::<u32>()),
        played.throttled_tokens
    );
    let ended = played.ended.since(ORIGIN);
    // 12,800 tokens at 4,000 a minute, less the 666 of the bucket.
    assert!(ended >= Millis::from_secs(180), "{ended:?}");
}

/// 40 answers of 30 tokens by themselves, and two seconds later a crowd of eight, the last of which needs more.
fn taught() -> Workload {
    let mut jobs: Vec<Job> = (0..40).map(|n| job(n * 60_000, 10, 30, 800)).collect();
    let later = 40 * 60_000;
    jobs.extend((0..8).map(|n| job(later, 10, if n == 7 { 600 } else { 30 }, 800)));
    workload(jobs)
}

#[test]
fn right_sizing_learns_from_answers_reserves_less_and_reruns_what_it_cut() {
    let mut setup = setup();
    let plain = replay(&taught(), &setup);
    setup.right_sized = RightSized::Everybody;
    let sized = replay(&taught(), &setup);
    // Four times the longest, in steps of 64, once 32 answers are known.
    let reserved: Vec<u64> = sized.calls.iter().map(|call| call.reserved.get()).collect();
    assert_eq!((reserved[31], reserved[32], reserved[40]), (810, 138, 138));
    assert!(times(&sized)[46].0 < times(&plain)[46].0);
    let crowd = &sized.fates[40..];
    assert_eq!(crowd.iter().filter(|fate| fate.reran).count(), 1);
    assert!(crowd[7].reran && sized.fates[32].right_sized && !sized.fates[31].right_sized);
    assert_eq!(
        (sized.calls.len(), sized.calls[48].reserved),
        (49, Tokens::new(810))
    );
    let whole = |fate: &super::Fate| fate.ending == Ending::Completed && !fate.cut;
    assert!(sized.fates.iter().all(whole));
}

#[test]
fn what_waits_is_resized_once_its_size_is_known() {
    let mut setup = setup();
    setup.right_sized = RightSized::Everybody;
    let played = replay(&workload((0..80).map(|_| job(0, 10, 30, 800)).collect()), &setup);
    let reserved: Vec<u64> = played.calls.iter().map(|call| call.reserved.get()).collect();
    assert_eq!((reserved[31], reserved[79]), (810, 138));
    let few = reserved.iter().filter(|reserved| **reserved == 810).count();
    assert!(few <= 34, "those that had gone before: {few}");
}

#[test]
fn only_those_who_agreed_are_right_sized() {
    let mut setup = setup();
    setup.right_sized = RightSized::Of([TenantId::new("other").unwrap()].into());
    let played = replay(&taught(), &setup);
    assert!(played.fates.iter().all(|fate| !fate.right_sized && !fate.reran));
    // Cut by its caller's own max_tokens, an answer is not asked for again.
    setup.right_sized = RightSized::Everybody;
    let played = replay(&workload(vec![job(0, 100, 60, 40)]), &setup);
    assert_eq!(
        (played.fates[0].cut, played.fates[0].reran, played.calls[0].cost),
        (true, false, Tokens::new(140))
    );
}

#[test]
fn a_call_too_slow_for_the_lane_is_tried_again_and_then_fails() {
    let mut setup = setup();
    setup.scheduler.lane.call_timeout = Millis::from_secs(2);
    setup.scheduler.lane.max_tries = 2;
    let played = replay(&workload(vec![job(0, 10, 500, 500)]), &setup);
    assert_eq!((played.fates[0].ending, played.calls.len()), (Ending::Failed, 2));
}

#[test]
fn bands_share_by_their_weights_and_interactive_waits_least() {
    let mut jobs: Vec<Job> = (0..60)
        .map(|n| Job {
            priority: Priority::Batch,
            ..job(0, 200, 20 + n % 7, 50)
        })
        .collect();
    jobs.extend((0..20).map(|n| Job {
        priority: Priority::Interactive,
        ..job(n * 3_000, 50, 10, 20)
    }));
    let work = workload(jobs);
    let report = Report::of(&work, &setup(), &replay(&work, &setup()));
    let p95 = |name: &str| {
        report
            .waits
            .iter()
            .find(|band| band.band == name)
            .unwrap()
            .waits
            .p95_ms
    };
    assert!(
        p95("interactive") * 10 < p95("batch"),
        "{} {}",
        p95("interactive"),
        p95("batch")
    );
}

mod chance {
    use super::*;
    use proptest::prelude::*;

    prop_compose! {
        fn any_job()(at in 0u64..120_000, input in 0u64..900, output in 0u64..200, most in 1u64..300,
                     band in 0usize..3, timeout in proptest::option::of(1u64..60_000), tenant in 0u8..4) -> Job {
            let plain = job(at, input, output, most);
            Job {
                priority: Priority::ALL[band],
                tenant: TenantId::new(&format!("t{tenant}")).unwrap(),
                deadline: timeout.map(|timeout| plain.arrived + Millis::new(timeout)),
                ..plain
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn everyone_ends_once_calls_are_accounted_for_and_a_second_run_is_the_same(
            jobs in proptest::collection::vec(any_job(), 1..80), trip in 0u64..200, kind in 0usize..5,
        ) {
            let mut setup = setup();
            setup.upstream.round_trip = Millis::new(trip);
            setup.upstream.limiter = ["none", "bucket-10", "bucket-60", "fixed", "sliding"][kind].parse().unwrap();
            let work = workload(jobs);
            let played = replay(&work, &setup);
            prop_assert_eq!(&played, &replay(&work, &setup));
            for (job, fate) in work.jobs().iter().zip(&played.fates) {
                prop_assert!(fate.ending != Ending::Unfinished && fate.ended.is_some());
                prop_assert!(fate.started.is_none_or(|at| at >= job.arrived && Some(at) <= fate.ended));
                if let (Ending::Completed, Some(deadline)) = (fate.ending, job.deadline) {
                    prop_assert!(fate.ended <= Some(deadline + setup.upstream.round_trip));
                }
            }
            let report = Report::of(&work, &setup, &played);
            let ends = &report.requests;
            prop_assert_eq!(ends.completed + ends.expired + ends.overran + ends.refused + ends.failed, ends.all);
            let charged: Tokens = played.calls.iter().map(|call| call.cost).sum();
            prop_assert_eq!(report.tenants.each.iter().map(|one| one.tokens).sum::<u64>(), charged.get());
        }
    }
}
