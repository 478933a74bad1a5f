//! Files of requests.

use super::server::Server;
use super::shell::{Said, smoother};
use crate::commands::Exit;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

struct Files {
    folder: TempDir,
}

impl Files {
    fn new(lines: &[String]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("in.jsonl"), lines.join("\n")).unwrap();
        Self { folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    async fn run(&self, server: &Server, more: &[&str]) -> Said {
        let (input, output) = (self.path("in.jsonl"), self.path("out.jsonl"));
        let mut line = vec!["submit", input.to_str().unwrap(), "-o", output.to_str().unwrap()];
        line.extend(more);
        smoother(&server.url, &line, "").await
    }
}

fn line(id: &str, prompt: &str) -> String {
    let body = json!({"messages": [{"role": "user", "content": [{"text": prompt}]}]});
    json!({"recordId": id, "modelInput": body}).to_string()
}

fn read(path: &Path) -> BTreeMap<String, Value> {
    let text = fs::read_to_string(path).unwrap();
    let lines = text
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap());
    lines
        .map(|line| (line["recordId"].as_str().unwrap().to_owned(), line))
        .collect()
}

#[tokio::test]
async fn every_line_gets_its_answer_and_bad_ones_fail_alone() {
    let server = Server::start().await;
    let mut lines: Vec<String> = (0..40)
        .map(|n| line(&format!("R{n}"), &format!("prompt {n}")))
        .collect();
    lines.insert(7, "{broken".to_owned());
    lines.insert(9, String::new());
    lines.push(line("REFUSED", "refuse"));
    lines.push(line("FAILED", "slow fail"));
    let files = Files::new(&lines);
    let said = files.run(&server, &["--outstanding", "5"]).await;
    assert_eq!(said.exit, Exit::NoAnswer);
    for words in [
        "43 lines",
        "40 answered",
        "1 not valid",
        "1 refused",
        "1 ended without",
    ] {
        assert!(said.err.contains(words), "{words}: {}", said.err);
    }
    let out = read(&files.path("out.jsonl"));
    assert_eq!(out.len(), 43);
    for n in 0..40 {
        let line = &out[&format!("R{n}")];
        assert_eq!(
            line["modelOutput"]["output"]["message"]["content"][0]["text"],
            format!("you said prompt {n}")
        );
        assert_eq!(
            line["modelInput"]["messages"][0]["content"][0]["text"],
            format!("prompt {n}")
        );
    }
    assert_eq!(out["line-8"]["error"]["errorCode"], 400);
    assert_eq!(out["REFUSED"]["error"]["errorMessage"], "it can never fit");
    assert_eq!(out["FAILED"]["error"]["errorCode"], 424);
    assert!(!files.path("out.jsonl.part").exists());
    let jobs = server.jobs.lock().unwrap();
    assert!(
        jobs.jobs
            .values()
            .all(|job| job.priority.as_deref() == Some("batch"))
    );
}

#[tokio::test]
async fn running_again_submits_nothing_twice_unless_told_to() {
    let server = Server::start().await;
    let lines: Vec<String> = (0..10).map(|n| line(&format!("R{n}"), "same prompt")).collect();
    let files = Files::new(&lines);
    assert_eq!(files.run(&server, &[]).await.exit, Exit::Ok);
    let first = read(&files.path("out.jsonl"));
    assert_eq!(files.run(&server, &[]).await.exit, Exit::Ok);
    assert_eq!(read(&files.path("out.jsonl")), first);
    assert_eq!(server.jobs.lock().unwrap().jobs.len(), 10);
    files.run(&server, &["--run", "second"]).await;
    assert_eq!(server.jobs.lock().unwrap().jobs.len(), 20);
}

#[tokio::test]
async fn lines_come_from_stdin_and_go_to_stdout() {
    let server = Server::start().await;
    let input = format!("{}\n{}\n", line("A", "one"), line("B", "two"));
    let said = smoother(&server.url, &["submit", "--batch", "-", "--json"], &input).await;
    assert_eq!(said.exit, Exit::Ok);
    assert_eq!(said.out.lines().count(), 2);
    let summary: Value = serde_json::from_str(&said.err).unwrap();
    assert_eq!((&summary["answered"], &summary["lines"]), (&json!(2), &json!(2)));
}

