//! The reads that the ports ask for.

use super::failure::{about, of_sqlite};
use super::place::{arrival, first_of, from_cursor, to_cursor};
use super::rows::{self, get, sum_of};
use super::schema::ROW_VERSION;
use bytes::Bytes;
use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, Row, params_from_iter};
use smoother_core::lifecycle::State;
use smoother_core::ports::{
    ListFilter, ListPage, OutboxEntry, PayloadKind, PayloadRef, StateEvent, StoreError,
};
use smoother_core::{Call, Hop, LaneId, Millis, Outcome, Request, RequestId, Rev, Timestamp};
use std::collections::{BTreeMap, HashSet};

/// Rows that one page of a listing looks at before it is given out short, with a cursor to go on.
const LOOKED_AT: usize = 20_000;

/// A row and its place.
pub(super) fn request(conn: &Connection, id: RequestId) -> Result<Option<(i64, Request)>, StoreError> {
    let sql = "SELECT place, v, sum, data FROM requests WHERE id = ?1";
    let found = one(conn, sql, id, |row| Ok((get(row, 0)?, own_row(row, 1, id)?)));
    match found.map_err(|error| about(id, error))? {
        Some(found) => Ok(Some(found)),
        None => not_passed_over(conn, id).map(|()| None),
    }
}

/// A request from columns `at` on, which must be the one that was asked for: the index led here, and it has no
/// checksum.
fn own_row(row: &Row<'_>, at: usize, id: RequestId) -> Result<Request, StoreError> {
    let request = rows::request(row, at)?;
    if request.id == id {
        return Ok(request);
    }
    Err(StoreError::Damaged(format!(
        "the index of ids leads to the row of {}",
        request.id
    )))
}

/// An id that carries its arrival is looked for there too, before it is said that there is none.
fn not_passed_over(conn: &Connection, id: RequestId) -> Result<(), StoreError> {
    let Some(at) = arrival(id) else { return Ok(()) };
    let sql = "SELECT id FROM requests NOT INDEXED WHERE place >= ?1 AND place < ?2";
    let bounds = [first_of(at), first_of(at + Millis::new(1))].map(Value::from);
    let there: Vec<[u8; 16]> = all(conn, sql, bounds, |row| get(row, 0))?;
    if there.contains(id.as_bytes()) {
        return Err(passed_over(id));
    }
    Ok(())
}

/// Whether none of these, which the index of ids does not know, is in the table. Reads all of it.
pub(super) fn are_unknown(conn: &Connection, ids: &HashSet<RequestId>) -> Result<(), StoreError> {
    if ids.is_empty() {
        return Ok(());
    }
    let sql = "SELECT id FROM requests NOT INDEXED";
    let read = |row: &Row<'_>| match RequestId::from_bytes(get(row, 0)?) {
        id if ids.contains(&id) => Err(passed_over(id)),
        _ => Ok(()),
    };
    all(conn, sql, [], read).map(drop)
}

fn passed_over(id: RequestId) -> StoreError {
    StoreError::Damaged(format!(
        "{id}: it is there, and the index of ids does not lead to it"
    ))
}

/// A request's calls, by number.
pub(super) fn calls(conn: &Connection, id: RequestId) -> Result<Vec<Call>, StoreError> {
    let sql = "SELECT c.v, c.sum, c.data FROM calls c JOIN requests r ON r.place = c.place
               WHERE r.id = ?1 ORDER BY c.number";
    let calls = all(conn, sql, [Value::Blob(id.as_bytes().to_vec())], |row| {
        rows::call(row, 0)
    })?;
    match calls.iter().find(|call| call.request != id) {
        Some(other) => Err(StoreError::Damaged(format!(
            "{id}: the index of ids leads to a call of {}",
            other.request
        ))),
        None => Ok(calls),
    }
}

/// The states a request has passed, oldest first.
pub(super) fn events(conn: &Connection, id: RequestId) -> Result<Vec<StateEvent>, StoreError> {
    let sql =
        "SELECT e.data FROM events e JOIN requests r ON r.place = e.place WHERE r.id = ?1 ORDER BY e.rev";
    let found = all(conn, sql, [Value::Blob(id.as_bytes().to_vec())], |row| {
        let data: String = get(row, 0)?;
        serde_json::from_str::<Vec<(Rev, State, Timestamp)>>(&data)
            .map_err(|error| about(id, StoreError::Damaged(format!("its events: {error}"))))
    })?;
    let event = |(rev, state, at)| StateEvent { rev, state, at };
    Ok(found.into_iter().flatten().map(event).collect())
}

/// One call of the request at `place`.
pub(super) fn call(conn: &Connection, place: i64, number: u32) -> Result<Option<Call>, StoreError> {
    let sql = "SELECT v, sum, data FROM calls WHERE place = ?1 AND number = ?2";
    let found = all(conn, sql, [Value::from(place), Value::from(number)], |row| {
        rows::call(row, 0)
    })?;
    Ok(found.into_iter().next())
}

