#![allow(clippy::unwrap_used, clippy::panic)]

use super::*;
use crate::clock::Micros;
use crate::fault::Fault;

fn script(text: &str) -> Script {
    Script::read(text.as_bytes()).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

fn running(text: &str) -> Running {
    Running::new(Micros::ZERO, script(text))
}

fn at(running: &mut Running, ms: u64) -> Effect {
    running.meet(Micros::from_millis(ms), "us-east-1", "m")
}

fn fault(name: &str) -> Fault {
    name.parse().unwrap()
}

fn refused(text: &str) -> String {
    Script::read(text.as_bytes()).unwrap_err().to_string()
}

#[test]
fn toml_and_json_say_the_same_and_a_script_is_written_as_it_is_read() {
    let toml = script(
        "seed = 3\nspeed = 2\n[[spans]]\nname = 'a'\nfrom_ms = 5\nuntil_ms = 9\nmodels = ['m']\nregions = ['r']\n\
         faults = { 500 = 0.25, hang = 0.5 }\nslow_start = { share = 1, added_ms = [1, 2.5] }\n\
         latency_factor = { from = 1, to = 3 }\ncapacity = { from = 9, to = 1 }",
    );
    let json = script(
        r#" {"seed": 3, "speed": 2, "spans": [{"name": "a", "from_ms": 5, "until_ms": 9, "models": ["m"],
        "regions": ["r"], "faults": {"500": 0.25, "hang": 0.5}, "slow_start": {"share": 1, "added_ms": [1, 2.5]},
        "latency_factor": {"from": 1, "to": 3}, "capacity": {"from": 9, "to": 1}}]}"#,
    );
    assert_eq!(toml, json);
    assert_eq!(script(&serde_json::to_string(&json).unwrap()), json);
    assert_eq!(
        serde_json::from_str::<Script>(r#"{"spans": []}"#)
            .unwrap_err()
            .to_string(),
        "spans is empty; it must be a list of one span or more"
    );
}

#[test]
fn every_mistake_names_its_line_or_key_what_was_found_and_what_is_allowed() {
    let span = |rest: &str| format!("[[spans]]\nname = 'a'\n{rest}");
    let cases: [(String, &[&str]); 20] = [
        ("spans = ".to_owned(), &["line 1"]),
        (span("colour = 'red'"), &["line 3", "colour", "until_ms"]),
        (
            span("faults = { teapot = 0.1 }"),
            &["line 3", "teapot", "cut-before"],
        ),
        (span("faults = { 500 = 'x' }"), &["line 3", "expected f64"]),
        (
            span("faults = { 429 = 0.1, throttle = 0.1 }"),
            &["throttle is named twice"],
        ),
        (
            span("faults = { 500 = 1.5 }"),
            &["spans[0] (a).faults.500 is 1.5", "from 0 to 1"],
        ),
        (span("faults = { 500 = nan }"), &["faults.500 is NaN"]),
        (
            span("faults = { 500 = 0.6, 503 = 0.6 }"),
            &["spans[0] (a).faults is 1.2 in sum"],
        ),
        (
            span("slow_start = { share = 2, added_ms = [1, 2] }"),
            &["slow_start.share is 2"],
        ),
        (
            span("slow_tokens = { share = 1, added_ms = [3, 2] }"),
            &["slow_tokens.added_ms is [3, 2]"],
        ),
        (span("slow_tokens = { share = 1, added_ms = [3] }"), &["line 3"]),
        (
            span("latency_factor = { from = -1, to = 2 }\nuntil_ms = 5"),
            &["latency_factor.from is -1"],
        ),
        (
            span("latency_factor = { from = 1, to = 2 }"),
            &["until_ms is left out"],
        ),
        (span("capacity = { from = 1, to = 2.5 }"), &["line 3", "u32"]),
        (
            span("faults = { 500 = 1 }\nfrom_ms = 5\nuntil_ms = 5"),
            &["until_ms is 5", "later than from_ms"],
        ),
        (
            span("faults = { 500 = 1 }\nmodels = []"),
            &["models is []", "left out"],
        ),
        (
            span("faults = { 500 = 1 }\nregions = ['US East']"),
            &["regions is [\"US East\"]"],
        ),
        (span(""), &["spans[0] (a) is without effect"]),
        (
            span("faults = { 500 = 1 }\n").repeat(2),
            &["spans[1].name is \"a\" again"],
        ),
        (
            format!("speed = 0\n{}", span("faults = { 500 = 1 }")),
            &["speed is 0", "above 0"],
        ),
    ];
    for (text, said) in cases {
        let refused = refused(&text);
        for part in said {
            assert!(refused.contains(part), "{text}\nsaid: {refused}\nwithout {part}");
        }
    }
}

