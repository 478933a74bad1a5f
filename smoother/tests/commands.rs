//! The binary itself: exit codes, signals, and what reaches a pipe.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::io::Read;
use std::net::TcpListener;
use std::process::{Command, Output, Stdio};

const ID: &str = "019b76da-a800-7000-8000-000000000000";

/// The binary, with nothing of the caller's own settings.
fn smoother(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_smoother"));
    command.args(arguments).stdin(Stdio::null());
    for name in [
        "SMOOTHER_SERVER",
        "SMOOTHER_MODEL",
        "SMOOTHER_CONFIG",
        "CLICOLOR_FORCE",
    ] {
        command.env_remove(name);
    }
    command
}

fn run(arguments: &[&str]) -> Output {
    smoother(arguments).output().unwrap()
}

#[test]
fn help_lists_every_command_and_exit_code() {
    let said = run(&["--help"]);
    assert_eq!(said.status.code(), Some(0));
    let help = String::from_utf8(said.stdout).unwrap();
    for word in [
        "serve",
        "submit",
        "status",
        "watch",
        "result",
        "cancel",
        "lanes",
        "sim",
        "check-config",
        "Exit codes",
        "130",
    ] {
        assert!(help.contains(word), "{word}: {help}");
    }
}

#[test]
fn a_wrong_command_line_is_2() {
    for line in [&[][..], &["submit"], &["status", "no-uuid"], &["frobnicate"]] {
        assert_eq!(run(line).status.code(), Some(2), "{line:?}");
    }
}

#[test]
fn a_server_that_is_not_there_is_5_and_a_pipe_gets_no_colours() {
    // A port that was free a moment ago and is closed again.
    let port = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let url = format!("http://127.0.0.1:{port}");
    for line in [
        &["submit", "hello", "--server", &url][..],
        &["status", ID, "--server", &url],
        &["watch", ID, "--server", &url],
        &["lanes", "--server", &url],
    ] {
        let said = run(line);
        assert_eq!(said.status.code(), Some(5), "{line:?}");
        let words = String::from_utf8(said.stderr).unwrap();
        assert!(
            words.starts_with("error: ") && !words.contains('\x1b'),
            "{words:?}"
        );
        assert!(said.stdout.is_empty());
    }
}

#[cfg(unix)]
#[test]
fn an_interrupt_is_130_and_says_how_to_go_on() {
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", server.local_addr().unwrap());
    let child = smoother(&["watch", ID, "--server", &url])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // It waits for an answer that never comes once its question is here.
    let (mut question, _) = server.accept().unwrap();
    assert!(question.read(&mut [0; 16]).unwrap() > 0);
    let sent = Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status();
    assert!(sent.unwrap().success());
    let said = child.wait_with_output().unwrap();
    assert_eq!(said.status.code(), Some(130));
    let words = String::from_utf8(said.stderr).unwrap();
    assert!(words.contains(&format!("smoother watch {ID}")), "{words}");
}
