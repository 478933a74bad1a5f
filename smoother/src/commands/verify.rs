//! `smoother verify`: everything in a data directory, read and held against itself, with no server on it.

use super::{Exit, error_json};
use crate::cli::VerifyArgs;
use crate::serve::read_config;
use smoother_embedded::{OpenError, Report, VerifyError, verify};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Verifies, reports, and ends with 0, 3 (nothing there), 4 (in use, or not a smoother's), 8 (damage) or 1.
pub fn main(args: &VerifyArgs, json: bool) -> Exit {
    let dir = match data_dir(args.data_dir.as_deref(), args.config.as_deref(), json) {
        Ok(dir) => dir,
        Err(exit) => return exit,
    };
    match verify(&dir) {
        Ok(report) => tell(&dir, &report, json),
        Err(error) => complain(&error, exit_of(&error), json),
    }
}

/// The directory that a flag, the configuration or the environment names.
pub(super) fn data_dir(flag: Option<&Path>, config: Option<&Path>, json: bool) -> Result<PathBuf, Exit> {
    match flag {
        Some(dir) => Ok(dir.to_owned()),
        None => read_config(config)
            .map(|config| config.server.data_dir.into())
            .map_err(|error| complain(&error, error.exit(), json)),
    }
}

/// Prints what was found; 8 if it is damage.
pub(super) fn tell(dir: &Path, report: &Report, json: bool) -> Exit {
    let mut out = io::stdout().lock();
    let said = if json {
        writeln!(out, "{}", as_json(dir, report))
    } else {
        write!(out, "{}", as_text(dir, report))
    };
    match said.and_then(|()| out.flush()) {
        Err(_) => Exit::Failed,
        Ok(()) if report.is_sound() => Exit::Ok,
        Ok(()) => Exit::Damaged,
    }
}

pub(super) fn complain(error: &dyn std::fmt::Display, exit: Exit, json: bool) -> Exit {
    let kind = match exit {
        Exit::NotFound => "not-found",
        Exit::Refused => "refused",
        Exit::Damaged => "damaged",
        _ => "failed",
    };
    // Without a stderr the code has to say it.
    let _ = if json {
        writeln!(io::stderr(), "{}", error_json(kind, exit, &error.to_string()))
    } else {
        writeln!(io::stderr(), "error: {error}")
    };
    exit
}

fn exit_of(error: &VerifyError) -> Exit {
    match error {
        VerifyError::Nothing(_) => Exit::NotFound,
        VerifyError::Open(error) => of_open(error),
        VerifyError::Unread(_) => Exit::Failed,
    }
}

pub(super) const fn of_open(error: &OpenError) -> Exit {
    match error {
        OpenError::Locked { .. } | OpenError::Foreign { .. } | OpenError::Newer { .. } => Exit::Refused,
        OpenError::Damaged { .. } => Exit::Damaged,
        _ => Exit::Failed,
    }
}

fn as_text(dir: &Path, report: &Report) -> String {
    let Report {
        requests,
        open,
        calls,
        payloads,
        orphans,
        damage,
        more,
    } = report;
    let word = if report.is_sound() { "sound" } else { "DAMAGED" };
    let mut text = format!(
        "{}: {word}: {requests} request(s), {open} of them not over, {calls} call(s), {payloads} payload(s)\n",
        dir.display()
    );
    if *orphans > 0 {
        text += &format!("  {orphans} payload file(s) that no request names; the next start removes them\n");
    }
    for line in damage {
        text += &format!("  {line}\n");
    }
    if *more > 0 {
        text += &format!("  and {more} more\n");
    }
    text
}

fn as_json(dir: &Path, report: &Report) -> serde_json::Value {
    serde_json::json!({
        "data_dir": dir.to_string_lossy(),
        "sound": report.is_sound(),
        "requests": report.requests,
        "open": report.open,
        "calls": report.calls,
        "payloads": report.payloads,
        "orphans": report.orphans,
        "damage": report.damage,
        "more": report.more,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_says_what_is_wrong_and_how_much_more() {
        let mut report = Report {
            requests: 3,
            orphans: 1,
            ..Report::default()
        };
        let said = as_text(Path::new("data"), &report);
        assert!(
            said.starts_with("data: sound: 3 request(s)") && said.contains("1 payload file(s)"),
            "{said}"
        );
        report.damage.push("request x: it has no body".to_owned());
        report.more = 7;
        let said = as_text(Path::new("data"), &report);
        assert!(
            said.contains("DAMAGED") && said.contains("no body") && said.contains("7 more"),
            "{said}"
        );
        let json = as_json(Path::new("data"), &report);
        assert_eq!((&json["sound"], &json["more"]), (&false.into(), &7.into()));
    }
}
