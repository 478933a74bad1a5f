#![allow(clippy::unwrap_used)]

use super::{PlanArgs, PlanError, Planned};
use clap::{CommandFactory, Parser};
use smoother_core::config::Config;

#[derive(Debug, Parser)]
struct Line {
    #[command(flatten)]
    plan: PlanArgs,
}

fn args(words: &[&str]) -> Result<PlanArgs, clap::Error> {
    Line::try_parse_from([&["plan"], words].concat()).map(|line| line.plan)
}

fn play(words: &[&str], content: &str) -> Result<Planned, PlanError> {
    args(words).unwrap().play(content.as_bytes(), None)
}

const TRACE: &str = "t_s,input_tokens,output_tokens\n0,100,10\n1,100,10\n30,100,10\n60,100,10\n";

#[test]
fn the_definitions_are_sound() {
    Line::command().debug_assert();
}

#[test]
fn one_source_is_needed_and_one_quota() {
    for bad in [
        &[][..],
        &["x.csv", "--mix", "m.toml"],
        &["x.csv", "--stream", "burst=1"],
        &["x.csv", "--tokens-per-minute", "5", "--load", "85"],
        &["x.csv", "--for", "batch"],
        &["x.csv", "--percentile", "0", "--target-wait", "5s"],
        &["x.csv", "--target-wait", "soon"],
        &["x.csv", "--limiter", "leaky"],
        &["x.csv", "--max-tokens", "batch=0"],
        &["x.csv", "--priorities", "urgent"],
    ] {
        assert_eq!(args(bad).unwrap_err().exit_code(), 2, "{bad:?}");
    }
    assert!(args(&["x.csv"]).unwrap().wants_config());
    assert!(!args(&["x.csv", "--load", "85"]).unwrap().wants_config());
    assert!(
        args(&["x.csv", "--load", "85", "--lane", "a"])
            .unwrap()
            .wants_config()
    );
}

#[test]
fn a_load_sets_the_quota_by_the_demand() {
    // 4 × (100 + 5 × 10) tokens in a minute.
    let planned = play(&["x.csv", "--load", "50%"], TRACE).unwrap();
    assert_eq!(planned.report.lane.tokens_per_minute, 1_200);
    assert_eq!(planned.report.utilisation.load_percent, 50.0);
}

#[test]
fn flags_go_before_the_configuration() {
    let config = "[lanes.a]\nmodel = \"m\"\nregion = \"us-east-1\"\ntokens_per_minute = 7000\nmax_concurrency = 3\n\
                  [lanes.b]\nmodel = \"n\"\nregion = \"us-east-1\"\ntokens_per_minute = 9000\n";
    let config = Config::load(Some(("c", config)), []).unwrap();
    let play = |words: &[&str]| args(words).unwrap().play(TRACE.as_bytes(), Some(&config));
    let lane = play(&["x.csv", "--lane", "a", "--tokens-per-minute", "8000"])
        .unwrap()
        .report
        .lane;
    assert_eq!(
        (lane.lane.as_str(), lane.tokens_per_minute, lane.max_concurrency),
        ("a", 8_000, 3)
    );
    assert!(matches!(play(&["x.csv"]), Err(PlanError::Usage(said)) if said.contains("--lane: a, b")));
    assert!(matches!(play(&["x.csv", "--lane", "c"]), Err(PlanError::Usage(said)) if said.contains("a, b")));
}

#[test]
fn pacing_is_what_the_configuration_allows() {
    let words = [
        "x.csv",
        "--tokens-per-minute",
        "60000",
        "--pacing",
        "bucket",
        "--bucket-seconds",
        "20",
    ];
    assert_eq!(play(&words, TRACE).unwrap().report.lane.pacing, "bucket (20 s)");
    let said = play(&["x.csv", "--load", "85", "--pacing", "wild"], TRACE).unwrap_err();
    assert!(said.to_string().contains("\"window\""), "{said}");
}

