//! A start that cannot go well ends with an error that says what is missing, before any event is taken; Lambda is told.

use serde_json::{Value, json};
use std::net::TcpListener;
use tokio::process::Command;

use crate::support::{Surroundings, command, table};

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

/// Starts it among services, as they are by now; what Lambda was told of why it does not start.
async fn refused(around: &Surroundings, command: Command) -> String {
    let text = said(command).await;
    let told = around.lambda.init_error().await.expect("Lambda is told why");
    assert_eq!(told["errorType"], "Smoother.CannotStart");
    let told = told["errorMessage"].as_str().unwrap().to_owned();
    let line: Value = text
        .lines()
        .rev()
        .find_map(|line| serde_json::from_str(line).ok())
        .unwrap();
    assert_eq!(line["fields"]["message"], told, "the log says the same");
    assert!(!around.lambda.was_asked(), "no event was taken");
    assert!(around.aws.is_untouched(), "nothing was written or sent");
    told
}

#[tokio::test]
async fn each_variable_that_is_missing_is_named_with_what_it_is_for() {
    for (name, what) in [
        ("SMOOTHER_CONFIG", "the path of smoother.toml"),
        ("SMOOTHER_TABLE", "the name of the table"),
        ("SMOOTHER_BUCKET", "the name of the bucket"),
        ("SMOOTHER_LANE_QUEUES", "the URL of its queue"),
        ("SMOOTHER_DISPATCH_QUEUE", "the URL of the dispatch queue"),
        ("SMOOTHER_RESULTS_QUEUE", "the URL of the results queue"),
        ("SMOOTHER_UNTOLD_QUEUE", "the URL of the queue of ends"),
        ("SMOOTHER_INPUT_DLQ", "dead-letter queue"),
        ("SMOOTHER_TOPIC", "the ARN of the topic"),
        ("SMOOTHER_SOCKETS", "the management endpoint"),
        ("SMOOTHER_PRIORITIZER", "the prioritizer function"),
    ] {
        let around = Surroundings::new().await;
        let mut command = around.command("prioritizer");
        command.env_remove(name);
        let told = refused(&around, command).await;
        assert!(told.contains(&format!("{name} is missing; it must be")), "{told}");
        assert!(told.contains(what), "{told}");
    }
}

#[tokio::test]
async fn a_process_without_credentials_says_so() {
    for missing in ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"] {
        let around = Surroundings::new().await;
        let mut command = around.command("input");
        command.env_remove(missing);
        let told = refused(&around, command).await;
        assert!(
            told.contains("AWS_ACCESS_KEY_ID") && told.contains("role"),
            "{told}"
        );
    }
}

#[tokio::test]
async fn a_process_without_a_region_says_so() {
    let around = Surroundings::new().await;
    let mut command = around.command("input");
    command.env_remove("AWS_REGION");
    let told = refused(&around, command).await;
    assert!(told.contains("AWS_REGION"), "{told}");
}

#[tokio::test]
async fn a_table_that_is_missing_or_another_or_locked_is_named() {
    let missing = json!({"__type": "ResourceNotFoundException", "message": "Requested resource not found"});
    let mut other = table();
    other["Table"]["GlobalSecondaryIndexes"]
        .as_array_mut()
        .unwrap()
        .pop();
    let mut locked = table();
    locked["Table"]["TableStatus"] = json!("INACCESSIBLE_ENCRYPTION_CREDENTIALS");
    locked["Table"]["SSEDescription"] = json!({"KMSMasterKeyArn": "arn:aws:kms:us-east-1:1:key/k"});
    for (answer, words) in [
        (missing, ["there is no table requests", "deploy it"]),
        (other, ["index dead is missing", "table requests"]),
        (locked, ["arn:aws:kms:us-east-1:1:key/k", "kms:Decrypt"]),
    ] {
        let around = Surroundings::new().await;
        around.aws.describe_table_as(answer);
        let told = refused(&around, around.command("worker")).await;
        assert!(words.iter().all(|words| told.contains(words)), "{told}");
    }
}

#[tokio::test]
async fn a_permission_that_is_missing_is_named() {
    for (handler, denied, words) in [
        (
            "http",
            "DescribeTable",
            "dynamodb:DescribeTable on table requests is denied",
        ),
        ("results", "HeadBucket", "s3:ListBucket on bucket calls is denied"),
        (
            "prioritizer",
            "PutItem",
            "dynamodb:PutItem on table requests is denied",
        ),
    ] {
        let around = Surroundings::new().await;
        around.aws.deny(denied);
        let told = refused(&around, around.command(handler)).await;
        assert!(told.contains(words) && told.contains("give the role"), "{told}");
    }
}
