use super::{Mix, MixError};
use crate::workload::{ORIGIN, Row};
use smoother_core::{Millis, Tokens};

fn rows(text: &str, seed: u64) -> Vec<Row> {
    Mix::parse("mix.toml", text).unwrap().rows(seed).unwrap()
}

fn offsets(rows: &[Row]) -> Vec<u64> {
    rows.iter().map(|row| row.at.since(ORIGIN).get()).collect()
}

#[test]
fn even_arrivals_and_fixed_sizes_are_exact() {
    let rows = rows(
        "minutes = 1\n[[streams]]\nper_minute = 4\narrivals = \"even\"\ninput = 10\noutput = 20\n",
        1,
    );
    assert_eq!(offsets(&rows), [0, 15_000, 30_000, 45_000]);
    assert_eq!(
        (rows[3].input, rows[3].output, rows[3].max_tokens),
        (Tokens::new(10), Tokens::new(20), None)
    );
}

#[test]
fn a_seed_draws_the_same_again_and_another_one_something_else() {
    let text = "minutes = 60\n[[streams]]\nper_minute = 100\ntenants = 3\ninput = { p50 = 600, p99 = 3000 }\n\
                output = { mean = 130.0 }\n";
    assert_eq!(rows(text, 7), rows(text, 7));
    let drawn = rows(text, 7);
    assert_ne!(drawn, rows(text, 8));
    assert!(
        (5_700..6_300).contains(&drawn.len()),
        "Poisson of 6,000: {}",
        drawn.len()
    );
    let mut inputs: Vec<u64> = drawn.iter().map(|row| row.input.get()).collect();
    inputs.sort_unstable();
    let (p50, p99) = (inputs[inputs.len() / 2], inputs[inputs.len() * 99 / 100]);
    assert!(
        (560..640).contains(&p50) && (2_600..3_500).contains(&p99),
        "{p50} {p99}"
    );
    let mean = drawn.iter().map(|row| row.output.get()).sum::<u64>() / drawn.len() as u64;
    assert!((123..137).contains(&mean), "{mean}");
}

#[test]
fn a_burst_comes_within_its_time_and_again() {
    let text = "minutes = 3\n[[streams]]\nburst = 50\nwithin = \"10s\"\nevery = \"1min\"\nafter = \"30s\"\ninput = 1\noutput = 1\n";
    let at = offsets(&rows(text, 1));
    assert_eq!(at.len(), 150);
    for (place, at) in at.iter().enumerate() {
        let begins = 30_000 + place as u64 / 50 * 60_000;
        assert!((begins..=begins + 10_000).contains(at), "{place}: {at}");
    }
}

#[test]
fn a_stream_is_typed_as_it_stands_in_a_file() {
    let stream = Mix::parse_stream(
        "priority=\"batch\", per_minute=60, input=1000, output={mean=300}, timeout=\"2min\"",
    )
    .unwrap();
    assert_eq!(stream.timeout, Some(Millis::from_secs(120)));
    let said = Mix::parse_stream("priority=\"urgent\", per_minute=60, input=1, output=1")
        .unwrap_err()
        .to_string();
    assert!(
        said.starts_with("--stream: ") && said.contains("interactive"),
        "{said}"
    );
}

#[test]
fn mistakes_say_what_is_allowed() {
    let stream = |text: &str| Mix::parse("m", &format!("[[streams]]\n{text}\n")).and_then(|mix| mix.rows(1));
    for (text, names) in [
        ("input = 1\noutput = 1", "per_minute or burst"),
        ("per_minute = 1\nburst = 2\ninput = 1\noutput = 1", "exclude"),
        ("per_minute = 0\ninput = 1\noutput = 1", "above 0"),
        (
            "burst = 2\ninput = { from = 2, to = 1 }\noutput = 1",
            "input: from is above to",
        ),
        ("burst = 2\ninput = { p50 = 1 }\noutput = 1", "{ p50, p99 }"),
        ("burst = 2\ninput = 1\noutput = 1\nwithin = \"soon\"", "5s, 250ms"),
        ("burst = 2\ninput = 1\noutput = 1\ncolour = 1", "colour"),
        (
            "per_minute = 10000000\ninput = 1\noutput = 1",
            "at most 5,000,000",
        ),
    ] {
        let said = stream(text).unwrap_err().to_string();
        assert!(said.contains(names), "{text}: {said}");
    }
    assert_eq!(
        Mix::parse("m", "minutes = 1").unwrap().rows(1),
        Err(MixError::Nothing)
    );
}
