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

/// So many answers of 300 tokens at that second.
fn lessons(count: usize, may_be_sized: bool, second: u64) -> Vec<Lesson> {
    let lesson = Lesson {
        output: Tokens::new(300),
        cut_short: None,
        at: at(second),
        may_be_sized,
    };
    vec![lesson; count]
}

#[test]
fn what_waits_is_looked_through_when_a_size_is_guessed_when_it_is_sure_and_once_after_each() {
    let mut shared = SharedAnswers::default();
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
        let looks = shared.teach(&lessons(answers, true, second));
        assert_eq!(looks, due, "after {second} s");
        // Between two lessons it is written down.
        shared = serde_json::from_str(&serde_json::to_string(&shared).unwrap()).unwrap();
    }
}

#[test]
fn nothing_is_looked_through_where_nobody_agreed_and_all_is_as_soon_as_somebody_does() {
    let mut shared = SharedAnswers::default();
    assert!(!shared.teach(&lessons(400, false, 0)));
    assert!(!shared.teach(&lessons(64, false, 100)));
    assert!(shared.teach(&lessons(1, true, 110)));
    assert!(!shared.teach(&lessons(1, false, 111)));
    assert!(shared.teach(&lessons(1, false, 120)), "and once after it");
}

#[test]
fn everything_is_handed_on_until_enough_is_known_and_then_much_or_once_a_minute() {
    let names = names();
    let keys = OutputKey::both(&names.0, &names.1, MAX);
    let mut all = Lessons::default();
    let note = |all: &mut Lessons, count: u64, second| {
        (0..count).for_each(|_| all.note(&answered(&names, 300, None), true, at(second)));
    };
    let handed_on = |all: &mut Lessons, second| -> Vec<usize> {
        let due = all.due(at(second));
        due.iter().map(|(_, lessons)| lessons.len()).collect()
    };
    note(&mut all, 1, 0);
    assert_eq!(handed_on(&mut all, 0), [1, 1], "the tenant's key and the model's");
    note(&mut all, 3, 1);
    assert_eq!(handed_on(&mut all, 1), [3, 3]);
    keys.iter().for_each(|key| all.may_wait(key));
    note(&mut all, 255, 2);
    assert!(handed_on(&mut all, 60).is_empty());
    note(&mut all, 1, 60);
    assert_eq!(handed_on(&mut all, 60), [256, 256]);
    note(&mut all, 1, 61);
    assert!(handed_on(&mut all, 119).is_empty());
    assert_eq!(handed_on(&mut all, 120), [1, 1]);
    assert!(handed_on(&mut all, 200).is_empty() && all.keys.is_empty());
}

#[test]
fn keys_are_bounded() {
    let mut all = Lessons::default();
    for n in 0..2 * MOST_KEYS {
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
    let mut shared = SharedAnswers::default();
    for second in 0..100 {
        shared.teach(&lessons(64, true, second * 10));
    }
    let of_it = serde_json::to_string(&shared).unwrap();
    assert!(of_it.len() < 4_000, "{} bytes", of_it.len());
    for second in 100..140 {
        let mut long = lessons(64, true, second * 10);
        long.iter_mut()
            .for_each(|lesson| lesson.output = Tokens::new(900));
        shared.teach(&long);
    }
    let (names, mut outputs) = (names(), Outputs::default());
    let [key, _] = OutputKey::both(&names.0, &names.1, MAX);
    outputs.set(key, shared.answers());
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
        let mut shared = [SharedAnswers::default(), SharedAnswers::default()];
        let (mut now, mut handed_on) = (START, 0);
        let mut hand_on = |all: &mut Lessons, now| {
            for (key, lessons) in all.due(now) {
                handed_on += lessons.len();
                let place = keys.iter().position(|known| *known == key).unwrap();
                shared[place].teach(&lessons);
                if shared[place].are_enough() {
                    all.may_wait(&key);
                }
                shared[place] = serde_json::from_str(&serde_json::to_string(&shared[place]).unwrap()).unwrap();
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
        for (key, shared) in keys.into_iter().zip(&shared) {
            together.set(key, shared.answers());
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