/// A payload: its bytes, or the file they are in.
pub(super) fn payload(
    conn: &Connection,
    id: RequestId,
    kind: PayloadKind,
) -> Result<Option<PayloadRef>, StoreError> {
    let sql = match kind {
        PayloadKind::Body => {
            "SELECT p.v, p.sum, p.data, p.file, r.v, r.sum, r.data
             FROM requests r LEFT JOIN bodies p ON p.place = r.place WHERE r.id = ?1"
        }
        PayloadKind::Result => {
            "SELECT p.v, p.sum, p.data, p.file, r.v, r.sum, r.data
             FROM requests r LEFT JOIN results p ON p.place = r.place WHERE r.id = ?1"
        }
    };
    let found = one(conn, sql, id, |row| {
        let request = own_row(row, 4, id)?;
        if get::<Option<i64>>(row, 0)?.is_some() {
            return payload_row(row).map(Some);
        }
        let answered = matches!(request.outcome, Some(Outcome::Answer { .. }));
        match kind {
            PayloadKind::Body => Err(StoreError::Damaged("its body is missing".to_owned())),
            PayloadKind::Result if answered && request.state == State::Completed => {
                Err(StoreError::Damaged("its result is missing".to_owned()))
            }
            PayloadKind::Result => Ok(None),
        }
    });
    match found.map_err(|error| about(id, error))? {
        Some(found) => Ok(found),
        None => not_passed_over(conn, id).map(|()| None),
    }
}

pub(super) fn payload_row(row: &Row<'_>) -> Result<PayloadRef, StoreError> {
    let v: i64 = get(row, 0)?;
    if v != ROW_VERSION {
        return Err(StoreError::Damaged(format!(
            "a payload row has version {v}, this smoother writes {ROW_VERSION}"
        )));
    }
    if let Some(key) = get::<Option<String>>(row, 3)? {
        return Ok(PayloadRef::Held { key, bytes: 0 });
    }
    let sum: Option<i64> = get(row, 1)?;
    let data: Vec<u8> = get(row, 2)?;
    if sum != Some(sum_of(&data)) {
        return Err(StoreError::Damaged(
            "a payload does not match its checksum".to_owned(),
        ));
    }
    Ok(PayloadRef::Inline(Bytes::from(data)))
}

/// Entries of the outbox after `after`, up to `last`. A request that was redriven before its end was told is open
/// again: that end is no longer true, and its next one has an entry of its own.
pub(super) fn outbox(
    conn: &Connection,
    after: u64,
    last: u64,
    limit: usize,
) -> Result<Vec<OutboxEntry>, StoreError> {
    let sql = "SELECT o.seq, r.v, r.sum, r.data FROM outbox o LEFT JOIN requests r ON r.place = o.place
               WHERE o.seq > ?1 AND o.seq <= ?2 AND r.open IS NULL ORDER BY o.seq LIMIT ?3";
    let bounds = [after, last, limit as u64].map(|bound| Value::from(rows::signed(bound)));
    all(conn, sql, bounds, |row| {
        let seq = get::<i64>(row, 0)?.unsigned_abs();
        if get::<Option<i64>>(row, 1)?.is_none() {
            return Err(StoreError::Damaged(format!(
                "outbox entry {seq}: its request is gone"
            )));
        }
        let request =
            rows::request(row, 1).map_err(|error| about(format_args!("outbox entry {seq}"), error))?;
        Ok(OutboxEntry { seq, request })
    })
}

/// One page of a listing, newest arrival first.
pub(super) fn list(
    conn: &Connection,
    filter: &ListFilter,
    cursor: Option<&str>,
    limit: usize,
) -> Result<ListPage, StoreError> {
    let before = match cursor {
        Some(text) => from_cursor(text).ok_or_else(|| {
            StoreError::Failed(format!(
                "{text:?} is no cursor; give back the one a listing ended with"
            ))
        })?,
        None => i64::MAX,
    };
    let (sql, values) = listing(filter, before);
    let mut statement = conn.prepare_cached(&sql).map_err(|error| of_sqlite(&error))?;
    let mut found = statement
        .query(params_from_iter(values))
        .map_err(|error| of_sqlite(&error))?;
    let wanted: Vec<i64> = filter.states.iter().map(|s| rows::state_number(*s)).collect();
    let mut page = ListPage::default();
    let (mut looked_at, mut last) = (0, before);
    while let Some(row) = found.next().map_err(|error| of_sqlite(&error))? {
        let lane_fits = match &filter.lane {
            Some(lane) => get::<String>(row, 2)? == lane.as_str(),
            None => true,
        };
        let fits = lane_fits && (wanted.is_empty() || wanted.contains(&get(row, 1)?));
        let request = match fits {
            true => Some(rows::request(row, 3)?).filter(|request| filter.takes(request)),
            false => None,
        };
        if looked_at == LOOKED_AT || (request.is_some() && page.requests.len() == limit) {
            page.next = Some(to_cursor(last));
            break;
        }
        looked_at += 1;
        last = get(row, 0)?;
        page.requests.extend(request);
    }
    Ok(page)
}

