#![allow(clippy::unwrap_used, clippy::panic)]

use proptest::prelude::*;

use super::cost::{Usage, default_burndown};
use super::*;
use crate::settings::LimiterKind;

const LIMITERS: [LimiterKind; 3] = [LimiterKind::Bucket, LimiterKind::Fixed, LimiterKind::Sliding];

fn at(seconds: u64) -> Micros {
    Micros::from_millis(seconds * 1_000)
}

fn settings(limiter: LimiterKind, tokens: u64) -> QuotaSettings {
    QuotaSettings {
        tokens_per_minute: Some(tokens),
        limiter,
        ..QuotaSettings::default()
    }
}

fn quota(limiter: LimiterKind, tokens: u64) -> Quota {
    Quota::new(Micros::ZERO, &settings(limiter, tokens), 0.0)
}

#[test]
fn a_call_costs_what_aws_documents() {
    let usage = Usage {
        input: 1_000,
        cache_read: 500,
        cache_write: 200,
        output: 100,
    };
    assert_eq!(usage.reservation(4_096), 5_796);
    assert_eq!(usage.settlement(5), 1_700);
    assert_eq!(usage.settlement(1), 1_300);
    for (model, burndown) in [
        ("us.anthropic.claude-sonnet-4-5-20250929-v1:0", 5),
        ("anthropic.claude-3-7-sonnet-20250219-v1:0", 5),
        ("anthropic.claude-3-5-sonnet-20240620-v1:0", 1),
        ("anthropic.claude-3-haiku-20240307-v1:0", 1),
        ("amazon.nova-pro-v1:0", 1),
        ("meta.llama3-70b-instruct-v1:0", 1),
    ] {
        assert_eq!(default_burndown(model), burndown, "{model}");
    }
}

#[test]
fn a_bucket_holds_its_seconds_and_refills_evenly() {
    let mut quota = quota(LimiterKind::Bucket, 60_000);
    let first = quota.admit(at(0), 10_000).unwrap();
    assert_eq!(quota.admit(at(0), 1).unwrap_err(), Refusal::Tokens);
    assert_eq!(quota.admit(at(1), 1_001).unwrap_err(), Refusal::Tokens);
    let second = quota.admit(at(1), 1_000).unwrap();
    quota.settle(at(1), first, 4_000);
    let third = quota.admit(at(1), 6_000).unwrap();
    assert_eq!(quota.in_flight(), 2);
    quota.settle(at(100), second, 1_000);
    quota.settle(at(100), third, 6_000);
    assert_eq!(
        quota.admit(at(1_000), 10_001).unwrap_err(),
        Refusal::Tokens,
        "larger than the bucket"
    );
}

#[test]
fn a_fixed_window_begins_anew_at_its_phase() {
    let with_phase = QuotaSettings {
        window_phase_ms: 20_000,
        ..settings(LimiterKind::Fixed, 100)
    };
    let mut quota = Quota::new(Micros::ZERO, &with_phase, 0.0);
    let _first = quota.admit(at(0), 100).unwrap();
    assert_eq!(quota.admit(at(39), 1).unwrap_err(), Refusal::Tokens);
    let _second = quota.admit(at(40), 100).unwrap();
    assert_eq!(quota.admit(at(99), 1).unwrap_err(), Refusal::Tokens);
}

#[test]
fn a_surplus_returns_to_the_window_that_paid_it() {
    let mut fixed = quota(LimiterKind::Fixed, 100);
    let first = fixed.admit(at(59), 100).unwrap();
    let _second = fixed.admit(at(60), 100).unwrap();
    fixed.settle(at(61), first, 10);
    assert_eq!(
        fixed.admit(at(61), 1).unwrap_err(),
        Refusal::Tokens,
        "it was the last window's"
    );

    let mut sliding = quota(LimiterKind::Sliding, 100);
    let first = sliding.admit(at(10), 100).unwrap();
    assert_eq!(sliding.admit(at(69), 1).unwrap_err(), Refusal::Tokens);
    sliding.settle(at(69), first, 40);
    let _second = sliding.admit(at(69), 60).unwrap();
    assert_eq!(sliding.admit(at(69), 1).unwrap_err(), Refusal::Tokens);
    let _third = sliding.admit(at(70), 40).unwrap();
}

#[test]
fn what_exceeds_the_reservation_is_debt_from_now_on() {
    for limiter in LIMITERS {
        let mut quota = quota(limiter, 6_000);
        let call = quota.admit(at(0), 500).unwrap();
        quota.settle(at(1), call, 7_000);
        assert_eq!(quota.admit(at(2), 1).unwrap_err(), Refusal::Tokens, "{limiter:?}");
        assert!(quota.admit(at(70), 1).is_ok(), "{limiter:?}");
    }
}

