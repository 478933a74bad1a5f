//! What a store is opened with, and what opening it can meet.

use super::SqliteStore;
use smoother_core::Timestamp;
use smoother_core::config::Durability;
use smoother_core::ports::{BoxFuture, StoreError};
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// How to open a store.
#[derive(Debug, Clone)]
pub struct OpenOptions {
    /// The data directory; made, readable by its owner only, if it is not there.
    pub dir: PathBuf,
    /// For synchronous requests.
    pub durability: Durability,
    /// Payloads of more bytes than this go to files of their own. 64 KiB unless set.
    pub inline_limit: usize,
    /// Bytes of waiting bodies kept in memory for the worker that will soon ask. 16 MiB unless set.
    pub body_cache_bytes: usize,
    /// The most bytes the database may grow to; beyond them writes answer [`StoreError::Full`].
    pub max_bytes: Option<u64>,
    /// How long the check of an existing database may take. A check that is cut short has found nothing so far;
    /// the rest is checked, page by page and row by row, as it is read. One second unless set.
    pub check_for: Duration,
}

impl OpenOptions {
    /// The defaults, in `dir`.
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self {
            dir: dir.into(),
            durability: Durability::default(),
            inline_limit: 64 * 1024,
            body_cache_bytes: 16 * 1024 * 1024,
            max_bytes: None,
            check_for: Duration::from_secs(1),
        }
    }

    /// The database in the directory.
    pub(super) fn database(&self) -> PathBuf {
        self.dir.join("smoother.db")
    }
}

/// An open store.
pub struct Opened {
    /// The store.
    pub store: Arc<SqliteStore>,
    /// No stored time is later: the clock must not be behind it.
    pub newest: Timestamp,
    /// Resolves if the store had to stop (an fsync failed, the database is damaged): the process must end. Never
    /// resolves otherwise.
    pub fatal: BoxFuture<'static, StoreError>,
}

impl fmt::Debug for Opened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Opened")
            .field("store", &self.store)
            .field("newest", &self.newest)
            .finish_non_exhaustive()
    }
}

/// A store could not be opened. The database is as it was.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process has the directory.
    #[error("{dir} is in use by another smoother (process {owner}); stop it or choose another data_dir")]
    Locked {
        /// The data directory.
        dir: PathBuf,
        /// The process id that its lock file names.
        owner: String,
    },
    /// A later smoother wrote it.
    #[error(
        "{path} has schema {found}, this smoother knows up to {known}; start the version that wrote it, or a later one"
    )]
    Newer {
        /// The database.
        path: PathBuf,
        /// Its schema.
        found: u32,
        /// The newest schema known here.
        known: u32,
    },
    /// The file is not a smoother's database.
    #[error("{path} is not a smoother's database ({cause}); choose another data_dir")]
    Foreign {
        /// The database.
        path: PathBuf,
        /// What it is instead.
        cause: String,
    },
    /// The file is damaged.
    #[error("{path} is damaged ({cause}); it is left untouched: restore it from a backup")]
    Damaged {
        /// The database.
        path: PathBuf,
        /// What was found.
        cause: String,
    },
    /// There is no room for what a start has to write.
    #[error("no space is left on the disk of {path} ({cause}); free some, then start again")]
    Full {
        /// What could not be written.
        path: PathBuf,
        /// What the system or SQLite said.
        cause: String,
    },
    /// A file or directory cannot be used.
    #[error("cannot use {path}: {cause}")]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        cause: std::io::Error,
    },
    /// SQLite refused.
    #[error("cannot open {path}: {cause}")]
    Sqlite {
        /// The database.
        path: PathBuf,
        /// What SQLite said.
        cause: String,
    },
}
