//! What memory does not know of a write is read before it is applied.

use super::applied::Applied;
use super::op::Op;
use super::table::Row;
use crate::sqlite::failure::of_sqlite;
use crate::sqlite::queries;
use rusqlite::Connection;
use smoother_core::ports::StoreError;
use smoother_core::{CallNo, RequestId, Timestamp};

/// Puts what `op` is about into memory. Only while no commit is under way, for the database does not know yet
/// what that one holds.
pub(super) fn load(conn: &Connection, applied: &mut Applied, op: &Op) -> Result<(), StoreError> {
    match op {
        Op::Insert { new, .. } => {
            let request = &new.request;
            if !applied.recent.is_new(request.id) {
                load_request(conn, applied, request.id)?;
            }
            find_place(conn, applied, request.arrived_at)
        }
        Op::Change { id, .. } | Op::Answer { id, .. } => load_request(conn, applied, *id),
        Op::End { id, end, .. } => load_call(conn, applied, *id, end.settlement.call),
        Op::KeepDay { .. }
        | Op::KeepMemory { .. }
        | Op::KeepOutputs { .. }
        | Op::Told { .. }
        | Op::Recover { .. }
        | Op::Purge { .. }
        | Op::Barrier { .. }
        | Op::Close { .. } => Ok(()),
    }
}

/// The row, if there is one.
pub(super) fn load_request(
    conn: &Connection,
    applied: &mut Applied,
    id: RequestId,
) -> Result<(), StoreError> {
    if !applied.table.has(id)
        && let Some((place, request)) = queries::request(conn, id)?
    {
        applied.table.put(id, Row::new(place, request));
    }
    Ok(())
}

/// The row, and this call of it.
pub(super) fn load_call(
    conn: &Connection,
    applied: &mut Applied,
    id: RequestId,
    number: CallNo,
) -> Result<(), StoreError> {
    load_request(conn, applied, id)?;
    if applied.table.has_call(id, number) {
        return Ok(());
    }
    let Some(row) = applied.table.get(id) else {
        return Ok(());
    };
    if let Some(call) = queries::call(conn, row.place, number.get())? {
        row.call = Some(call);
    }
    Ok(())
}

/// Sees to it that the next place for a row that arrived then is one that no row has. Those after the newest row of
/// the last run are free without looking.
fn find_place(conn: &Connection, applied: &mut Applied, arrived_at: Timestamp) -> Result<(), StoreError> {
    loop {
        let place = applied.places.peek(arrived_at);
        if place > applied.newest_place_at_start {
            return Ok(());
        }
        let taken: bool = conn
            .prepare_cached("SELECT EXISTS (SELECT 1 FROM requests WHERE place = ?1)")
            .and_then(|mut statement| statement.query_row([place], |row| row.get(0)))
            .map_err(|error| of_sqlite(&error))?;
        if !taken {
            return Ok(());
        }
        applied.places.next(arrived_at);
    }
}
