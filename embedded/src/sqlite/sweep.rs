//! Payload files that no row names are removed beside the work, after each start.

use super::failure::of_sqlite;
use super::files::{PayloadFiles, owner};
use super::queries;
use super::readers::Readers;
use rusqlite::Connection;
use smoother_core::ports::{PayloadRef, StoreError};
use std::collections::HashSet;
use std::io;
use std::sync::{Arc, Weak};
use std::thread;

/// Looks at the files that are there now; those written later are none of its business.
pub(super) fn start(files: &Arc<PayloadFiles>, readers: &Readers) -> io::Result<()> {
    let keys = files.keys()?;
    if keys.is_empty() {
        return Ok(());
    }
    let (files, readers) = (Arc::downgrade(files), readers.clone());
    thread::Builder::new()
        .name("store-sweep".to_owned())
        .spawn(move || {
            let swept = readers
                .connect()
                .map_err(|error| of_sqlite(&error))
                .and_then(|conn| sweep(&conn, &files, &keys));
            match swept {
                Ok(removed) => tracing::debug!(removed, "payload files without a row"),
                Err(error) => tracing::warn!(%error, "payload files without a row were not removed"),
            }
        })?;
    Ok(())
}

fn sweep(conn: &Connection, files: &Weak<PayloadFiles>, keys: &[String]) -> Result<usize, StoreError> {
    // What is removed cannot be had back, so nothing is taken on the word of an index alone.
    let one_moment = conn.unchecked_transaction().map_err(|error| of_sqlite(&error))?;
    let mut unnamed = Vec::new();
    let mut unknown = HashSet::new();
    for key in keys {
        // What is not named as ours is not ours to remove.
        let Some((id, kind)) = owner(key) else { continue };
        match queries::payload(conn, id, kind)? {
            Some(PayloadRef::Held { key: named, .. }) if named == *key => continue,
            Some(_) => {}
            None if queries::request(conn, id)?.is_none() => {
                unknown.insert(id);
            }
            None => {}
        }
        unnamed.push(key);
    }
    queries::are_unknown(conn, &unknown)?;
    drop(one_moment);
    let mut removed = 0;
    for key in unnamed {
        let Some(files) = files.upgrade() else { break };
        files.remove(key);
        removed += 1;
    }
    Ok(removed)
}

#[cfg(test)]
mod tests {
    use super::super::schema::{MIGRATIONS, migrate};
    use super::*;
    use smoother_core::RequestId;
    use smoother_core::ports::PayloadKind;

    const ID: [u8; 16] = [3; 16];

    /// A database with one request, whose entry in the index of ids has lost a bit.
    fn damaged(dir: &std::path::Path) -> Connection {
        let path = dir.join("smoother.db");
        let mut conn = Connection::open(&path).unwrap();
        migrate(&mut conn, 0, MIGRATIONS).unwrap();
        let sql = "INSERT INTO requests (place, id, v, tenant, lane, state, sum, data)
                   VALUES (1, ?1, 1, 'acme', 'sonnet', 1, 0, x'00')";
        conn.execute(sql, [ID]).unwrap();
        drop(conn);
        let mut content = std::fs::read(&path).unwrap();
        let leaf_of_an_index = |at: usize| content[at / 4_096 * 4_096] == 0x0A;
        let at = (4_096..content.len()).find(|at| leaf_of_an_index(*at) && content[*at..].starts_with(&ID));
        content[at.unwrap()] ^= 1;
        std::fs::write(&path, content).unwrap();
        Connection::open(&path).unwrap()
    }

    #[test]
    fn a_file_stays_whose_row_the_index_passes_over() {
        let dir = tempfile::tempdir().unwrap();
        let conn = damaged(dir.path());
        let files = Arc::new(PayloadFiles::open(dir.path(), 1).unwrap());
        let key = files
            .write(RequestId::from_bytes(ID), PayloadKind::Body, b"kept")
            .unwrap();
        let other = files
            .write(RequestId::from_bytes([4; 16]), PayloadKind::Body, b"an orphan")
            .unwrap();
        let swept = sweep(&conn, &Arc::downgrade(&files), &[key.clone(), other.clone()]);
        assert!(matches!(swept, Err(StoreError::Damaged(_))), "{swept:?}");
        assert_eq!(files.read(&key).unwrap(), "kept");
        assert_eq!(sweep(&conn, &Arc::downgrade(&files), &[other]).unwrap(), 1);
    }
}
