//! Payload files that no row names are removed beside the work, after each start.

use super::failure::of_sqlite;
use super::files::{PayloadFiles, owner};
use super::queries;
use super::readers::Readers;
use rusqlite::Connection;
use smoother_core::ports::{PayloadRef, StoreError};
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
    let mut removed = 0;
    for key in keys {
        // What is not named as ours is not ours to remove.
        let Some((id, kind)) = owner(key) else { continue };
        let Some(files) = files.upgrade() else { break };
        let named = match queries::payload(conn, id, kind)? {
            Some(PayloadRef::Held { key: named, .. }) => named == *key,
            Some(PayloadRef::Inline(_)) | None => false,
        };
        if !named {
            files.remove(key);
            removed += 1;
        }
    }
    Ok(removed)
}
