//! What past answers have taught of the length of the next ones, one row a key.

use super::SqliteStore;
use super::failure::of_sqlite;
use super::queries::all;
use super::rows::{self, encode};
use super::schema::ROW_VERSION;
use super::writer::Op;
use rusqlite::{Connection, params};
use smoother_core::estimate::{Answers, OutputKey};
use smoother_core::ports::{Pending, StoreError};
use std::collections::BTreeMap;

/// What is to be kept of each key; `None` where it is to be kept no longer.
pub(super) type Learned = BTreeMap<OutputKey, Option<Answers>>;

impl SqliteStore {
    /// Keeps what was learned of these keys; of two values of a key the later one counts. Nobody needs to wait for it:
    /// what is lost is learned again.
    pub fn keep_outputs(
        &self,
        learned: Vec<(OutputKey, Option<Answers>)>,
    ) -> Pending<Result<(), StoreError>> {
        self.begin(|reply| Op::KeepOutputs { learned, reply })
    }

    /// Everything that was kept.
    pub async fn outputs(&self) -> Result<Vec<(OutputKey, Answers)>, StoreError> {
        self.shared.readers.read(read).await
    }
}

fn read(conn: &Connection) -> Result<Vec<(OutputKey, Answers)>, StoreError> {
    all(conn, "SELECT v, sum, data FROM outputs", [], |row| {
        rows::value(row, 0, "learned output")
    })
}

pub(super) fn write(conn: &Connection, learned: &Learned) -> Result<(), StoreError> {
    for (key, answers) in learned {
        let name = serde_json::to_string(key)
            .map_err(|error| StoreError::Failed(format!("a key of outputs cannot be encoded: {error}")))?;
        let done = match answers {
            Some(answers) => {
                let stored = encode(&(key, answers))?;
                let sql = "INSERT INTO outputs (name, v, sum, data) VALUES (?1, ?2, ?3, ?4)
                           ON CONFLICT (name) DO UPDATE SET v = excluded.v, sum = excluded.sum, data = excluded.data";
                conn.prepare_cached(sql)
                    .and_then(|mut put| put.execute(params![name, ROW_VERSION, stored.sum, stored.data]))
            }
            None => conn
                .prepare_cached("DELETE FROM outputs WHERE name = ?1")
                .and_then(|mut drop| drop.execute([name])),
        };
        done.map_err(|error| of_sqlite(&error))?;
    }
    Ok(())
}
