//! `smoother plan`: reads the trace and the configuration, has the planner play them, prints what comes of it.

use crate::commands::{CommandError, Exit};
use crate::serve::{NoConfig, read_config};
use smoother_core::config::Config;
use smoother_plan::cli::{PlanArgs, PlanError};
use std::fs;
use std::io::{self, Read, Write};
use std::path::Path;

/// Plays, prints, and ends with 0; 2, 3 or 4 say what was wrong with the flags, the files or their content.
pub fn main(args: &PlanArgs, json: bool) -> Exit {
    let Err(error) = run(args, json) else {
        return Exit::Ok;
    };
    // Without a stderr the code has to say it.
    let _ = match error {
        CommandError::Closed => Ok(()),
        _ if json => writeln!(io::stderr(), "{}", error.json()),
        _ => writeln!(io::stderr(), "error: {error}"),
    };
    error.exit()
}

impl From<PlanError> for CommandError {
    fn from(error: PlanError) -> Self {
        match error {
            PlanError::Usage(what) => Self::Usage(what),
            PlanError::Input(what) => Self::Input(what),
        }
    }
}

fn run(args: &PlanArgs, json: bool) -> Result<(), CommandError> {
    let config = configured(args)?;
    let content = match args.source() {
        Some(path) => content(path)?,
        None => Vec::new(),
    };
    let planned = args.play(&content, config.as_ref())?;
    if let Some(path) = &args.html {
        let what = format!("{} cannot be written", path.display());
        fs::write(path, planned.html()).map_err(|error| CommandError::file(what, error))?;
    }
    let mut out = anstream::AutoStream::auto(io::stdout());
    if json {
        let line = serde_json::to_string(&planned.report).map_err(io::Error::from)?;
        writeln!(out, "{line}")?;
    } else {
        write!(out, "{}", planned.text)?;
    }
    out.flush()?;
    Ok(())
}

fn configured(args: &PlanArgs) -> Result<Option<Config>, CommandError> {
    if !args.wants_config() {
        return Ok(None);
    }
    match read_config(args.lane.config.as_deref()) {
        Ok(config) => Ok(Some(config)),
        Err(NoConfig::Unreadable { path, cause }) => {
            Err(CommandError::file(path.display().to_string(), cause))
        }
        Err(error) => Err(CommandError::Input(error.to_string())),
    }
}

fn content(path: &Path) -> Result<Vec<u8>, CommandError> {
    if path == Path::new("-") {
        let mut content = Vec::new();
        return match io::stdin().lock().read_to_end(&mut content) {
            Ok(_) => Ok(content),
            Err(error) => Err(CommandError::file("stdin cannot be read", error)),
        };
    }
    fs::read(path).map_err(|error| CommandError::file(path.display().to_string(), error))
}