#[test]
fn every_limit_names_itself_and_a_refused_call_charges_none() {
    let all = QuotaSettings {
        tokens_per_minute: Some(1_000),
        requests_per_minute: Some(3),
        tokens_per_day: Some(1_500),
        max_concurrency: Some(2),
        limiter: LimiterKind::Fixed,
        ..QuotaSettings::default()
    };
    let mut quota = Quota::new(Micros::ZERO, &all, 0.0);
    assert_eq!(quota.admit(at(0), 1_001).unwrap_err(), Refusal::Tokens);
    let first = quota.admit(at(0), 400).unwrap();
    let second = quota.admit(at(0), 400).unwrap();
    assert_eq!(quota.admit(at(0), 100).unwrap_err(), Refusal::Concurrency);
    quota.settle(at(0), first, 400);
    let third = quota.admit(at(0), 200).unwrap();
    assert_eq!(quota.admit(at(0), 100).unwrap_err(), Refusal::Requests);
    quota.settle(at(0), second, 400);
    quota.settle(at(0), third, 200);
    assert_eq!(quota.admit(at(60), 501).unwrap_err(), Refusal::Day);
    let day = 86_400;
    let _fourth = quota.admit(at(day), 501).unwrap();
}

#[test]
fn an_oversized_call_goes_alone_where_that_is_allowed() {
    for limiter in LIMITERS {
        let allowed = QuotaSettings {
            oversize: Oversize::WhenFull,
            ..settings(limiter, 6_000)
        };
        let mut quota = Quota::new(Micros::ZERO, &allowed, 0.0);
        let small = quota.admit(at(0), 10).unwrap();
        assert!(
            quota.admit(at(0), 64_000).is_err(),
            "{limiter:?}: something is charged"
        );
        quota.settle(at(0), small, 10);
        let large = quota.admit(at(120), 64_000).unwrap();
        quota.settle(at(121), large, 3_000);
        assert!(quota.admit(at(240), 64_000).is_ok(), "{limiter:?}");
    }
}

#[test]
fn another_client_leaves_the_rest() {
    for limiter in LIMITERS {
        let mut quota = Quota::new(Micros::ZERO, &settings(limiter, 60_000), 0.3);
        let mut admitted = 0;
        for tenth in 6_000..12_000 {
            let now = Micros::from_millis(tenth * 100);
            while let Ok(call) = quota.admit(now, 50) {
                quota.settle(now, call, 50);
                admitted += 50;
            }
        }
        // Ten minutes of 60,000 and, from the bucket or window that was full at first, a burst.
        assert!((415_000..=450_000).contains(&admitted), "{limiter:?}: {admitted}");
    }
}

#[test]
fn new_settings_keep_what_was_used() {
    for limiter in LIMITERS {
        let mut quota = quota(limiter, 60_000);
        let _call = quota.admit(at(0), 5_000).unwrap();
        quota.reconfigure(at(0), &settings(limiter, 30_000), 0.0);
        assert_eq!(quota.in_flight(), 1);
        let full = if limiter == LimiterKind::Bucket {
            5_000
        } else {
            30_000
        };
        assert!(quota.admit(at(0), full - 4_999).is_err(), "{limiter:?}");
    }
}

#[derive(Clone, Debug)]
struct Step {
    wait: u64,
    reserve: u64,
    used: u64,
    hold: u64,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step =
        (0u64..4_000_000, 1u64..400, 0u64..400, 0u64..90_000_000).prop_map(|(wait, reserve, used, hold)| {
            Step {
                wait,
                reserve,
                used,
                hold,
            }
        });
    prop::collection::vec(step, 1..200)
}

/// Runs calls against a quota: each call is settled once its hold is over. Returns (moment,
/// reservation) of the admitted ones.
fn run(quota: &mut Quota, steps: &[Step]) -> Vec<(Micros, u64)> {
    let (mut now, mut open, mut admitted) = (Micros::ZERO, Vec::new(), Vec::new());
    for step in steps {
        now = now + Micros(step.wait);
        let (over, running): (Vec<_>, Vec<_>) = open.into_iter().partition(|(until, _, _)| *until <= now);
        open = running;
        for (_, admission, used) in over {
            quota.settle(now, admission, used);
        }
        if let Ok(admission) = quota.admit(now, step.reserve) {
            admitted.push((now, step.reserve));
            open.push((now + Micros(step.hold), admission, step.used));
        }
    }
    admitted
}

/// The steps with every call using exactly what it reserved.
fn exact(steps: &[Step]) -> Vec<Step> {
    steps
        .iter()
        .map(|step| Step {
            used: step.reserve,
            ..step.clone()
        })
        .collect()
}

