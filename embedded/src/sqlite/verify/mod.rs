//! Everything in a data directory, read and held against itself, with no server on it.
//!
//! What a start checks is bounded in time; this reads all of it: the log (see `log`), every page and index
//! (`PRAGMA integrity_check`), every row with its checksum, the columns beside it, its way through the lifecycle
//! and its calls, and every payload. It writes nothing but SQLite's own index of the log.

mod life;
mod payloads;
mod rows;

pub(super) use payloads::named;

use super::failure::{of_sqlite, one_line, words};
use super::files::PayloadFiles;
use super::inspect::{identify, sqlite};
use super::log;
use super::ownership::{Ownership, io};
use super::{OpenError, OpenOptions};
use rusqlite::Connection;
use smoother_core::ports::StoreError;
use std::path::{Path, PathBuf};

/// Findings that are spelled out; more are counted.
const SPELLED_OUT: usize = 100;

/// What a data directory was found to hold.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Report {
    /// Requests.
    pub requests: u64,
    /// Of them, those that are not over.
    pub open: u64,
    /// Upstream calls.
    pub calls: u64,
    /// Bodies and results, in rows and in files.
    pub payloads: u64,
    /// Files that no row names; a start removes them. A crash may leave some, so they are no damage.
    pub orphans: u64,
    /// What is wrong, each on a line; the first hundred.
    pub damage: Vec<String>,
    /// How much more is wrong.
    pub more: u64,
}

impl Report {
    /// Whether everything is as it was written.
    pub fn is_sound(&self) -> bool {
        self.damage.is_empty()
    }

    fn found(&mut self, what: impl Into<String>) {
        if self.damage.len() < SPELLED_OUT {
            self.damage.push(what.into());
        } else {
            self.more += 1;
        }
    }

    /// Damage is a finding; anything else that keeps a part from being read ends the verification.
    fn note(&mut self, outcome: Result<(), StoreError>) -> Result<(), StoreError> {
        match outcome {
            Err(StoreError::Damaged(what)) => {
                self.found(what);
                Ok(())
            }
            other => other,
        }
    }
}

/// The directory could not be verified.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// There is no database in it.
    #[error("there is no smoother.db in {0}; give the data directory with --data-dir")]
    Nothing(PathBuf),
    /// It cannot be used.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// It could not be read to its end.
    #[error("{0}")]
    Unread(#[from] StoreError),
}

/// Reads everything in `dir`, holding it so that no server starts on it meanwhile.
///
/// Damage is in the report. An error means that the directory could not be verified: it is in use, it is not a
/// smoother's, or the disk does not give it.
pub fn verify(dir: &Path) -> Result<Report, VerifyError> {
    let path = OpenOptions::new(dir).database();
    if !path.exists() {
        return Err(VerifyError::Nothing(dir.to_owned()));
    }
    let _held = Ownership::take(dir)?;
    let mut report = Report::default();
    let mark = log::mark_path(dir);
    if !log::is_readable(&mark)? {
        report.found("smoother.mark does not match its checksum");
    }
    match log::check(&path, &mark).and_then(|_| identify(&path)) {
        Ok(Some((conn, _))) => database(&conn, dir, &mut report)?,
        Ok(None) => {
            super::inspect::refuse_remains(&path, dir).or_else(|error| damaged(error, &mut report))?;
        }
        Err(error) => damaged(error, &mut report)?,
    }
    Ok(report)
}

fn damaged(error: OpenError, report: &mut Report) -> Result<(), OpenError> {
    match error {
        OpenError::Damaged { path, cause } => {
            report.found(format!("{}: {cause}", path.display()));
            Ok(())
        }
        other => Err(other),
    }
}

fn database(conn: &Connection, dir: &Path, report: &mut Report) -> Result<(), VerifyError> {
    let path = OpenOptions::new(dir).database();
    super::readers::keep_log(conn).map_err(|error| sqlite(&path, &error))?;
    let outcome = structure(conn, report);
    report.note(outcome)?;
    let files = PayloadFiles::at(dir);
    let outcome = rows::check(conn, &files, report);
    report.note(outcome)?;
    let orphans = payloads::orphans(conn, &files, report);
    report.orphans = orphans.map_err(|cause| io(&dir.join("payloads"), cause))?;
    Ok(())
}

/// What SQLite itself can say: pages, order, indexes.
fn structure(conn: &Connection, report: &mut Report) -> Result<(), StoreError> {
    let mut statement = conn
        .prepare("PRAGMA integrity_check(100)")
        .map_err(|error| of_sqlite(&error))?;
    let mut found = statement.query([]).map_err(|error| of_sqlite(&error))?;
    loop {
        match found.next() {
            Ok(Some(row)) => {
                let line: String = row.get(0).map_err(|error| of_sqlite(&error))?;
                if line != "ok" {
                    report.found(format!("smoother.db: {}", one_line(&line)));
                }
            }
            Ok(None) => return Ok(()),
            Err(error) => {
                return match of_sqlite(&error) {
                    StoreError::Damaged(_) => {
                        report.found(format!("smoother.db: {}", words(&error)));
                        Ok(())
                    }
                    other => Err(other),
                };
            }
        }
    }
}
