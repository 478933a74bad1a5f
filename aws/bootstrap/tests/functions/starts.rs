//! A start that cannot go well ends with an error that says what is missing, before any event is taken.

use std::net::TcpListener;
use tokio::process::Command;

use crate::support::command;

/// Nobody listens there.
fn nowhere() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    format!("http://{}", listener.local_addr().unwrap())
}

async fn said(mut command: Command) -> String {
    let output = command.output().await.unwrap();
    assert!(!output.status.success(), "it must not start");
    String::from_utf8(output.stderr).unwrap()
}

#[tokio::test]
async fn a_handler_that_is_none_is_named_with_those_there_are() {
    let folder = tempfile::tempdir().unwrap();
    let said = said(command("main", folder.path(), &nowhere())).await;
    assert!(said.contains("main") && said.contains("prioritizer"), "{said}");
}

#[tokio::test]
async fn everything_missing_in_the_environment_is_named_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = command("worker", folder.path(), &nowhere());
    command.env_remove("SMOOTHER_TABLE").env_remove("SMOOTHER_TOPIC");
    let said = said(command).await;
    for words in ["SMOOTHER_TABLE is missing", "SMOOTHER_TOPIC is missing"] {
        assert!(said.contains(words), "{said}");
    }
}

#[tokio::test]
async fn a_configuration_that_does_not_fit_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let mut missing = command("worker", folder.path(), &nowhere());
    missing.env("SMOOTHER_CONFIG", folder.path().join("other.toml"));
    let text = said(missing).await;
    assert!(
        text.contains("other.toml") && text.contains("SMOOTHER_CONFIG"),
        "{text}"
    );

    let mut unserved = command("worker", folder.path(), &nowhere());
    unserved.env("SMOOTHER_LANE_QUEUES", "{}");
    let text = said(unserved).await;
    assert!(
        text.contains("lane nova") && text.contains("SMOOTHER_LANE_QUEUES"),
        "{text}"
    );
}

#[tokio::test]
async fn a_level_of_logging_that_is_none_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = command("worker", folder.path(), &nowhere());
    command.env("SMOOTHER_LOG", "loud");
    let said = said(command).await;
    assert!(said.contains("loud") && said.contains("debug"), "{said}");
}
