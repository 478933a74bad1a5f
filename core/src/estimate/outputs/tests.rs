#![allow(clippy::unwrap_used)]
use super::*;
use proptest::prelude::*;

const NOW: Timestamp = Timestamp::from_millis(1_000_000);
const MAX: Tokens = Tokens::new(4_096);

fn names() -> (ModelId, TenantId, TenantId) {
    (
        ModelId::new("m").unwrap(),
        TenantId::new("a").unwrap(),
        TenantId::new("b").unwrap(),
    )
}

fn answered<'a>(model: &'a ModelId, tenant: &'a TenantId, max: Tokens, output: u64) -> Answered<'a> {
    Answered {
        model,
        tenant,
        max_output: max,
        output: Tokens::new(output),
        cut_short: None,
    }
}

#[test]
fn a_tenant_is_judged_by_its_own_answers_once_there_are_enough() {
    let (model, a, b) = names();
    let mut outputs = Outputs::default();
    assert_eq!(outputs.expected(&model, &a, MAX), Tokens::new(820));
    for _ in 0..7 {
        outputs.observe(&answered(&model, &a, MAX, 300), NOW);
    }
    let of_the_model = outputs.expected(&model, &b, MAX);
    assert_eq!(of_the_model, Tokens::new(300), "the model's average");
    for _ in 0..8 {
        outputs.observe(&answered(&model, &b, MAX, 1_000), NOW);
    }
    assert_eq!(outputs.expected(&model, &b, MAX), Tokens::new(1_000), "its own");
}

#[test]
fn from_two_hundred_answers_on_three_of_four_are_covered_by_the_nearest_key_that_has_them() {
    let (model, a, b) = names();
    let mut outputs = Outputs::default();
    for n in 0..200 {
        outputs.observe(&answered(&model, &a, MAX, 100 + 10 * (n % 100)), NOW);
    }
    let near = |found: Tokens, length: u64| found.get().abs_diff(length) <= length / 40;
    let own = outputs.expected(&model, &a, MAX);
    assert!(near(own, 840), "{own}");
    // Ten answers of its own are fewer than 200 of the model's.
    for _ in 0..10 {
        outputs.observe(&answered(&model, &b, MAX, 2_000), NOW);
    }
    let coarser = outputs.expected(&model, &b, MAX);
    assert!(near(coarser, 840), "{coarser}");
    for _ in 0..200 {
        outputs.observe(&answered(&model, &b, MAX, 2_000), NOW);
    }
    let own = outputs.expected(&model, &b, MAX);
    assert!(near(own, 2_000), "{own}");
}

#[test]
fn small_and_large_requests_are_learned_apart() {
    let (model, a, _) = names();
    let mut outputs = Outputs::default();
    for _ in 0..20 {
        outputs.observe(&answered(&model, &a, Tokens::new(256), 60), NOW);
        outputs.observe(&answered(&model, &a, MAX, 300), NOW);
    }
    assert_eq!(outputs.expected(&model, &a, Tokens::new(256)), Tokens::new(60));
    assert_eq!(outputs.expected(&model, &a, MAX), Tokens::new(300));
}

#[test]
fn a_right_size_comes_of_the_tenants_own_answers_and_is_below_what_it_allows() {
    let (model, a, b) = names();
    let mut outputs = Outputs::default();
    for _ in 0..200 {
        outputs.observe(&answered(&model, &a, MAX, 300), NOW);
    }
    assert_eq!(outputs.right_size(&model, &a, MAX), Some(Tokens::new(384)));
    assert_eq!(
        outputs.right_size(&model, &b, MAX),
        None,
        "another's answers say nothing"
    );
    let small = Tokens::new(320);
    for _ in 0..200 {
        outputs.observe(&answered(&model, &a, small, 300), NOW);
    }
    assert_eq!(outputs.right_size(&model, &a, small), None);
}

#[test]
fn answers_that_are_cut_short_too_often_raise_the_size_at_once() {
    let (model, a, _) = names();
    let mut outputs = Outputs::default();
    for _ in 0..400 {
        outputs.observe(&answered(&model, &a, MAX, 300), NOW);
    }
    for _ in 0..4 {
        let cut = Answered {
            cut_short: Some(true),
            ..answered(&model, &a, MAX, 500)
        };
        outputs.observe(&cut, NOW);
    }
    // 99.5 % and a quarter: the four long ones are within the last percent, not within the last half.
    assert_eq!(outputs.right_size(&model, &a, MAX), Some(Tokens::new(640)));
}

#[test]
fn what_was_learned_is_kept_and_taken_up_again() {
    let (model, a, _) = names();
    let mut outputs = Outputs::default();
    for n in 0..300 {
        outputs.observe(&answered(&model, &a, MAX, 100 + n), NOW);
    }
    outputs.observe(&answered(&model, &a, Tokens::new(10), 3), NOW);
    let often = outputs.to_keep(false);
    assert_eq!(often.len(), 2, "what has learned little waits");
    assert_eq!(outputs.to_keep(true).len(), 2);
    assert!(outputs.to_keep(true).is_empty(), "kept already");
    let stored: Vec<String> = often
        .iter()
        .map(|kept| serde_json::to_string(kept).unwrap())
        .collect();
    let read = stored.iter().map(|text| {
        let (key, answers): (OutputKey, Option<Answers>) = serde_json::from_str(text).unwrap();
        (key, answers.unwrap())
    });
    let mut again = Outputs::default();
    again.restore(read);
    assert_eq!(again.expected(&model, &a, MAX), outputs.expected(&model, &a, MAX));
    assert_eq!(
        again.right_size(&model, &a, MAX),
        outputs.right_size(&model, &a, MAX)
    );
    assert!(again.right_size(&model, &a, MAX).is_some());
}

#[test]
fn memory_is_bounded_and_those_unheard_of_for_longest_go() {
    let (model, ..) = names();
    let mut outputs = Outputs::default();
    let tenant = |n: u64| TenantId::new(&format!("t{n}")).unwrap();
    let many = MOST_KEYS as u64 + 100;
    for n in 0..many {
        outputs.observe(&answered(&model, &tenant(n), MAX, 300), Timestamp::from_millis(n));
    }
    assert!(outputs.keys.len() <= MOST_KEYS && outputs.fresh.len() <= MOST_KEYS);
    let has = |outputs: &Outputs, n: u64| {
        let key = OutputKey::new(&model, Some(&tenant(n)), MAX);
        outputs.keys.contains_key(&key)
    };
    assert!(!has(&outputs, 0) && has(&outputs, many - 1));
    let dropped = outputs
        .to_keep(true)
        .iter()
        .filter(|(_, kept)| kept.is_none())
        .count();
    assert!(dropped >= 100, "{dropped} are kept no longer");
}

proptest! {
    #[test]
    fn no_more_is_expected_than_is_allowed(
        answers in proptest::collection::vec((any::<u64>(), any::<u64>(), any::<Option<bool>>()), 0..300),
        max: u64,
    ) {
        let (model, a, _) = names();
        let mut outputs = Outputs::default();
        for (allowed, output, cut_short) in answers {
            let one = Answered { cut_short, ..answered(&model, &a, Tokens::new(allowed), output) };
            outputs.observe(&one, NOW);
        }
        let max = Tokens::new(max);
        prop_assert!(outputs.expected(&model, &a, max) <= max);
        prop_assert!(outputs.right_size(&model, &a, max).is_none_or(|size| size < max));
    }
}
