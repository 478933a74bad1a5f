//! Rows as bytes and back. What does not read back as it was written is damage, never a guess.

use super::failure::of_sqlite;
use super::schema::ROW_VERSION;
use rusqlite::Row;
use serde::Serialize;
use serde::de::DeserializeOwned;
use smoother_core::lifecycle::State;
use smoother_core::ports::StoreError;
use smoother_core::{Call, Request};

/// A value's stored form.
#[derive(Debug)]
pub(super) struct Encoded {
    pub data: Vec<u8>,
    pub sum: i64,
}

/// The stored form of a row's value.
pub(super) fn encode<T: Serialize>(value: &T) -> Result<Encoded, StoreError> {
    let mut data = Vec::with_capacity(1024);
    serde_json::to_writer(&mut data, value)
        .map_err(|error| StoreError::Failed(format!("a row cannot be encoded: {error}")))?;
    let sum = sum_of(&data);
    Ok(Encoded { data, sum })
}

/// The checksum stored beside `data`.
pub(super) fn sum_of(data: &[u8]) -> i64 {
    i64::from(crc32fast::hash(data))
}

/// The value of a row that was read as (`v`, `sum`, `data`).
pub(super) fn decode<T: DeserializeOwned>(
    what: &str,
    v: i64,
    sum: i64,
    data: &[u8],
) -> Result<T, StoreError> {
    if v != ROW_VERSION {
        return Err(StoreError::Damaged(format!(
            "a {what} row has version {v}, this smoother writes {ROW_VERSION}"
        )));
    }
    if sum != sum_of(data) {
        return Err(StoreError::Damaged(format!(
            "a {what} row does not match its checksum"
        )));
    }
    serde_json::from_slice(data)
        .map_err(|error| StoreError::Damaged(format!("a {what} row cannot be read: {error}")))
}

/// A request from columns `at` (`v`), `at + 1` (`sum`), `at + 2` (`data`).
pub(super) fn request(row: &Row<'_>, at: usize) -> Result<Request, StoreError> {
    value(row, at, "request")
}

/// A call from columns `at` (`v`), `at + 1` (`sum`), `at + 2` (`data`).
pub(super) fn call(row: &Row<'_>, at: usize) -> Result<Call, StoreError> {
    value(row, at, "call")
}

/// A value from columns `at` (`v`), `at + 1` (`sum`), `at + 2` (`data`).
pub(super) fn value<T: DeserializeOwned>(row: &Row<'_>, at: usize, what: &str) -> Result<T, StoreError> {
    let v = get(row, at)?;
    let sum = get(row, at + 1)?;
    let data = row
        .get_ref(at + 2)
        .map_err(|error| of_sqlite(&error))?
        .as_blob()
        .map_err(|_| StoreError::Damaged(format!("a {what} row has no data")))?;
    decode(what, v, sum, data)
}

/// A plain column.
pub(super) fn get<T: rusqlite::types::FromSql>(row: &Row<'_>, at: usize) -> Result<T, StoreError> {
    row.get(at).map_err(|error| of_sqlite(&error))
}

/// The stored number of a state; 4 and above are terminal.
pub(super) const fn state_number(state: State) -> i64 {
    match state {
        State::Received => 0,
        State::Queued => 1,
        State::Released => 2,
        State::Running => 3,
        State::Completed => 4,
        State::Failed => 5,
        State::Cancelled => 6,
        State::Expired => 7,
    }
}

/// An unsigned number as SQLite keeps it; beyond its range the largest.
pub(super) fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn damage_is_told_from_data() {
        let good = encode(&vec![1u32, 2, 3]).unwrap();
        let read = |v, sum, data: &[u8]| decode::<Vec<u32>>("test", v, sum, data);
        assert_eq!(read(ROW_VERSION, good.sum, &good.data).unwrap(), [1, 2, 3]);
        let mut flipped = good.data.clone();
        flipped[1] ^= 1;
        assert!(matches!(
            read(ROW_VERSION, good.sum, &flipped),
            Err(StoreError::Damaged(_))
        ));
        assert!(matches!(
            read(ROW_VERSION + 1, good.sum, &good.data),
            Err(StoreError::Damaged(_))
        ));
    }

    #[test]
    fn terminal_states_are_those_from_four_on() {
        for state in State::ALL {
            assert_eq!(state.is_terminal(), state_number(state) >= 4, "{state}");
        }
    }
}