/// The sliding window, written down as plainly as it can be: every charge with its moment.
#[derive(Default)]
struct PlainWindow {
    charges: Vec<(Micros, u64)>,
}

impl PlainWindow {
    fn admit(&mut self, now: Micros, limit: u64, tokens: u64) -> bool {
        let counts = |at: Micros| at + Micros::MINUTE > now;
        let used: u64 = self
            .charges
            .iter()
            .filter(|(at, _)| counts(*at))
            .map(|(_, tokens)| tokens)
            .sum();
        let admitted = used + tokens <= limit;
        if admitted {
            self.charges.push((now, tokens));
        }
        admitted
    }

    fn settle(&mut self, now: Micros, charged_at: Micros, reserved: u64, used: u64) {
        if used > reserved {
            self.charges.push((now, used - reserved));
        } else {
            let charge = self
                .charges
                .iter_mut()
                .find(|charge| **charge == (charged_at, reserved));
            charge.unwrap().1 = used;
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_sliding_window_never_holds_more_than_its_limit(steps in steps()) {
        let admitted = run(&mut quota(LimiterKind::Sliding, 1_000), &exact(&steps));
        for (end, _) in &admitted {
            let window = admitted.iter().filter(|(at, _)| *at <= *end && *at + Micros::MINUTE > *end);
            let sum: u64 = window.map(|(_, tokens)| tokens).sum();
            prop_assert!(sum <= 1_000, "{sum}");
        }
    }

    #[test]
    fn a_fixed_window_never_holds_more_than_its_limit(steps in steps()) {
        let admitted = run(&mut quota(LimiterKind::Fixed, 1_000), &exact(&steps));
        for window in 0..=13 {
            let inside = admitted.iter().filter(|(at, _)| at.0 / Micros::MINUTE.0 == window);
            let sum: u64 = inside.map(|(_, tokens)| tokens).sum();
            prop_assert!(sum <= 1_000, "{sum}");
        }
    }

    #[test]
    fn a_bucket_never_lets_more_through_than_it_held_and_refilled(steps in steps()) {
        // 10 s of 6,000 a minute: a burst of 1,000, then 100 a second.
        let admitted = run(&mut quota(LimiterKind::Bucket, 6_000), &exact(&steps));
        for (first, (from, _)) in admitted.iter().enumerate() {
            let mut sum = 0;
            for (to, tokens) in &admitted[first..] {
                sum += tokens;
                let refilled = to.since(*from).0 * 6_000 / Micros::MINUTE.0 + 1;
                prop_assert!(sum <= 1_000 + refilled, "{sum} within {:?}", to.since(*from));
            }
        }
    }

    #[test]
    fn a_silent_day_makes_every_limiter_whole_again(steps in steps(), limiter in 0..3usize) {
        let mut quota = quota(LIMITERS[limiter], 1_200);
        run(&mut quota, &steps);
        let later = Micros::DAY;
        let full = if LIMITERS[limiter] == LimiterKind::Bucket { 200 } else { 1_200 };
        prop_assert!(quota.admit(later, full).is_ok());
        prop_assert!(quota.admit(later, 1).is_err());
    }

    #[test]
    fn a_refund_is_worth_what_was_not_used(limiter in 0..3usize, reserve in 1u64..200, used in 0u64..200) {
        let used = used.min(reserve);
        let mut quota = quota(LIMITERS[limiter], 1_200);
        let call = quota.admit(at(1), reserve).unwrap();
        quota.settle(at(1), call, used);
        let full = if LIMITERS[limiter] == LimiterKind::Bucket { 200 } else { 1_200 };
        prop_assert!(quota.admit(at(1), full - used + 1).is_err());
        prop_assert!(quota.admit(at(1), full - used).is_ok());
    }

    #[test]
    fn a_sliding_window_decides_as_its_plain_description(steps in steps()) {
        let (mut quota, mut plain) = (quota(LimiterKind::Sliding, 1_000), PlainWindow::default());
        let (mut now, mut open) = (Micros::ZERO, Vec::new());
        for step in steps {
            // At least a microsecond apart, so that the plain window tells all charges from each other.
            now = now + Micros(step.wait + 1);
            let over = open.extract_if(.., |(until, _, _, _): &mut (Micros, _, _, _)| *until <= now);
            for (_, admission, charged_at, used) in over.collect::<Vec<_>>() {
                let reserved = Admission::reserved(&admission);
                quota.settle(now, admission, used);
                plain.settle(now, charged_at, reserved, used);
                now = now + Micros(1);
            }
            let admission = quota.admit(now, step.reserve);
            prop_assert_eq!(admission.is_ok(), plain.admit(now, 1_000, step.reserve));
            if let Ok(admission) = admission {
                open.push((now + Micros(step.hold), admission, now, step.used));
            }
        }
    }
}
