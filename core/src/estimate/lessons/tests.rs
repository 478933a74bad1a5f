#![allow(clippy::unwrap_used)]
use super::*;
use crate::estimate::Outputs;
use crate::ids::{ModelId, TenantId};
use proptest::prelude::*;

const START: Timestamp = Timestamp::from_millis(1_790_000_000_000);
const MAX: Tokens = Tokens::new(4_096);

fn at(seconds: u64) -> Timestamp {
    START + Millis::from_secs(seconds)
}

fn names() -> (ModelId, TenantId) {
    (ModelId::new("m").unwrap(), TenantId::new("acme").unwrap())
}

fn answered<'a>(
    (model, tenant): &'a (ModelId, TenantId),
    output: u64,
    cut_short: Option<bool>,
) -> Answered<'a> {
    Answered {
        model,
        tenant,
        max_output: MAX,
        output: Tokens::new(output),
        cut_short,
    }
}

/// So many answers of 300 tokens.
fn lessons(count: usize, may_be_sized: bool) -> Vec<Lesson> {
    let lesson = Lesson {
        output: Tokens::new(300),
        cut_short: None,
        at: START,
        may_be_sized,
    };
    vec![lesson; count]
}

#[test]
fn what_waits_is_looked_through_when_a_size_is_guessed_when_it_is_sure_and_once_after_each() {
    let mut common = Common::default();
    // Seconds, answers, and whether that is the moment.
    let course = [
        (0, 31, false),
        (1, 1, true),
        (2, 1, false),
        (10, 1, false),
        (11, 1, true),
        (12, 100, false),
        (20, 65, true),
        (25, 1, false),
        (60, 1, true),
        (120, 64, false),
    ];
    for (second, answers, due) in course {
        let looks = common.teach(&lessons(answers, true), at(second));
        assert_eq!(looks, due, "after {second} s");
        // Between two lessons it is written down.
        common = serde_json::from_str(&serde_json::to_string(&common).unwrap()).unwrap();
    }
}

#[test]
fn nothing_is_looked_through_where_nobody_agreed_and_all_is_as_soon_as_somebody_does() {
    let mut common = Common::default();
    assert!(!common.teach(&lessons(400, false), at(0)));
    assert!(!common.teach(&lessons(64, false), at(100)));
    assert!(common.teach(&lessons(1, true), at(110)));
    assert!(!common.teach(&lessons(1, false), at(111)));
    assert!(common.teach(&lessons(1, false), at(120)), "and once after it");
}

#[test]
fn much_is_handed_on_at_once_and_little_every_ten_seconds() {
    let names = names();
    let mut all = Lessons::default();
    let note = |all: &mut Lessons, count: u64, second| {
        (0..count).for_each(|_| all.note(&answered(&names, 300, None), true, at(second)));
    };
    let handed_on = |all: &mut Lessons, second| -> Vec<usize> {
        all.due(at(second))
            .iter()
            .map(|(_, lessons)| lessons.len())
            .collect()
    };
    note(&mut all, 1, 0);
    assert_eq!(handed_on(&mut all, 0), [1, 1], "the tenant's key and the model's");
    note(&mut all, 63, 1);
    assert!(handed_on(&mut all, 9).is_empty());
    note(&mut all, 1, 9);
    assert_eq!(handed_on(&mut all, 9), [64, 64]);
    note(&mut all, 1, 10);
    assert!(handed_on(&mut all, 18).is_empty());
    assert_eq!(handed_on(&mut all, 19), [1, 1]);
    assert!(
        handed_on(&mut all, 60).is_empty() && all.keys.is_empty(),
        "nothing is remembered of keys at rest"
    );
}

#[test]
fn keys_are_bounded() {
    let mut all = Lessons::default();
    for n in 0..MOST_KEYS {
        let names = (
            ModelId::new("m").unwrap(),
            TenantId::new(&format!("t{n}")).unwrap(),
        );
        all.note(&answered(&names, 300, None), false, START);
        assert!(all.keys.len() <= MOST_KEYS + 1);
    }
}

