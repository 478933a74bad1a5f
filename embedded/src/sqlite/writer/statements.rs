//! A request's unwritten part as statements.

use super::table::Sealed;
use crate::sqlite::failure::of_sqlite;
use crate::sqlite::rows::{encode, signed, state_number, sum_of};
use crate::sqlite::schema::ROW_VERSION;
use rusqlite::{Connection, params};
use smoother_core::ports::{PayloadRef, StoreError};

/// Writes all of it: the row, its payloads, its calls, and what it passed through.
pub(super) fn write_request(conn: &Connection, row: &Sealed) -> Result<(), StoreError> {
    let dirty = &row.dirty;
    if dirty.new {
        insert_request(conn, row)?;
    } else if dirty.changed {
        update_request(conn, row, dirty.moved)?;
    }
    write_payload(conn, "bodies", row.place, dirty.body.as_ref())?;
    write_payload(conn, "results", row.place, dirty.result.as_ref())?;
    for call in &dirty.calls {
        let stored = encode(call)?;
        let sql = "INSERT INTO calls (place, number, v, lane, settled, charged_at, sum, data)
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
                   ON CONFLICT (place, number) DO UPDATE
                   SET settled = excluded.settled, sum = excluded.sum, data = excluded.data";
        let settled = i64::from(call.settlement.is_some());
        let charged_at = signed(call.charged_at.as_millis());
        let (number, lane) = (call.number.get(), call.lane.as_str());
        execute(
            conn,
            sql,
            params![
                row.place,
                number,
                ROW_VERSION,
                lane,
                settled,
                charged_at,
                stored.sum,
                stored.data
            ],
        )?;
    }
    if let Some((first, ..)) = dirty.events.first() {
        let data = encode(&dirty.events)?.data;
        let data = String::from_utf8_lossy(&data);
        execute(
            conn,
            "INSERT INTO events (place, rev, v, data) VALUES (?1, ?2, ?3, ?4)",
            params![row.place, signed(first.get()), ROW_VERSION, data],
        )?;
    }
    Ok(())
}

fn insert_request(conn: &Connection, row: &Sealed) -> Result<(), StoreError> {
    let request = &row.request;
    let stored = encode(request.as_ref())?;
    let sql = "INSERT INTO requests (place, id, v, tenant, lane, state, open, ended_at, dead, sum, data)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)";
    let open = (!request.state.is_terminal()).then_some(1);
    let values = params![
        row.place,
        request.id.as_bytes().as_slice(),
        ROW_VERSION,
        request.tenant.as_str(),
        request.lane.as_str(),
        state_number(request.state),
        open,
        request.ended_at.map(|at| signed(at.as_millis())),
        request.dead.then_some(1),
        stored.sum,
        stored.data
    ];
    execute(conn, sql, values).map(drop)
}

/// Leaves alone the columns that have indexes, unless they change (`moved`): SQLite would rewrite those too.
fn update_request(conn: &Connection, row: &Sealed, moved: bool) -> Result<(), StoreError> {
    let request = &row.request;
    let stored = encode(request.as_ref())?;
    let state = state_number(request.state);
    if !moved && !request.state.is_terminal() {
        let sql = "UPDATE requests SET state = ?2, sum = ?3, data = ?4 WHERE place = ?1";
        return execute(conn, sql, params![row.place, state, stored.sum, stored.data]).map(drop);
    }
    let sql =
        "UPDATE requests SET state = ?2, sum = ?3, data = ?4, lane = ?5, open = ?6, ended_at = ?7, dead = ?8
               WHERE place = ?1";
    let open = (!request.state.is_terminal()).then_some(1);
    let ended_at = request.ended_at.map(|at| signed(at.as_millis()));
    let lane = request.lane.as_str();
    let dead = request.dead.then_some(1);
    execute(
        conn,
        sql,
        params![
            row.place,
            state,
            stored.sum,
            stored.data,
            lane,
            open,
            ended_at,
            dead
        ],
    )
    .map(drop)
}

fn write_payload(
    conn: &Connection,
    table: &'static str,
    place: i64,
    payload: Option<&PayloadRef>,
) -> Result<(), StoreError> {
    let sql = match table {
        "bodies" => "INSERT INTO bodies (place, v, sum, data, file) VALUES (?1, ?2, ?3, ?4, ?5)",
        _ => "INSERT INTO results (place, v, sum, data, file) VALUES (?1, ?2, ?3, ?4, ?5)",
    };
    let written = match payload {
        None => return Ok(()),
        Some(PayloadRef::Inline(bytes)) => {
            let data: &[u8] = bytes;
            execute(
                conn,
                sql,
                params![place, ROW_VERSION, sum_of(data), data, None::<&str>],
            )
        }
        Some(PayloadRef::Held { key, .. }) => execute(
            conn,
            sql,
            params![place, ROW_VERSION, None::<i64>, None::<&[u8]>, key],
        ),
    };
    written.map(drop)
}

/// Runs a cached statement; gives the number of rows it changed.
pub(super) fn execute(
    conn: &Connection,
    sql: &str,
    values: impl rusqlite::Params,
) -> Result<usize, StoreError> {
    conn.prepare_cached(sql)
        .and_then(|mut statement| statement.execute(values))
        .map_err(|error| of_sqlite(&error))
}

pub(super) fn run(conn: &Connection, sql: &str) -> Result<(), StoreError> {
    execute(conn, sql, []).map(drop)
}