/// The rows to look at: by the index of open rows where only those of one lane are wanted, by the tenant's
/// index where a tenant is, in the order of the table itself otherwise.
fn listing(filter: &ListFilter, before: i64) -> (String, Vec<Value>) {
    let columns = "SELECT place, state, lane, v, sum, data FROM requests";
    let only_open = !filter.states.is_empty() && filter.states.iter().all(|s: &State| !s.is_terminal());
    let mut values = vec![Value::from(before)];
    let mut conditions = "place < ?1".to_owned();
    let index = match (&filter.lane, &filter.tenant) {
        (_, tenant) if filter.dead => {
            conditions.push_str(" AND dead = 1");
            if let Some(tenant) = tenant {
                values.push(Value::from(tenant.as_str().to_owned()));
                conditions.push_str(" AND tenant = ?2");
            }
            "INDEXED BY requests_dead"
        }
        (Some(lane), tenant) if only_open => {
            values.push(Value::from(lane.as_str().to_owned()));
            conditions.push_str(" AND open = 1 AND lane = ?2");
            if let Some(tenant) = tenant {
                values.push(Value::from(tenant.as_str().to_owned()));
                conditions.push_str(" AND tenant = ?3");
            }
            "INDEXED BY requests_open"
        }
        (_, Some(tenant)) => {
            values.push(Value::from(tenant.as_str().to_owned()));
            conditions.push_str(" AND tenant = ?2");
            "INDEXED BY requests_tenant"
        }
        (_, None) => "NOT INDEXED",
    };
    let sql = format!("{columns} {index} WHERE {conditions} ORDER BY place DESC");
    (sql, values)
}

fn one<T>(
    conn: &Connection,
    sql: &str,
    id: RequestId,
    read: impl Fn(&Row<'_>) -> Result<T, StoreError>,
) -> Result<Option<T>, StoreError> {
    let mut statement = conn.prepare_cached(sql).map_err(|error| of_sqlite(&error))?;
    statement
        .query_row([id.as_bytes().as_slice()], |row| Ok(read(row)))
        .optional()
        .map_err(|error| of_sqlite(&error))?
        .transpose()
}

/// The lanes in which requests are open, and how many.
pub(super) fn open_lanes(conn: &Connection) -> Result<Vec<(LaneId, u64)>, StoreError> {
    let sql = "SELECT lane, count(*) FROM requests INDEXED BY requests_open WHERE open = 1 GROUP BY lane";
    by_lane(conn, sql)
}

/// The lanes in which open requests may yet go on, by their chains, and how many.
pub(super) fn lanes_ahead(conn: &Connection) -> Result<Vec<(LaneId, u64)>, StoreError> {
    /// As much of a row as this asks for.
    #[derive(serde::Deserialize)]
    struct Chain {
        #[serde(default)]
        fallback: Vec<Hop>,
    }
    let sql = "SELECT v, sum, data FROM requests INDEXED BY requests_open
               WHERE open = 1 AND instr(data, CAST('\"fallback\":' AS BLOB)) > 0";
    let chains: Vec<Chain> = all(conn, sql, [], |row| rows::value(row, 0, "request"))?;
    let mut counts: BTreeMap<LaneId, u64> = BTreeMap::new();
    for hop in chains.into_iter().flat_map(|chain| chain.fallback) {
        if let Some(lane) = hop.lane() {
            *counts.entry(lane.clone()).or_default() += 1;
        }
    }
    Ok(counts.into_iter().collect())
}

/// The lanes in which dead letters stand, and how many.
pub(super) fn dead_letters(conn: &Connection) -> Result<Vec<(LaneId, u64)>, StoreError> {
    let sql = "SELECT lane, count(*) FROM requests INDEXED BY requests_dead WHERE dead = 1 GROUP BY lane";
    by_lane(conn, sql)
}

fn by_lane(conn: &Connection, sql: &str) -> Result<Vec<(LaneId, u64)>, StoreError> {
    all(conn, sql, [], |row: &Row<'_>| {
        let name: String = get(row, 0)?;
        let lane = LaneId::new(&name).map_err(|error| StoreError::Damaged(error.to_string()))?;
        Ok((lane, get::<i64>(row, 1)?.unsigned_abs()))
    })
}

/// Every row of a query.
pub(super) fn all<T>(
    conn: &Connection,
    sql: &str,
    values: impl IntoIterator<Item = Value>,
    read: impl Fn(&Row<'_>) -> Result<T, StoreError>,
) -> Result<Vec<T>, StoreError> {
    let mut statement = conn.prepare_cached(sql).map_err(|error| of_sqlite(&error))?;
    let mut found = statement
        .query(params_from_iter(values))
        .map_err(|error| of_sqlite(&error))?;
    let mut read_rows = Vec::new();
    while let Some(row) = found.next().map_err(|error| of_sqlite(&error))? {
        read_rows.push(read(row)?);
    }
    Ok(read_rows)
}
