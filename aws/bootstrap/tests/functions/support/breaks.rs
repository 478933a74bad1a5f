//! A clock that fails under one record of a batch: the wall's time cannot be read, once, and whoever asked for it panics.
//!
//! The library that does so below the process (`tests/disk`) knows nothing of records. So the services hold up what they
//! are asked for the records of a batch until it was asked for each of them; then the clock breaks, and only the one
//! record is answered. The next look at the clock is its own. The others go on when that has happened.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Duration;
use tempfile::TempDir;
use tokio::process::Command;
use tokio::sync::Barrier;

/// How often it is looked whether the clock has failed.
const LOOK: Duration = Duration::from_millis(5);

/// What is held up, and when.
pub struct Breaks {
    /// What each record's first request has in it; the first is the record that is struck.
    words: Vec<&'static str>,
    passed: Mutex<BTreeSet<&'static str>>,
    together: Barrier,
    armed: Barrier,
    file: PathBuf,
    _folder: TempDir,
}

impl Breaks {
    /// The clock breaks under the record whose request has `struck` in it, while those of `others` wait.
    pub fn under(struck: &'static str, others: &[&'static str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self {
            words: [&[struck], others].concat(),
            passed: Mutex::default(),
            together: Barrier::new(others.len() + 1),
            armed: Barrier::new(others.len() + 1),
            file: folder.path().join("once"),
            _folder: folder,
        }
    }

    /// Puts the clock under a process.
    pub fn put_under(&self, command: &mut Command) {
        let library = Path::new(env!("CARGO_BIN_EXE_bootstrap")).with_file_name("libsmoother_broken_disk.so");
        assert!(
            library.is_file(),
            "{} is not built: run `cargo build -p smoother-broken-disk`",
            library.display()
        );
        command.env("LD_PRELOAD", library).env("BROKEN_CLOCK", &self.file);
    }

    /// A request comes by.
    pub(super) async fn pass(&self, asked: &str) {
        let found = self.words.iter().position(|word| asked.contains(word));
        let Some(place) = found.filter(|place| self.passed.lock().unwrap().insert(self.words[*place])) else {
            return;
        };
        self.together.wait().await;
        if place == 0 {
            std::fs::write(&self.file, "").unwrap();
            self.armed.wait().await;
            return;
        }
        self.armed.wait().await;
        while self.file.exists() {
            tokio::time::sleep(LOOK).await;
        }
    }
}