#[test]
fn old_answers_fade_from_what_is_known_together_as_well() {
    let mut common = Common::default();
    for second in 0..100 {
        common.teach(&lessons(64, true), at(second * 10));
    }
    let of_it = serde_json::to_string(&common).unwrap();
    assert!(of_it.len() < 4_000, "{} bytes", of_it.len());
    let long = lessons(64, true).into_iter().map(|lesson| Lesson {
        output: Tokens::new(900),
        ..lesson
    });
    let long: Vec<Lesson> = long.collect();
    for second in 100..140 {
        common.teach(&long, at(second * 10));
    }
    let (names, mut outputs) = (names(), Outputs::default());
    let [key, _] = OutputKey::both(&names.0, &names.1, MAX);
    outputs.set(key, common.answers());
    let expected = outputs.expected(&names.0, &names.1, MAX);
    assert!(expected > Tokens::new(870), "{expected}");
}

#[test]
fn keys_that_differ_are_named_apart() {
    let (model, tenant) = names();
    let named = |model: &str, tenant: Option<&str>, max| {
        let model = ModelId::new(model).unwrap();
        let [own, all] = OutputKey::both(
            &model,
            &TenantId::new(tenant.unwrap_or("x")).unwrap(),
            Tokens::new(max),
        );
        if tenant.is_some() { own } else { all }
    };
    let keys = [
        named("m", Some("acme"), 100),
        named("m", Some("acme"), 4_000),
        named("m", Some("other"), 100),
        named("m2", Some("acme"), 100),
        named("m", None, 100),
    ];
    let texts: std::collections::BTreeSet<String> = keys.iter().map(OutputKey::to_string).collect();
    assert_eq!(texts.len(), keys.len(), "{texts:?}");
    assert_eq!((keys[0].model(), keys[0].tenant()), (&model, Some(&tenant)));
    assert_eq!(keys[4].tenant(), None);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_many_hand_on_is_what_one_would_have_learned(
        seen in proptest::collection::vec((1u64..4_000, any::<Option<bool>>(), 0usize..3, 0u64..30), 1..300),
    ) {
        let names = names();
        let keys = OutputKey::both(&names.0, &names.1, MAX);
        let mut alone = Outputs::default();
        let mut processes = [Lessons::default(), Lessons::default(), Lessons::default()];
        let mut common = [Common::default(), Common::default()];
        let (mut now, mut handed_on) = (START, 0);
        let mut hand_on = |lessons: &mut Lessons, now| {
            for (key, lessons) in lessons.due(now) {
                handed_on += lessons.len();
                let place = keys.iter().position(|known| *known == key).unwrap();
                common[place].teach(&lessons, now);
                common[place] = serde_json::from_str(&serde_json::to_string(&common[place]).unwrap()).unwrap();
            }
        };
        let mut counted = 0;
        for (output, cut_short, process, pause) in seen {
            now = now + Millis::from_secs(pause);
            let answered = answered(&names, output, cut_short);
            alone.observe(&answered, now);
            counted += 2;
            processes[process].note(&answered, true, now);
            hand_on(&mut processes[process], now);
        }
        now = now + Millis::from_secs(60);
        processes.iter_mut().for_each(|lessons| hand_on(lessons, now));
        prop_assert_eq!(handed_on, counted, "a lesson was lost, or given twice");

        let mut together = Outputs::default();
        for (key, common) in keys.into_iter().zip(&common) {
            together.set(key, common.answers());
        }
        let mut restored = Outputs::default();
        restored.restore(alone.to_keep(true).into_iter().map(|(key, answers)| (key, answers.unwrap())));
        let (model, tenant) = &names;
        // Quantiles do not depend on the order of what was seen; the trial of sizes and the running mean do.
        // From 200 answers on.
        if counted >= 400 {
            prop_assert_eq!(together.expected(model, tenant, MAX), restored.expected(model, tenant, MAX));
        }
        prop_assert_eq!(
            together.knows_enough(model, tenant, MAX),
            restored.knows_enough(model, tenant, MAX)
        );
    }
}