#[test]
fn what_is_assigned_is_said() {
    let words = [
        "x.csv",
        "--load",
        "85",
        "--priorities",
        "interactive=1,batch=1",
        "--tenants",
        "3",
        "--timeout",
        "batch=1h",
    ];
    let notes = play(&words, TRACE).unwrap().report.workload.notes.join("\n");
    for said in [
        "no row names a priority: drawn with seed 1",
        "among 3",
        "the model's maximum",
        "batch 1 h 00 min; else there is no deadline",
    ] {
        assert!(notes.contains(said), "{said}: {notes}");
    }
    let whole =
        "t_s,input_tokens,output_tokens,tenant,priority,max_tokens,timeout_ms\n0,1,1,a,batch,5,5000\n";
    assert_eq!(
        play(&["x.csv", "--load", "85"], whole)
            .unwrap()
            .report
            .workload
            .notes,
        [""; 0]
    );
}

#[test]
fn a_mix_is_drawn_from_flags_or_from_a_file() {
    let stream = "priority=\"batch\", burst=5, input=100, output=10, max_tokens=20";
    let flags = play(&["--stream", stream, "--tokens-per-minute", "60000"], "").unwrap();
    let file = format!("minutes = 10\n[[streams]]\n{}\n", stream.replace(", ", "\n"));
    let read = play(&["--mix", "m.toml", "--tokens-per-minute", "60000"], &file).unwrap();
    assert_eq!(
        (flags.report.requests.completed, &flags.report.waits),
        (5, &read.report.waits)
    );
    assert!(matches!(
        play(&["--mix", "m", "--load", "85"], "minutes = \"x\""),
        Err(PlanError::Input(_))
    ));
    assert!(matches!(
        play(&["--stream", "burst=1", "--load", "85"], ""),
        Err(PlanError::Usage(_))
    ));
}

/// A burst of 40 calls of 100 + 400 at 6,000 a minute, of which 20 tokens come: what is reserved decides.
const BURST: [&str; 2] = [
    "--stream",
    "burst=40, within=\"10s\", input=100, output=20, priority=\"interactive\"",
];

#[test]
fn a_target_is_met_by_the_quota_that_is_answered_and_not_by_a_smaller_one() {
    let ask = |quota: u64, max: u64| {
        let (quota, max) = (quota.to_string(), max.to_string());
        let words = [
            "--tokens-per-minute",
            &quota,
            "--max-tokens",
            &max,
            "--target-wait",
            "5s",
            "--for",
            "interactive",
        ];
        play(&[&BURST[..], &words].concat(), "").unwrap().report
    };
    let report = ask(6_000, 400);
    let (quota, most) = (report.answers[0].value.unwrap(), report.answers[1].value);
    let p95 = |report: &crate::Report| report.waits[0].waits.p95_ms;
    assert!(
        p95(&ask(quota, 400)) <= 5_000 && p95(&ask(quota * 95 / 100, 400)) > 5_000,
        "{quota}"
    );
    assert_eq!(report.answers[0].wait_ms, Some(p95(&ask(quota, 400))));
    assert_eq!(most, None, "even without any reservation the burst takes longer");
    // With a higher quota it is the reservation that is in the way.
    let tight = ask(quota * 3 / 4, 400);
    if let Some(most) = tight.answers[1].value {
        assert!(p95(&ask(quota * 3 / 4, most)) <= 5_000 && most < 400, "{most}");
    }
    assert!(matches!(
        play(&["x.csv", "--load", "85", "--target-wait", "1s", "--for", "batch"], TRACE),
        Err(PlanError::Usage(said)) if said.contains("only normal")
    ));
}

#[test]
fn the_text_tells_what_matters() {
    let words = [
        "--tokens-per-minute",
        "6000",
        "--max-tokens",
        "400",
        "--target-wait",
        "5s",
        "--timeout",
        "1min",
    ];
    let said = play(&[&BURST[..], &words].concat(), "").unwrap().text;
    for word in [
        "seed 1",
        "interactive",
        "bound",
        "throttled upstream",
        "utilisation",
        "deadlines",
        "tokens_per_minute at least",
    ] {
        assert!(said.contains(word), "{word}: {said}");
    }
}

mod html;