#[test]
fn json_mistakes_name_their_line_and_arrays_are_no_objects() {
    assert!(refused("{\"spans\": [\n{\"name\": \"a\", \"colour\": 1}]}").contains("line 2"));
    assert!(refused("{\"spans\": [[\"a\"]]}").contains("expected an object"));
    assert!(refused("{\"spans\": [{\"name\": \"a\", \"capacity\": [1, 1]}]}").contains("expected an object"));
    assert!(
        refused("{\"spans\": [{\"name\": \"a\", \"faults\": {\"500\": 0, \"500\": 1}}]}").contains("twice")
    );
    assert!(Script::read(&[0xff]).unwrap_err().to_string().contains("UTF-8"));
}

#[test]
fn a_span_covers_its_time_its_models_and_its_regions() {
    let mut script = running(
        "[[spans]]\nname = 'a'\nfrom_ms = 10\nuntil_ms = 20\nmodels = ['m']\nregions = ['us-east-1', 'eu-west-1']\n\
         faults = { 500 = 1 }",
    );
    let strikes = [9, 10, 19, 20].map(|ms| at(&mut script, ms).fault.is_some());
    assert_eq!(strikes, [false, true, true, false]);
    let mut meets = |region: &str, model: &str| {
        let effect = script.meet(Micros::from_millis(15), region, model);
        effect.fault.is_some()
    };
    assert!(meets("eu-west-1", "m"));
    assert!(!meets("eu-west-2", "m"));
    assert!(!meets("us-east-1", "n"));
}

#[test]
fn times_count_from_the_script_or_from_the_start_and_may_run_faster() {
    let text = "[[spans]]\nname = 'a'\nfrom_ms = 1000\nuntil_ms = 2000\nfaults = { 500 = 1 }";
    let put = Micros::from_millis(500);
    let struck = |head: &str, ms: &[u64]| -> Vec<bool> {
        let mut running = Running::new(put, script(&format!("{head}\n{text}")));
        ms.iter()
            .map(|ms| at(&mut running, *ms).fault.is_some())
            .collect()
    };
    assert_eq!(
        struck("", &[1_499, 1_500, 2_499, 2_500]),
        [false, true, true, false]
    );
    assert_eq!(
        struck("since = 'start'", &[999, 1_000, 1_999, 2_000]),
        [false, true, true, false]
    );
    assert_eq!(
        struck("speed = 10", &[599, 600, 699, 700]),
        [false, true, true, false]
    );
}

#[test]
fn the_same_seed_strikes_the_same_calls_in_their_shares_whatever_others_do() {
    let text = "[[spans]]\nname = 'a'\nregions = ['us-east-1']\nfaults = { 500 = 0.1, hang = 0.2 }\n\
                [[spans]]\nname = 'b'\nregions = ['us-west-2']\nfaults = { 503 = 0.5 }";
    let fates = |seed: u64, others: bool| -> Vec<Option<(usize, Fault)>> {
        let mut running = running(&format!("seed = {seed}\n{text}"));
        (0..10_000)
            .map(|call| {
                if others && call % 3 == 0 {
                    running.meet(Micros::ZERO, "us-west-2", "m");
                }
                at(&mut running, 0).fault
            })
            .collect()
    };
    let first = fates(7, false);
    assert_eq!(first, fates(7, true));
    assert_ne!(first, fates(8, false));
    let share = |name: &str| {
        first
            .iter()
            .filter(|fate| **fate == Some((0, fault(name))))
            .count()
    };
    assert!((900..1_100).contains(&share("500")), "{}", share("500"));
    assert!((1_850..2_150).contains(&share("hang")), "{}", share("hang"));
}

