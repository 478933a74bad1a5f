//! Where things are.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::Context;

use crate::files::Target;

/// Where things are, for all runs.
#[derive(Debug)]
pub struct Bench {
    /// The repository.
    pub root: PathBuf,
    /// Folder of the built programs: this program's own.
    pub programs: PathBuf,
    /// Folder for data directories and logs. On a real disk: what a strict server waits for is its fsync.
    pub scratch: PathBuf,
    /// Whether packages of targets may be installed.
    pub may_install: bool,
    /// Folder of the recorded traces, where the user has named one.
    pub traces: Option<PathBuf>,
    runs: AtomicU64,
}

impl Bench {
    /// # Errors
    /// This program's own place is unknown, or the scratch folder cannot be made.
    pub fn new(root: &Path, may_install: bool, traces: Option<PathBuf>) -> anyhow::Result<Self> {
        let root = std::path::absolute(root)?;
        let own = std::env::current_exe()?;
        let programs = own.parent().context("a program lies in a folder")?.to_owned();
        let scratch = root
            .join("bench/out/scratch")
            .join(std::process::id().to_string());
        std::fs::create_dir_all(&scratch)?;
        Ok(Self {
            root,
            programs,
            scratch,
            may_install,
            traces,
            runs: AtomicU64::new(0),
        })
    }

    /// Reads a target by its name.
    ///
    /// # Errors
    /// There is none, or its file is not valid.
    pub fn target(&self, name: &str) -> anyhow::Result<Target> {
        crate::files::target(&self.root.join("bench/targets").join(format!("{name}.toml")))
    }

    pub(super) fn program(&self, name: &str) -> String {
        self.programs.join(name).display().to_string()
    }

    pub(super) fn run_folder(&self) -> anyhow::Result<PathBuf> {
        let folder = self
            .scratch
            .join(self.runs.fetch_add(1, Ordering::Relaxed).to_string());
        std::fs::create_dir_all(&folder)?;
        Ok(folder)
    }
}
