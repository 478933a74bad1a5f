//! One job at a time.

use super::server::Server;
use super::shell::smoother;
use crate::commands::Exit;
use serde_json::Value;
use smoother_core::{RequestId, TenantId};

fn unknown_id() -> String {
    RequestId::keyed(&TenantId::default(), "nobody").to_string()
}

/// Submits without waiting; the id.
async fn submitted(server: &Server, prompt: &str) -> String {
    let said = smoother(&server.url, &["submit", "--no-wait", prompt], "").await;
    assert_eq!(said.exit, Exit::Ok, "{}", said.err);
    said.out.trim().to_owned()
}

#[tokio::test]
async fn a_prompt_is_answered_with_its_text() {
    let server = Server::start().await;
    let line = [
        "submit",
        "slow hello",
        "--max-tokens",
        "9",
        "-p",
        "interactive",
        "--timeout-ms",
        "5000",
    ];
    let said = smoother(&server.url, &line, "").await;
    assert_eq!((said.exit, said.out.as_str()), (Exit::Ok, "you said slow hello"));
    let (_, job) = server.only();
    assert_eq!(job.form["model"], "claude");
    assert_eq!(job.form["operation"], "converse");
    assert_eq!(job.form["body"]["inferenceConfig"]["maxTokens"], 9);
    assert_eq!(job.priority.as_deref(), Some("interactive"));
    assert_eq!(job.timeout_ms.as_deref(), Some("5000"));
}

#[tokio::test]
async fn prompts_and_bodies_come_from_stdin_and_files() {
    let server = Server::start().await;
    let said = smoother(&server.url, &["submit", "-"], "from a pipe\n").await;
    assert_eq!(said.out, "you said from a pipe");

    let body = r#"{"anthropic_version": "bedrock-2023-05-31", "max_tokens": 5, "messages": []}"#;
    let said = smoother(&server.url, &["submit", "--json-body", "-", "--no-wait"], body).await;
    let jobs = server.jobs.lock().unwrap();
    let job = &jobs.jobs[said.out.trim()];
    assert_eq!(job.form["operation"], "invoke");
    assert_eq!(job.form["body"]["max_tokens"], 5);
}

#[tokio::test]
async fn json_holds_the_job_and_its_result() {
    let server = Server::start().await;
    let said = smoother(&server.url, &["submit", "hello", "--json"], "").await;
    let line: Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!(line["job"]["status"], "COMPLETED");
    assert_eq!(
        line["result"]["output"]["message"]["content"][0]["text"],
        "you said hello"
    );
}

#[tokio::test]
async fn a_server_that_is_away_for_a_moment_gets_the_same_key_again() {
    let server = Server::start().await;
    let said = smoother(&server.url, &["submit", "away"], "").await;
    assert_eq!(said.exit, Exit::Ok, "{}", said.err);
    server.only();
    assert_eq!(server.jobs.lock().unwrap().submissions, 3);
    assert_eq!(
        said.err.matches("waiting for the server").count(),
        1,
        "{}",
        said.err
    );
    assert!(said.err.contains("stopping"), "{}", said.err);
}

#[tokio::test]
async fn the_jobs_id_is_told_before_its_answer() {
    let server = Server::start().await;
    let said = smoother(&server.url, &["submit", "slow hello"], "").await;
    let (id, _) = server.only();
    assert!(
        said.err.starts_with(&format!("job {id}, 3 in line")),
        "{}",
        said.err
    );
    let said = smoother(&server.url, &["submit", "hello", "--key", "k", "--json"], "").await;
    let told: Value = serde_json::from_str(&said.err).unwrap();
    let result: Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!(told["job"]["id"], result["job"]["id"]);
}

