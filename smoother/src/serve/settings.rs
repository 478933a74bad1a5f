//! The configuration as given: file, environment, flags.

use crate::cli::ServeArgs;
use crate::commands::Exit;
use smoother_core::config::{Config, ConfigErrors};
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// The file that is read where none is named, if it is there.
const DEFAULT_FILE: &str = "smoother.toml";

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NoConfig {
    /// The file cannot be read.
    #[error("{path}: {cause}; give another file with --config or SMOOTHER_CONFIG")]
    Unreadable { path: PathBuf, cause: std::io::Error },
    /// What is to be the data directory is none.
    #[error(
        "{0} is a file; the data directory must be a folder: name another with --data-dir or server.data_dir"
    )]
    NoFolder(String),
    /// It can be read, and this is wrong with it.
    #[error(transparent)]
    Mistaken(#[from] ConfigErrors),
}

impl NoConfig {
    /// How a command ends without it; the same for each.
    pub(crate) fn exit(&self) -> Exit {
        match self {
            Self::Unreadable { cause, .. } if cause.kind() == ErrorKind::NotFound => Exit::NotFound,
            Self::Unreadable { .. } => Exit::Failed,
            Self::NoFolder(_) | Self::Mistaken(_) => Exit::Refused,
        }
    }
}

/// Reads the named file (or smoother.toml, if it is there) under the environment.
pub(crate) fn read(file: Option<&Path>) -> Result<Config, NoConfig> {
    let path = file.unwrap_or(Path::new(DEFAULT_FILE));
    let text = match fs::read_to_string(path) {
        Ok(text) => Some(text),
        Err(error) if error.kind() == ErrorKind::NotFound && file.is_none() => None,
        Err(cause) => {
            return Err(NoConfig::Unreadable {
                path: path.to_owned(),
                cause,
            });
        }
    };
    let name = path.display().to_string();
    // Names and values that are not Unicode cannot be ours: every key and value is.
    let env = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    Ok(Config::load(
        text.as_deref().map(|text| (name.as_str(), text)),
        env,
    )?)
}

/// The configuration under the command line's own flags, which go before file and environment.
pub(crate) fn with_flags(args: &ServeArgs) -> Result<Config, NoConfig> {
    let mut config = read(args.config.as_deref())?;
    if let Some(listen) = args.listen {
        config.server.listen = listen;
    }
    if let Some(dir) = &args.data_dir {
        config.server.data_dir.clone_from(dir);
    }
    match fs::metadata(&config.server.data_dir) {
        Ok(found) if !found.is_dir() => Err(NoConfig::NoFolder(config.server.data_dir)),
        // What else may be wrong with it is found where it is opened.
        _ => Ok(config),
    }
}
