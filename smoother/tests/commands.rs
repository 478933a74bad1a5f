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
        "plan",
        "check-config",
        "Exit codes",
        "130",
        "--patience",
    ] {
        assert!(help.contains(word), "{word}: {help}");
    }
}

#[test]
fn a_wrong_command_line_is_2() {
    for line in [&[][..], &["submit"], &["status", "no-uuid"], &["frobnicate"]] {
        assert_eq!(run(line).status.code(), Some(2), "{line:?}");
    }
    let said = run(&["status", "no-uuid", "--json"]);
    assert_eq!(said.status.code(), Some(2));
    let words = String::from_utf8(said.stderr).unwrap();
    assert!(
        words.starts_with(r#"{"error":{"exit_code":2,"kind":"usage""#),
        "{words}"
    );
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

/// Everything that reads a configuration ends in the same way over the same mistake.
#[test]
fn mistakes_of_a_configuration_have_one_exit_code_each() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (missing, mistaken, file) = (path("none.toml"), path("mistaken.toml"), path("a-file"));
    std::fs::write(&mistaken, "[server]\ncolour = \"blue\"\n").unwrap();
    std::fs::write(&file, "").unwrap();
    let data = path("data");
    let started = ["serve", "--listen", "127.0.0.1:0", "--data-dir"];
    let with = |more: &[&str]| -> Vec<String> { more.iter().map(|&word| word.to_owned()).collect() };
    for (line, code, words) in [
        (
            with(&["serve", "--data-dir", &data, "--config", &missing]),
            3,
            "none.toml",
        ),
        (with(&["check-config", &missing]), 3, "none.toml"),
        (
            with(&["serve", "--data-dir", &data, "--config", &mistaken]),
            4,
            "colour",
        ),
        (with(&["check-config", &mistaken]), 4, "colour"),
        (
            with(&["serve", "--data-dir", &data, "--listen", "0.0.0.0:0"]),
            2,
            "loopback",
        ),
        (
            with(&["serve", "--data-dir", &data, "--listen", "nowhere"]),
            2,
            "127.0.0.1:8080",
        ),
        ([&with(&started)[..], &[file]].concat(), 4, "a-file is a file"),
    ] {
        let words_of = |arguments: &[String]| {
            let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
            // Where no file is named, none of this folder is to be found.
            let said = smoother(&arguments).current_dir(folder.path()).output().unwrap();
            assert_eq!(said.status.code(), Some(code), "{line:?}: {said:?}");
            said
        };
        let said = String::from_utf8(words_of(&line).stderr).unwrap();
        assert!(said.contains(words), "{line:?}: {said}");
        if line[0] != "check-config" {
            let scripted = [&line[..], &["--json".to_owned()]].concat();
            let said = String::from_utf8(words_of(&scripted).stderr).unwrap();
            assert!(
                said.starts_with(r#"{"error":{"#) && said.contains(&format!(r#""exit_code":{code}"#)),
                "{line:?}: {said}"
            );
        }
    }
    assert!(!std::path::Path::new(&data).exists(), "nothing was begun");
}

#[test]
fn a_lane_that_cannot_hold_its_models_maximum_is_warned_of() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("smoother.toml");
    let lane = |maximum: u32| {
        format!(
            "[lanes.small]\nmodel = \"m\"\nregion = \"us-east-1\"\ntokens_per_minute = 8000\n\
             max_output_tokens = {maximum}\n"
        )
    };
    let check = |json: &[&str]| {
        let line = [&["check-config", config.to_str().unwrap()], json].concat();
        let said = run(&line);
        assert_eq!(said.status.code(), Some(0), "{said:?}");
        (
            String::from_utf8(said.stdout).unwrap(),
            String::from_utf8(said.stderr).unwrap(),
        )
    };
    std::fs::write(&config, lane(8_000)).unwrap();
    let (_, err) = check(&[]);
    for word in ["warning", "lanes.small", "8000", "max_tokens"] {
        assert!(err.contains(word), "{word}: {err}");
    }
    let (out, _) = check(&["--json"]);
    assert!(
        out.contains(r#""ok":true"#) && out.contains("lanes.small:"),
        "{out}"
    );
    // It fits, but is more than a few seconds of the quota.
    std::fs::write(&config, lane(4_000)).unwrap();
    let (_, err) = check(&[]);
    for word in ["warning", "lanes.small", "4000", "one such call at a time"] {
        assert!(err.contains(word), "{word}: {err}");
    }
    std::fs::write(&config, lane(1_000)).unwrap();
    assert_eq!(check(&[]).1, "");
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
