//! Requests leave for good when their retention is over.

use super::Writer;
use super::applied::Applied;
use super::op::{Purged, Reply};
use super::statements::{execute, run};
use crate::lock;
use crate::sqlite::place::first_of;
use crate::sqlite::queries::all;
use crate::sqlite::rows::{get, signed};
use rusqlite::params;
use rusqlite::types::Value;
use smoother_core::ports::StoreError;
use smoother_core::{RequestId, Timestamp};
use std::collections::HashSet;

/// Rows looked at in one step, so that other writes get their turn.
const STEP: usize = 256;

impl Writer {
    pub(super) fn purge(
        &mut self,
        applied: &mut Applied,
        before: Timestamp,
        from: i64,
        reply: Reply<Purged>,
    ) {
        self.commit_own(applied);
        let outcome = self.purge_step(applied, before, from);
        if let Err(error) = &outcome {
            let undone = self.conn.is_autocommit() || run(&self.conn, "ROLLBACK").is_ok();
            if !undone || !matches!(error, StoreError::Full(_)) {
                self.shared.fate.stop(error.clone());
            }
        }
        let _ = reply.send(outcome);
    }

    /// Nothing arrives after its end, so the rows to look at are those that arrived before, oldest first.
    fn purge_step(
        &mut self,
        applied: &mut Applied,
        before: Timestamp,
        from: i64,
    ) -> Result<Purged, StoreError> {
        let sql = "SELECT place, ended_at, id FROM requests WHERE place > ?1 AND place < ?2 ORDER BY place LIMIT ?3";
        let bounds = [from, first_of(before), STEP as i64].map(Value::from);
        let found = all(&self.conn, sql, bounds, |row| {
            Ok((
                get::<i64>(row, 0)?,
                get::<Option<i64>>(row, 1)?,
                get::<[u8; 16]>(row, 2)?,
            ))
        })?;
        let go_on = (found.len() == STEP)
            .then(|| found.last().map(|(place, ..)| *place))
            .flatten();
        let old = signed(before.as_millis());
        let ended = found.iter().filter(|(_, at, _)| at.is_some_and(|at| at < old));
        let untold = "SELECT place FROM outbox";
        let untold: HashSet<i64> = all(&self.conn, untold, [], |row| get(row, 0))?
            .into_iter()
            .collect();
        let (gone, ids): (Vec<i64>, Vec<_>) = ended
            .filter(|(place, ..)| !untold.contains(place))
            .map(|(place, _, id)| (*place, RequestId::from_bytes(*id)))
            .unzip();
        if !gone.is_empty() {
            for key in self.delete(&gone)? {
                self.shared.files.remove(&key);
            }
            for id in ids {
                applied.table.remove(id);
            }
        }
        Ok(Purged {
            requests: gone.len() as u64,
            go_on,
        })
    }

    /// Deletes these requests in one commit; gives the payload files they had.
    fn delete(&mut self, places: &[i64]) -> Result<Vec<String>, StoreError> {
        let gate = self.checkpoints.gate();
        let _held = lock(&gate);
        run(&self.conn, "BEGIN IMMEDIATE")?;
        let mut files = Vec::new();
        for place in places {
            let named = "SELECT file FROM bodies WHERE place = ?1 AND file IS NOT NULL
                         UNION ALL SELECT file FROM results WHERE place = ?1 AND file IS NOT NULL";
            files.extend(all(&self.conn, named, [Value::from(*place)], |row| {
                get::<String>(row, 0)
            })?);
            for sql in [
                "DELETE FROM bodies WHERE place = ?1",
                "DELETE FROM results WHERE place = ?1",
                "DELETE FROM calls WHERE place = ?1",
                "DELETE FROM events WHERE place = ?1",
                "DELETE FROM requests WHERE place = ?1",
            ] {
                execute(&self.conn, sql, params![place])?;
            }
        }
        run(&self.conn, "COMMIT")?;
        self.checkpoints.grown(places.len() as u64 * 4);
        Ok(files)
    }
}