#[tokio::test]
async fn every_end_has_its_exit_code() {
    let server = Server::start().await;
    let slow = submitted(&server, "forever").await;
    let nobody = unknown_id();
    for (line, exit, words) in [
        (vec!["submit", "fail"], Exit::NoAnswer, "the prompt says so"),
        (vec!["submit", "refuse"], Exit::Refused, "it can never fit"),
        (vec!["submit", "  "], Exit::Refused, "empty"),
        (
            vec!["submit", "--json-body", "/no/such/file"],
            Exit::NotFound,
            "/no/such/file",
        ),
        (
            vec!["submit", "--operation", "invoke", "x"],
            Exit::Usage,
            "--json-body",
        ),
        (vec!["status", &nobody], Exit::NotFound, "no job"),
        (vec!["result", &nobody], Exit::NotFound, "no job"),
        (vec!["cancel", &nobody], Exit::NotFound, "no job"),
        (vec!["result", &slow], Exit::NotYet, "QUEUED"),
    ] {
        let said = smoother(&server.url, &line, "").await;
        assert_eq!(said.exit, exit, "{line:?}: {}", said.err);
        assert!(said.err.contains(words), "{line:?}: {}", said.err);
        assert!(said.out.is_empty(), "{line:?}: {}", said.out);

        let scripted: Vec<&str> = line.iter().copied().chain(["--json"]).collect();
        let said = smoother(&server.url, &scripted, "").await;
        assert_eq!(said.exit, exit, "{line:?}: {}", said.err);
        let objects: Vec<Value> = said
            .err
            .lines()
            .map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("no JSON: {line}")))
            .collect();
        let error = &objects.last().unwrap()["error"];
        assert_eq!(error["exit_code"], u8::from(exit), "{line:?}: {error}");
        assert!(
            error["message"].as_str().unwrap().contains(words),
            "{line:?}: {error}"
        );
        assert!(said.out.is_empty(), "{line:?}: {}", said.out);
    }
    let said = smoother(&server.url, &["status", &nobody, "--json"], "").await;
    let object: Value = serde_json::from_str(&said.err).unwrap();
    assert_eq!(object["error"]["kind"], "refused");
    assert_eq!(object["error"]["status"], 404);
    assert!(
        object["error"]["problem"]["type"]
            .as_str()
            .unwrap()
            .ends_with("unknown-job")
    );
    let gone = smoother("http://127.0.0.1:9", &["status", &nobody], "").await;
    assert_eq!(gone.exit, Exit::Unreachable);
    assert!(gone.err.contains("smoother serve"), "{}", gone.err);
}

#[tokio::test]
async fn status_tells_what_a_person_asks_first() {
    let server = Server::start().await;
    let id = submitted(&server, "hello").await;
    let said = smoother(&server.url, &["status", &id], "").await;
    for words in [
        "COMPLETED",
        "converse to claude",
        "1.5 s in the queue",
        "1,200 in, 30 out, 1,350 of the quota",
        "tokens 2",
        "up-1",
    ] {
        assert!(said.out.contains(words), "{words}: {}", said.out);
    }
    let said = smoother(&server.url, &["status", &id, "--json"], "").await;
    let job: Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!(job["calls"][0]["number"], 1);
}

#[tokio::test]
async fn watch_follows_to_the_end() {
    let server = Server::start().await;
    let id = submitted(&server, "slow fail").await;
    let said = smoother(&server.url, &["watch", &id], "").await;
    assert_eq!(said.exit, Exit::NoAnswer);
    let states: Vec<&str> = said.out.lines().map(|l| l.split(' ').next().unwrap()).collect();
    assert_eq!(states, ["QUEUED", "QUEUED", "FAILED"]);
    assert!(said.err.contains("the prompt says so"));
}

#[tokio::test]
async fn a_result_comes_as_it_is_or_as_text() {
    let server = Server::start().await;
    let id = submitted(&server, "slow hello").await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("result.json");
    let line = ["result", &id, "--wait", "-o", file.to_str().unwrap()];
    assert_eq!(smoother(&server.url, &line, "").await.exit, Exit::Ok);
    let body = std::fs::read_to_string(&file).unwrap();
    assert_eq!(
        body,
        r#"{"output":{"message":{"content":[{"text":"you said slow hello"}]}}}"#
    );
    let said = smoother(&server.url, &["result", &id, "--text"], "").await;
    assert_eq!(said.out, "you said slow hello");
}

#[tokio::test]
async fn cancel_tells_where_the_job_stands() {
    let server = Server::start().await;
    let id = submitted(&server, "slow").await;
    let said = smoother(&server.url, &["cancel", &id], "").await;
    assert_eq!((said.exit, said.out), (Exit::Ok, format!("{id} CANCELLED\n")));
    let said = smoother(&server.url, &["result", &id], "").await;
    assert_eq!(said.exit, Exit::NoAnswer);
    let id = submitted(&server, "hello").await;
    let said = smoother(&server.url, &["cancel", &id], "").await;
    assert!(
        said.out.contains("COMPLETED") && said.err.contains("had ended"),
        "{said:?}"
    );
}

#[tokio::test]
async fn lanes_are_a_table_once_where_no_terminal_is() {
    let server = Server::start().await;
    let said = smoother(&server.url, &["lanes", "--watch"], "").await;
    assert_eq!(said.exit, Exit::Ok);
    let lines: Vec<&str> = said.out.lines().collect();
    assert_eq!(lines.len(), 2, "{}", said.out);
    for words in [
        "12,345 / 300,000",
        "40,000",
        "5 / 64",
        "1,200+",
        "1 min 05 s",
        "parked until",
    ] {
        assert!(lines[1].contains(words), "{words}: {}", said.out);
    }
    let said = smoother(&server.url, &["lanes", "--json"], "").await;
    let json: Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!(json["lanes"][0]["lane"], "sonnet");
}
