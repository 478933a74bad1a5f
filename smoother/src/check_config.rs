//! `smoother check-config`: every mistake of a configuration, or what it says.

use crate::cli::CheckConfigArgs;
use crate::commands::Exit;
use crate::serve::{NoConfig, read_config};
use smoother_core::config::Config;
use std::io::Write;

/// Reads the configuration as `serve` would, and reports on it.
pub fn main(args: &CheckConfigArgs, json: bool) -> Exit {
    let read = read_config(args.file.as_deref());
    let exit = match &read {
        Ok(_) => Exit::Ok,
        Err(NoConfig::Unreadable { .. }) => Exit::NotFound,
        Err(NoConfig::Mistaken(_)) => Exit::Refused,
    };
    let report = if json {
        as_json(&read).to_string()
    } else {
        as_text(&read)
    };
    let said = if json || exit == Exit::Ok {
        writeln!(std::io::stdout(), "{report}")
    } else {
        writeln!(std::io::stderr(), "{report}")
    };
    said.map_or(Exit::Failed, |()| exit)
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