#[test]
fn overlapping_spans_compose() {
    let mut script = running(
        "[[spans]]\nname = 'a'\nuntil_ms = 100\nlatency_factor = { from = 1, to = 3 }\ncapacity = { from = 9, to = 5 }\n\
         slow_start = { share = 1, added_ms = [10, 10] }\nslow_tokens = { share = 1, added_ms = [1, 1] }\n\
         [[spans]]\nname = 'b'\nlatency_factor = { from = 4, to = 4 }\ncapacity = { from = 6, to = 6 }\n\
         slow_start = { share = 1, added_ms = [5, 5] }\nfaults = { hang = 1 }\n\
         [[spans]]\nname = 'c'\nfaults = { 500 = 1 }",
    );
    let early = at(&mut script, 0);
    assert_eq!(
        early.fault,
        Some((1, Fault::Hang)),
        "the first in the script's order"
    );
    assert_eq!(early.capacity, Some((1, 6)));
    assert_eq!(
        early.slow,
        Slow {
            factor: 4.0,
            start_ms: 15.0,
            token_ms: 1.0
        }
    );
    let late = at(&mut script, 99);
    assert_eq!(late.capacity, Some((0, 5)));
    assert!(
        (late.slow.factor - 4.0 * 2.98).abs() < 1e-9,
        "{}",
        late.slow.factor
    );
    let mut counts = std::collections::BTreeMap::new();
    script.add_to(&mut counts);
    assert_eq!(
        (
            counts["a"].calls,
            counts["a"].slow_starts,
            counts["a"].slow_tokens
        ),
        (2, 2, 2)
    );
    assert_eq!(counts["c"].calls, 2);
}

#[test]
fn delays_are_drawn_from_their_range_for_their_share() {
    let mut script = running("[[spans]]\nname = 'a'\nslow_start = { share = 0.25, added_ms = [100, 300] }");
    let delays: Vec<_> = (0..4_000)
        .map(|_| at(&mut script, 0).slow.start_ms)
        .filter(|ms| *ms > 0.0)
        .collect();
    assert!((900..1_100).contains(&delays.len()), "{}", delays.len());
    assert!(delays.iter().all(|ms| (100.0..300.0).contains(ms)));
    let mean = delays.iter().sum::<f64>() / delays.len() as f64;
    assert!((190.0..210.0).contains(&mean), "{mean}");
}

/// The scripts that come with the simulator.
fn ready_made(name: &str) -> Running {
    let file = format!("{}/scripts/{name}.toml", env!("CARGO_MANIFEST_DIR"));
    running(&std::fs::read_to_string(file).unwrap())
}

#[test]
fn the_storm_throttles_most_calls_for_a_minute() {
    let mut storm = ready_made("throttle-storm");
    let struck = (0..1_000)
        .filter(|_| at(&mut storm, 59_999).fault.is_some())
        .count();
    assert!((650..750).contains(&struck), "{struck}");
    assert_eq!(at(&mut storm, 60_000), Effect::NONE);
}

#[test]
fn one_call_in_ten_fails_and_one_in_twenty_hangs() {
    let mut errors = ready_made("errors-and-hangs");
    let faults: Vec<_> = (0..10_000).filter_map(|_| at(&mut errors, 0).fault).collect();
    let count = |names: [&str; 2]| {
        let wanted = names.map(fault);
        faults.iter().filter(|(_, fault)| wanted.contains(fault)).count()
    };
    let (failed, hung) = (count(["500", "503"]), count(["hang", "hang-after"]));
    assert!(
        (900..1_100).contains(&failed) && (400..560).contains(&hung),
        "{failed} {hung}"
    );
    assert_eq!(failed + hung, faults.len());
}

#[test]
fn only_one_region_is_out() {
    let mut out = ready_made("region-out");
    assert!((0..100).all(|_| at(&mut out, 0).fault.is_some()));
    assert_eq!(out.meet(Micros::ZERO, "us-west-2", "m"), Effect::NONE);
}

#[test]
fn slow_death_ends_in_death_and_recovery_in_health() {
    let mut death = ready_made("slow-death");
    let mut course = Vec::new();
    for second in [0, 60, 119] {
        let effect = at(&mut death, second * 1_000);
        assert_eq!(effect.fault, None);
        course.push((effect.slow.factor.round(), effect.capacity.unwrap().1));
    }
    assert_eq!(course, [(1.0, 64), (11.0, 33), (20.0, 2)]);
    assert_eq!(at(&mut death, 120_000).fault, Some((1, fault("503"))));

    let mut recovery = ready_made("recovery");
    assert_eq!(at(&mut recovery, 29_999).fault, Some((0, fault("503"))));
    let middle = at(&mut recovery, 60_000);
    assert_eq!((middle.slow.factor, middle.capacity), (5.5, Some((1, 33))));
    assert_eq!(at(&mut recovery, 90_000), Effect::NONE);
}