#[tokio::test]
async fn without_waiting_the_lines_name_their_jobs() {
    let server = Server::start().await;
    let files = Files::new(&[line("A", "slow")]);
    assert_eq!(files.run(&server, &["--no-wait"]).await.exit, Exit::Ok);
    let out = read(&files.path("out.jsonl"));
    let (id, job) = server.only();
    assert_eq!(out["A"]["jobId"], id);
    assert_eq!(job.asked, 0);
    assert!(job.key.starts_with("batch-"));
}

#[tokio::test]
async fn mistakes_are_told_before_anything_is_sent() {
    let server = Server::start().await;
    let files = Files::new(&[line("A", "x")]);
    let input = files.path("in.jsonl");
    let input = input.to_str().unwrap();
    for (line, exit) in [
        (vec!["submit", input, "-o", input], Exit::Usage),
        (vec!["submit", input, "--max-tokens", "5"], Exit::Usage),
        (vec!["submit", "missing.jsonl"], Exit::NotFound),
        (
            vec!["submit", input, "-o", "/no/such/folder/out.jsonl"],
            Exit::NotFound,
        ),
    ] {
        let said = smoother(&server.url, &line, "").await;
        assert_eq!(said.exit, exit, "{line:?}: {}", said.err);
    }
    assert_eq!(server.jobs.lock().unwrap().submissions, 0);
    let gone = smoother("http://127.0.0.1:9", &["submit", input], "").await;
    assert_eq!(gone.exit, Exit::Unreachable);
}

#[tokio::test]
async fn an_id_that_stands_twice_and_an_array_fail_alone() {
    let server = Server::start().await;
    let lines = [
        line("A", "one"),
        line("B", "two"),
        line("A", "three"),
        r#"["C", {"messages": []}]"#.to_owned(),
        line("D", "four"),
    ];
    let files = Files::new(&lines);
    let said = files.run(&server, &[]).await;
    assert_eq!(said.exit, Exit::NoAnswer);
    let out = read(&files.path("out.jsonl"));
    let ids: Vec<&str> = out.keys().map(String::as_str).collect();
    assert_eq!(ids, ["A", "B", "D", "line-3", "line-4"]);
    let words = |id: &str| out[id]["error"]["errorMessage"].as_str().unwrap().to_owned();
    assert!(
        words("line-3").contains("line 3 is that of line 1"),
        "{}",
        words("line-3")
    );
    assert!(words("line-4").contains("array"), "{}", words("line-4"));
    assert_eq!(
        out["A"]["modelOutput"]["output"]["message"]["content"][0]["text"],
        "you said one"
    );
    assert_eq!(server.jobs.lock().unwrap().jobs.len(), 3);
}

#[tokio::test]
async fn two_runs_do_not_write_one_file() {
    let server = Server::start().await;
    let files = Files::new(&[line("A", "x")]);
    let part = fs::File::create(files.path("out.jsonl.part")).unwrap();
    part.lock().unwrap();
    let said = files.run(&server, &[]).await;
    assert_eq!(said.exit, Exit::Failed);
    assert!(said.err.contains("another run"), "{}", said.err);
    part.unlock().unwrap();
    assert_eq!(files.run(&server, &[]).await.exit, Exit::Ok);
    assert_eq!(server.jobs.lock().unwrap().submissions, 1);
}

#[tokio::test]
async fn a_batch_says_once_that_its_lines_wait_for_the_server() {
    let server = Server::start().await;
    let lines: Vec<String> = (0..8).map(|n| line(&format!("R{n}"), "away")).collect();
    let files = Files::new(&lines);
    let said = files.run(&server, &["--json"]).await;
    assert_eq!(said.exit, Exit::Ok, "{}", said.err);
    let told: Vec<Value> = said
        .err
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(told.len(), 1, "{}", said.err);
    assert!(told[0]["waiting"]["why"].as_str().unwrap().contains("stopping"));
    assert_eq!(told[0]["waiting"]["for_ms"], 5_000);
}
