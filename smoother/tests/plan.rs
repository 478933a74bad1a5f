//! `smoother plan` as a script would use it: no server, no configuration of the caller's own.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn plan(folder: &Path, arguments: &[&str], stdin: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_smoother"));
    command
        .arg("plan")
        .args(arguments)
        .current_dir(folder)
        .env_remove("SMOOTHER_CONFIG");
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // Whoever refuses its flags reads nothing, and the pipe breaks.
    let _ = child.stdin.take().unwrap().write_all(stdin.as_bytes());
    child.wait_with_output().unwrap()
}

fn stdout(said: &Output) -> String {
    assert_eq!(
        said.status.code(),
        Some(0),
        "{}",
        String::from_utf8_lossy(&said.stderr)
    );
    String::from_utf8(said.stdout.clone()).unwrap()
}

fn stderr(said: &Output) -> String {
    String::from_utf8(said.stderr.clone()).unwrap()
}

const TRACE: &str =
    "t_s,input_tokens,output_tokens,priority\n0,500,50,interactive\n0.5,900,100,batch\n1,900,100,batch\n";

#[test]
fn the_examples_of_the_documents_run_as_they_stand() {
    let folder = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink(root().join("plan"), folder.path().join("plan")).unwrap();
    let mut ran = 0;
    for document in ["README.md", "docs/plan.md"] {
        let text = fs::read_to_string(root().join(document)).unwrap();
        for line in text
            .lines()
            .filter_map(|line| line.strip_prefix("smoother plan "))
        {
            let line = line.split(" # ").next().unwrap();
            let words: Vec<&str> = line.split_whitespace().collect();
            let said = stdout(&plan(folder.path(), &words, ""));
            assert!(
                said.contains("interactive") && said.contains("utilisation"),
                "{line}: {said}"
            );
            ran += 1;
        }
    }
    assert!(ran >= 2, "{ran}");
    let page = fs::read_to_string(folder.path().join("plan.html")).unwrap();
    assert!(page.starts_with("<!DOCTYPE html>") && page.matches("<figure>").count() == 4);
    assert!(!page.contains("http") && !page.contains("<script"));
}

#[test]
fn a_trace_from_stdin_comes_out_as_json_with_every_field_that_is_documented() {
    let words = [
        "-",
        "--tokens-per-minute",
        "60000",
        "--max-tokens",
        "200",
        "--target-wait",
        "1s",
        "--json",
    ];
    let folder = tempfile::tempdir().unwrap();
    let said = stdout(&plan(folder.path(), &words, TRACE));
    assert_eq!(
        said,
        stdout(&plan(folder.path(), &words, TRACE)),
        "the same again"
    );
    let report: serde_json::Value = serde_json::from_str(&said).unwrap();
    assert_eq!(report["requests"]["completed"], 3);
    assert_eq!(report["waits"][0]["band"], "interactive");
    assert_eq!(report["answers"][0]["what"], "tokens_per_minute");
    let documented = fs::read_to_string(root().join("docs/plan.md")).unwrap();
    let mut open = vec![&report];
    while let Some(value) = open.pop() {
        match value {
            serde_json::Value::Object(fields) => {
                for (name, value) in fields {
                    assert!(
                        documented.contains(&format!("`{name}`")),
                        "docs/plan.md does not tell what {name} is"
                    );
                    open.push(value);
                }
            }
            serde_json::Value::Array(values) => open.extend(values),
            _ => {}
        }
    }
}

#[test]
fn bad_rows_are_4_and_each_is_told_with_its_line() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(
        folder.path().join("calls.csv"),
        format!("{TRACE}2,x,1,batch\n3,1,1,urgent\n"),
    )
    .unwrap();
    let said = plan(folder.path(), &["calls.csv", "--load", "85"], "");
    assert_eq!(said.status.code(), Some(4));
    let words = stderr(&said);
    assert!(
        words.contains("calls.csv:5: input_tokens is \"x\"") && words.contains("calls.csv:6: priority"),
        "{words}"
    );
    assert!(said.stdout.is_empty());
    let said = plan(folder.path(), &["calls.csv", "--load", "85", "--json"], "");
    let error: serde_json::Value = serde_json::from_str(&stderr(&said)).unwrap();
    assert_eq!(
        (&error["error"]["exit_code"], &error["error"]["kind"]),
        (&4.into(), &"input".into())
    );
}

#[test]
fn what_is_not_there_is_3_and_wrong_flags_are_2() {
    let folder = tempfile::tempdir().unwrap();
    let ends = |words: &[&str]| plan(folder.path(), words, TRACE).status.code();
    assert_eq!(ends(&["none.csv", "--load", "85"]), Some(3));
    assert_eq!(ends(&["-", "--config", "none.toml"]), Some(3));
    assert_eq!(ends(&[]), Some(2));
    assert_eq!(ends(&["-", "--load", "85", "--limiter", "leaky"]), Some(2));
    assert_eq!(ends(&["-", "--load", "85", "--stream", "burst=1"]), Some(2));
    let said = plan(folder.path(), &["-"], TRACE);
    assert_eq!(said.status.code(), Some(2));
    assert!(
        stderr(&said).contains("--tokens-per-minute or --load"),
        "{}",
        stderr(&said)
    );
}

#[test]
fn a_configured_lane_is_taken_with_its_tenants() {
    let folder = tempfile::tempdir().unwrap();
    let config = "[lanes.small]\nmodel = \"m\"\nregion = \"us-east-1\"\ntokens_per_minute = 60000\noutput_burndown = 1\n\
                  max_output_tokens = 100\n[lanes.large]\nmodel = \"n\"\nregion = \"us-east-1\"\ntokens_per_minute = 900000\n\
                  [tenants.a]\nweight = 3\n";
    fs::write(folder.path().join("smoother.toml"), config).unwrap();
    let said = stdout(&plan(folder.path(), &["-", "--lane", "small", "--json"], TRACE));
    let report: serde_json::Value = serde_json::from_str(&said).unwrap();
    assert_eq!(
        (&report["lane"]["lane"], &report["lane"]["tokens_per_minute"]),
        (&"small".into(), &60_000.into())
    );
    assert_eq!(
        (
            &report["lane"]["output_burndown"],
            &report["requests"]["completed"]
        ),
        (&1.into(), &3.into())
    );
    let said = plan(folder.path(), &["-"], TRACE);
    assert!(
        said.status.code() == Some(2) && stderr(&said).contains("--lane: large, small"),
        "{}",
        stderr(&said)
    );
    fs::write(folder.path().join("smoother.toml"), "[lanes.small]\nmodel = 1\n").unwrap();
    assert_eq!(plan(folder.path(), &["-"], TRACE).status.code(), Some(4));
}
