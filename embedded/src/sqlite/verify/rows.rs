//! Every row, with what belongs to it.

use super::life::mistakes;
use super::{Report, payloads};
use crate::sqlite::failure::of_sqlite;
use crate::sqlite::files::PayloadFiles;
use crate::sqlite::queries::all;
use crate::sqlite::rows::{self, get, state_number};
use rusqlite::types::Value;
use rusqlite::{Connection, Row};
use smoother_core::lifecycle::State;
use smoother_core::ports::StoreError;
use smoother_core::{Call, Request, Rev, Timestamp};

pub(super) fn check(conn: &Connection, files: &PayloadFiles, report: &mut Report) -> Result<(), StoreError> {
    let sql = "SELECT place, id, tenant, lane, state, open, ended_at, v, sum, data FROM requests NOT INDEXED
               ORDER BY place";
    let mut statement = conn.prepare(sql).map_err(|error| of_sqlite(&error))?;
    let mut found = statement.query([]).map_err(|error| of_sqlite(&error))?;
    while let Some(row) = found.next().map_err(|error| of_sqlite(&error))? {
        let place: i64 = get(row, 0)?;
        report.requests += 1;
        let outcome = match rows::request(row, 7) {
            Ok(request) => one(conn, files, (place, row), &request, report),
            Err(StoreError::Damaged(cause)) => Err(StoreError::Damaged(format!(
                "the request at place {place}: {cause}"
            ))),
            Err(error) => Err(error),
        };
        report.note(outcome)?;
    }
    strays(conn, report)
}

fn one(
    conn: &Connection,
    files: &PayloadFiles,
    (place, row): (i64, &Row<'_>),
    request: &Request,
    report: &mut Report,
) -> Result<(), StoreError> {
    report.open += u64::from(!request.state.is_terminal());
    let mut say = |what: String| report.found(format!("request {}: {what}", request.id));
    if !columns_fit(row, request)? {
        say("its columns are not its own".to_owned());
    }
    let calls = calls(conn, place, &mut say)?;
    let passed = passed(conn, place)?;
    mistakes(request, &calls, &passed).into_iter().for_each(&mut say);
    report.calls += calls.len() as u64;
    payloads::check(conn, files, place, request, report)
}

/// Whether the columns that are searched by say what the row itself says.
fn columns_fit(row: &Row<'_>, request: &Request) -> Result<bool, StoreError> {
    let open = (!request.state.is_terminal()).then_some(1);
    let ended_at = request.ended_at.map(|at| rows::signed(at.as_millis()));
    Ok(get::<Vec<u8>>(row, 1)? == request.id.as_bytes()
        && get::<String>(row, 2)? == request.tenant.as_str()
        && get::<String>(row, 3)? == request.lane.as_str()
        && get::<i64>(row, 4)? == state_number(request.state)
        && get::<Option<i64>>(row, 5)? == open
        && get::<Option<i64>>(row, 6)? == ended_at)
}

fn calls(conn: &Connection, place: i64, say: &mut impl FnMut(String)) -> Result<Vec<Call>, StoreError> {
    let sql = "SELECT v, sum, data, number, lane, settled, charged_at FROM calls WHERE place = ?1";
    let found = all(conn, sql, [Value::from(place)], |row| {
        let call = match rows::call(row, 0) {
            Ok(call) => call,
            Err(StoreError::Damaged(cause)) => return Ok(Err(cause)),
            Err(error) => return Err(error),
        };
        let fits = get::<i64>(row, 3)? == i64::from(call.number.get())
            && get::<String>(row, 4)? == call.lane.as_str()
            && get::<i64>(row, 5)? == i64::from(call.settlement.is_some())
            && get::<i64>(row, 6)? == rows::signed(call.charged_at.as_millis());
        Ok(Ok((call, fits)))
    })?;
    let mut calls = Vec::new();
    for one in found {
        match one {
            Ok((call, fits)) => {
                if !fits {
                    say(format!("the columns of its call {} are not its own", call.number));
                }
                calls.push(call);
            }
            Err(cause) => say(format!("one of its calls: {cause}")),
        }
    }
    Ok(calls)
}

fn passed(conn: &Connection, place: i64) -> Result<Vec<(Rev, State, Timestamp)>, StoreError> {
    let sql = "SELECT rev, data FROM events WHERE place = ?1 ORDER BY rev";
    let found = all(conn, sql, [Value::from(place)], |row| {
        let data: String = get(row, 1)?;
        serde_json::from_str::<Vec<(Rev, State, Timestamp)>>(&data)
            .map_err(|error| StoreError::Damaged(format!("the events at place {place}: {error}")))
    })?;
    Ok(found.into_iter().flatten().collect())
}

/// Rows that belong to no request.
fn strays(conn: &Connection, report: &mut Report) -> Result<(), StoreError> {
    for table in ["bodies", "results", "calls", "events", "outbox"] {
        let sql = format!(
            "SELECT count(*) FROM {table} WHERE place NOT IN (SELECT place FROM requests NOT INDEXED)"
        );
        for count in all(conn, &sql, [], |row| get::<i64>(row, 0))? {
            if count > 0 {
                report.found(format!("{count} row(s) of {table} belong to no request"));
            }
        }
    }
    Ok(())
}
