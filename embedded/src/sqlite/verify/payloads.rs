//! Bodies and results: there, whole, and as long as the row says.

use super::Report;
use crate::sqlite::files::PayloadFiles;
use crate::sqlite::queries::{all, payload_row};
use crate::sqlite::rows::get;
use rusqlite::Connection;
use rusqlite::types::Value;
use smoother_core::lifecycle::State;
use smoother_core::ports::{PayloadRef, StoreError};
use smoother_core::{Outcome, Request};
use std::collections::HashSet;
use std::io::{self, ErrorKind};

/// Checks the payloads of the request at `place`.
pub(super) fn check(
    conn: &Connection,
    files: &PayloadFiles,
    place: i64,
    request: &Request,
    report: &mut Report,
) -> Result<(), StoreError> {
    let answer = match &request.outcome {
        Some(Outcome::Answer { bytes, .. }) if request.state == State::Completed => Some(*bytes),
        _ => None,
    };
    for (table, expected) in [("bodies", Some(request.body_bytes)), ("results", answer)] {
        let sql = format!("SELECT v, sum, data, file FROM {table} WHERE place = ?1");
        let found = all(conn, &sql, [Value::from(place)], payload_row);
        let length = found.and_then(|found| match found.into_iter().next() {
            None => Ok(None),
            Some(PayloadRef::Inline(bytes)) => Ok(Some(bytes.len() as u64)),
            Some(PayloadRef::Held { key, .. }) => files.read(&key).map(|bytes| Some(bytes.len() as u64)),
        });
        let what = if table == "bodies" { "body" } else { "result" };
        match (length, expected) {
            (Err(StoreError::Damaged(cause)), _) => {
                report.found(format!("request {}: its {what}: {cause}", request.id));
            }
            (Err(error), _) => return Err(error),
            (Ok(None), Some(_)) => report.found(format!("request {}: it has no {what}", request.id)),
            (Ok(Some(length)), Some(expected)) if length != expected => report.found(format!(
                "request {}: its {what} has {length} bytes, and {expected} were stored",
                request.id
            )),
            (Ok(length), _) => report.payloads += u64::from(length.is_some()),
        }
    }
    Ok(())
}

/// Counts the files that no row names.
pub(super) fn orphans(conn: &Connection, files: &PayloadFiles, report: &mut Report) -> io::Result<u64> {
    let keys = match files.keys() {
        Ok(keys) => keys,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(0),
        Err(error) => return Err(error),
    };
    let named = match named(conn) {
        Ok(named) => named,
        Err(error) => {
            report.found(format!("the names of payload files cannot be read: {error}"));
            return Ok(0);
        }
    };
    Ok(keys.iter().filter(|key| !named.contains(*key)).count() as u64)
}

/// The payload files that rows name.
pub(in crate::sqlite) fn named(conn: &Connection) -> Result<HashSet<String>, StoreError> {
    let sql = "SELECT file FROM bodies WHERE file IS NOT NULL
               UNION ALL SELECT file FROM results WHERE file IS NOT NULL";
    let named = all(conn, sql, [], |row| get::<String>(row, 0))?;
    Ok(named.into_iter().collect())
}
