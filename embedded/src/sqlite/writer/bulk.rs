//! Very many rows read at once: this thread reads, others decode.

use crate::lock;
use crate::sqlite::failure::of_sqlite;
use crate::sqlite::rows::{self, get};
use rusqlite::types::Value;
use rusqlite::{Connection, params_from_iter};
use smoother_core::Request;
use smoother_core::ports::StoreError;
use std::num::NonZero;
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

/// Bytes of rows that are decoded in one go.
const CHUNK: usize = 1024 * 1024;
/// Threads at most.
const DECODERS: usize = 4;

/// Rows as read, one after the other.
#[derive(Debug, Default)]
struct Chunk {
    number: usize,
    bytes: Vec<u8>,
    /// Version, checksum and end of each row in `bytes`.
    rows: Vec<(i64, i64, usize)>,
}

type Decoded = Result<Vec<(usize, Vec<Request>)>, StoreError>;

/// Every request of a query whose columns are (`v`, `sum`, `data`), in the query's order.
pub(super) fn requests(conn: &Connection, sql: &str, values: Vec<Value>) -> Result<Vec<Request>, StoreError> {
    let decoders = thread::available_parallelism()
        .map_or(1, NonZero::get)
        .min(DECODERS);
    let (sender, receiver) = sync_channel(2 * decoders);
    let receiver = Mutex::new(receiver);
    let (read, decoded) = thread::scope(|scope| {
        let threads: Vec<_> = (0..decoders)
            .map(|_| scope.spawn(|| decode_all(&receiver)))
            .collect();
        let read = read_all(conn, sql, values, &sender);
        drop(sender);
        let decoded: Vec<Decoded> = threads
            .into_iter()
            .map(|thread| thread.join().unwrap_or_else(|_| Err(panicked())))
            .collect();
        (read, decoded)
    });
    read?;
    let mut chunks = Vec::new();
    for one in decoded {
        chunks.extend(one?);
    }
    chunks.sort_by_key(|(number, _)| *number);
    Ok(chunks.into_iter().flat_map(|(_, requests)| requests).collect())
}

fn read_all(
    conn: &Connection,
    sql: &str,
    values: Vec<Value>,
    chunks: &SyncSender<Chunk>,
) -> Result<(), StoreError> {
    let mut statement = conn.prepare_cached(sql).map_err(|error| of_sqlite(&error))?;
    let mut found = statement
        .query(params_from_iter(values))
        .map_err(|error| of_sqlite(&error))?;
    let mut chunk = Chunk::default();
    while let Some(row) = found.next().map_err(|error| of_sqlite(&error))? {
        let data = row.get_ref(2).map_err(|error| of_sqlite(&error))?.as_blob();
        let data = data.map_err(|_| StoreError::Damaged("a request row has no data".to_owned()))?;
        chunk.bytes.extend_from_slice(data);
        chunk.rows.push((get(row, 0)?, get(row, 1)?, chunk.bytes.len()));
        if chunk.bytes.len() >= CHUNK {
            let number = chunk.number + 1;
            let full = std::mem::replace(
                &mut chunk,
                Chunk {
                    number,
                    ..Chunk::default()
                },
            );
            chunks.send(full).map_err(|_| panicked())?;
        }
    }
    chunks.send(chunk).map_err(|_| panicked())
}

fn decode_all(chunks: &Mutex<Receiver<Chunk>>) -> Decoded {
    let mut decoded = Vec::new();
    let mut outcome = Ok(());
    loop {
        let Ok(chunk) = lock(chunks).recv() else { break };
        // After damage the rest is only taken off the channel, so that the reader is not held up.
        if outcome.is_ok() {
            match decode(&chunk) {
                Ok(requests) => decoded.push((chunk.number, requests)),
                Err(error) => outcome = Err(error),
            }
        }
    }
    outcome.map(|()| decoded)
}

fn decode(chunk: &Chunk) -> Result<Vec<Request>, StoreError> {
    let mut start = 0;
    let decode_one = |(v, sum, end): &(i64, i64, usize)| {
        let data = &chunk.bytes[start..*end];
        start = *end;
        rows::decode("request", *v, *sum, data)
    };
    chunk.rows.iter().map(decode_one).collect()
}

fn panicked() -> StoreError {
    StoreError::Failed("a thread that decodes rows ended unexpectedly".to_owned())
}
