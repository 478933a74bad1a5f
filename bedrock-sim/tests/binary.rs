//! The binary: its first line, its flags, its end.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};

fn start(flags: &[&str]) -> (Child, String) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_bedrock-sim"))
        .args(["--port", "0"])
        .args(flags)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.as_mut().unwrap())
        .read_line(&mut line)
        .unwrap();
    (child, line)
}

fn get(addr: &str, path: &str) -> serde_json::Value {
    let mut stream = TcpStream::connect(addr).unwrap();
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n"
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap()
}

fn signal(child: &Child, name: &str) {
    let pid = child.id().to_string();
    assert!(
        Command::new("kill")
            .args(["-s", name, &pid])
            .status()
            .unwrap()
            .success()
    );
}

#[test]
fn the_first_line_names_the_address_and_a_signal_ends_it() {
    for name in ["TERM", "INT"] {
        let (mut child, line) = start(&[]);
        let addr = line.trim().rsplit_once("http://").unwrap().1.to_owned();
        assert_eq!(get(&addr, "/healthz")["status"], "ok");
        signal(&child, name);
        assert_eq!(child.wait().unwrap().code(), Some(0));
        assert!(TcpStream::connect(&addr).is_err());
    }
}

#[test]
fn every_flag_reaches_the_settings() {
    let flags = "--json --threads 2 --tokens-per-minute 300000 --requests-per-minute 600 --tokens-per-day 9000000 \
        --max-concurrency 64 --limiter fixed --bucket-seconds 20 --window-phase-ms 1500 --day-phase-ms 2500 \
        --oversize when-full --output-burndown 3 --max-output-tokens 8192 --max-input-tokens 200000 --model a \
        --model b --base-ms 300 --per-token-ms 8.5 --tokens-per-event 2 --fault 503=0.02 \
        --fault cut-after=0.1@5000..9000 --fault-seed 7 --default-region eu-west-1 --stamp-arrival --external-load 0.25 --call-log 10";
    let (mut child, line) = start(&flags.split_ascii_whitespace().collect::<Vec<_>>());
    let line: serde_json::Value = serde_json::from_str(&line).unwrap();
    assert_eq!(line["pid"], child.id());
    let settings = get(line["addr"].as_str().unwrap(), "/control");
    let expected = serde_json::json!({
        "quota": {"tokens_per_minute": 300_000, "requests_per_minute": 600, "tokens_per_day": 9_000_000,
            "max_concurrency": 64, "limiter": "fixed", "bucket_seconds": 20.0, "window_phase_ms": 1500,
            "day_phase_ms": 2500, "oversize": "when_full"},
        "latency": {"base_ms": 300.0, "per_token_ms": 8.5, "tokens_per_event": 2},
        "faults": {"seed": 7, "rules": [{"fault": "503", "share": 0.02},
            {"fault": "cut-after", "share": 0.1, "from_ms": 5000, "until_ms": 9000}]},
        "external_load": 0.25, "output_burndown": 3, "max_output_tokens": 8192, "max_input_tokens": 200_000,
        "models": {"a": {}, "b": {}}, "only_known_models": true, "default_region": "eu-west-1", "stamp_arrival": true,
        "regions": {},
    });
    let mut found = settings.clone();
    for model in ["a", "b"] {
        let own = found["models"][model].as_object_mut().unwrap();
        assert!(own.values().all(serde_json::Value::is_null));
        own.clear();
    }
    assert_eq!(found, expected);
    signal(&child, "TERM");
    assert_eq!(child.wait().unwrap().code(), Some(0));

    // What /control prints is a settings file; flags come before it.
    let file = std::env::temp_dir().join(format!("bedrock-sim-{}.json", std::process::id()));
    std::fs::write(&file, settings.to_string()).unwrap();
    let (mut child, line) = start(&["--json", "--settings", file.to_str().unwrap(), "--base-ms", "1"]);
    let line: serde_json::Value = serde_json::from_str(&line).unwrap();
    let again = get(line["addr"].as_str().unwrap(), "/control");
    assert_eq!(
        (&again["quota"], &again["latency"]["base_ms"]),
        (&settings["quota"], &serde_json::json!(1.0))
    );
    signal(&child, "TERM");
    child.wait().unwrap();
    std::fs::remove_file(file).unwrap();
}

#[test]
fn a_script_plays_from_the_start() {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/slow-death.toml");
    let (mut child, line) = start(&["--json", "--script", script]);
    let line: serde_json::Value = serde_json::from_str(&line).unwrap();
    let found = get(line["addr"].as_str().unwrap(), "/script");
    assert_eq!(found["active"], serde_json::json!(["dying"]));
    assert_eq!(found["script"]["spans"][1]["name"], "dead");
    signal(&child, "TERM");
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn a_wrong_flag_is_named() {
    for (flags, named) in [
        (["--external-load", "1.5"], "external_load is 1.5"),
        (["--fault", "teapot=0.1"], "teapot"),
        (["--fault", "503"], "FAULT=SHARE"),
        (["--settings", "/nonexistent.json"], "/nonexistent.json"),
        (["--script", "/nonexistent.toml"], "/nonexistent.toml"),
        (
            ["--script", concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml")],
            "line 1",
        ),
    ] {
        let output = Command::new(env!("CARGO_BIN_EXE_bedrock-sim"))
            .args(["--port", "0"])
            .args(flags)
            .output()
            .unwrap();
        assert!(!output.status.success());
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(said.contains(named), "{flags:?}: {said}");
    }
}
