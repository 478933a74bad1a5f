//! `smoother check-config`: every mistake of a configuration, or what it says.

use crate::cli::CheckConfigArgs;
use crate::commands::Exit;
use crate::serve::{NoConfig, read_config};
use smoother_core::Timestamp;
use smoother_core::config::{Config, LaneConfig};
use smoother_core::ledger::{Ledger, Margins};
use std::io::Write;

mod reload;

/// Reads the configuration as `serve` would, and reports on it.
pub fn main(args: &CheckConfigArgs, json: bool) -> Exit {
    let read = read_config(args.file.as_deref());
    let running = args.running.as_deref().map(|file| read_config(Some(file)));
    let mut exit = read.as_ref().map_or_else(NoConfig::exit, |_| Exit::Ok);
    let mut report = if json {
        as_json(&read).to_string()
    } else {
        as_text(&read)
    };
    match (&read, &running) {
        (Ok(next), Some(Ok(running))) => {
            let reload = reload::Check::of(running, next);
            report = if json {
                reload.json(as_json(&read)).to_string()
            } else {
                format!("{report}\n{reload}")
            };
        }
        (Ok(_), Some(failed @ Err(error))) => {
            exit = error.exit();
            report = if json {
                as_json(failed).to_string()
            } else {
                error.to_string()
            };
        }
        _ => {}
    }
    let said = if json || exit == Exit::Ok {
        writeln!(std::io::stdout(), "{report}")
    } else {
        writeln!(std::io::stderr(), "{report}")
    };
    if let (Ok(config), false) = (&read, json) {
        for warning in warnings(config) {
            // The answer is the exit code; a stderr that is closed does not change it.
            let _ = writeln!(std::io::stderr(), "warning: {warning}");
        }
    }
    said.map_or(Exit::Failed, |()| exit)
}

/// What is allowed and will surprise: lanes in which a call without max_tokens can never be released, or only alone.
pub fn warnings(config: &Config) -> Vec<String> {
    config.lanes.values().filter_map(of_lane).collect()
}

fn of_lane(lane: &LaneConfig) -> Option<String> {
    let (maximum, quota) = (lane.max_output_tokens, lane.tokens_per_minute.get());
    let burst = Ledger::new(lane, Margins::default(), Timestamp::EPOCH)
        .burst()
        .get();
    // Any input comes on top.
    let surprise = if maximum >= quota {
        format!("more than tokens_per_minute = {quota} ever has, and is refused")
    } else if maximum >= burst {
        format!(
            "more than the {burst} that may go at one moment, so it goes when nothing else does: one such call at a \
             time"
        )
    } else {
        return None;
    };
    Some(format!(
        "lanes.{}: a call that sets no max_tokens reserves max_output_tokens = {maximum} and its input, {surprise}; \
         lower max_output_tokens, or have every caller set max_tokens",
        lane.id
    ))
}

fn as_text(read: &Result<Config, NoConfig>) -> String {
    match read {
        Err(error) => error.to_string(),
        Ok(config) if config.lanes.is_empty() => {
            "The configuration is right. It names no lane: serve would start the bundled simulator."
                .to_owned()
        }
        Ok(config) => {
            let lanes: Vec<String> = config
                .lanes
                .values()
                .map(|lane| {
                    format!(
                        "  {}: {}, {} model(s)",
                        lane.id,
                        lane.tokens_per_minute,
                        lane.models.len()
                    )
                })
                .collect();
            format!("The configuration is right. Lanes:\n{}", lanes.join("\n"))
        }
    }
}

fn as_json(read: &Result<Config, NoConfig>) -> serde_json::Value {
    match read {
        Ok(config) => serde_json::json!({
            "ok": true,
            "lanes": config.lanes.keys().map(|id| id.as_str()).collect::<Vec<_>>(),
            "warnings": warnings(config),
        }),
        Err(NoConfig::Mistaken(errors)) => serde_json::json!({
            "ok": false,
            "mistakes": errors.mistakes().iter().map(|one| serde_json::json!({
                "key": one.key(),
                "mistake": one.to_string(),
            })).collect::<Vec<_>>(),
        }),
        Err(error) => serde_json::json!({ "ok": false, "mistakes": [{ "mistake": error.to_string() }] }),
    }
}
