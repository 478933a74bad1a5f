//! The tables, and the way from an older schema to this one.

use rusqlite::{Connection, TransactionBehavior};

/// Marks the file as a smoother's: "BSmo".
pub(super) const APPLICATION_ID: i32 = 0x4253_6D6F;

/// `v` of every row written here.
pub(super) const ROW_VERSION: i64 = 1;

/// Step n leads from schema n to n + 1. Steps are only ever added.
pub(super) const MIGRATIONS: &[&str] = &[FIRST, SECOND, THIRD];

/// The schema this code writes.
pub(super) fn newest() -> u32 {
    u32::try_from(MIGRATIONS.len()).unwrap_or(u32::MAX)
}

/// What past answers have taught, by a name made of the model, the tenant and how much was allowed.
const THIRD: &str = "
CREATE TABLE outputs (
    name TEXT PRIMARY KEY,
    v INTEGER NOT NULL,
    sum INTEGER NOT NULL,
    data BLOB NOT NULL
) STRICT, WITHOUT ROWID;
";

/// Dead letters by an index of their own, which stays as small as they are few; what lanes have learned.
const SECOND: &str = "
ALTER TABLE requests ADD COLUMN dead INTEGER;
CREATE INDEX requests_dead ON requests (dead) WHERE dead = 1;

CREATE TABLE memories (
    lane TEXT PRIMARY KEY,
    v INTEGER NOT NULL,
    sum INTEGER NOT NULL,
    data BLOB NOT NULL
) STRICT, WITHOUT ROWID;
";

/// `place` is arrival in milliseconds × 2^20 plus a tie-breaker: one number that is the row's address, sorts
/// by arrival, and is the tail of every index without being stored twice. New rows therefore go to the end of
/// each table, whatever their ids.
///
/// `open` is 1 until the terminal state and NULL after it, so the index of open rows stays as small as the
/// queue. `sum` is the CRC-32 of `data`: a flipped bit is an error and not an answer.
const FIRST: &str = "
CREATE TABLE requests (
    place INTEGER PRIMARY KEY,
    id BLOB NOT NULL UNIQUE,
    v INTEGER NOT NULL,
    tenant TEXT NOT NULL,
    lane TEXT NOT NULL,
    state INTEGER NOT NULL,
    open INTEGER,
    ended_at INTEGER,
    sum INTEGER NOT NULL,
    data BLOB NOT NULL
) STRICT;
CREATE INDEX requests_tenant ON requests (tenant);
CREATE INDEX requests_open ON requests (lane) WHERE open = 1;

CREATE TABLE bodies (
    place INTEGER PRIMARY KEY,
    v INTEGER NOT NULL,
    sum INTEGER,
    data BLOB,
    file TEXT
) STRICT;
CREATE TABLE results (
    place INTEGER PRIMARY KEY,
    v INTEGER NOT NULL,
    sum INTEGER,
    data BLOB,
    file TEXT
) STRICT;

CREATE TABLE calls (
    place INTEGER NOT NULL,
    number INTEGER NOT NULL,
    v INTEGER NOT NULL,
    lane TEXT NOT NULL,
    settled INTEGER NOT NULL,
    charged_at INTEGER NOT NULL,
    sum INTEGER NOT NULL,
    data BLOB NOT NULL,
    PRIMARY KEY (place, number)
) STRICT, WITHOUT ROWID;
CREATE INDEX calls_lane ON calls (lane, settled, charged_at);

-- One row per request and commit: every state the request passed in it, as [[rev, state, at], ...].
CREATE TABLE events (
    place INTEGER NOT NULL,
    rev INTEGER NOT NULL,
    v INTEGER NOT NULL,
    data TEXT NOT NULL,
    PRIMARY KEY (place, rev)
) STRICT, WITHOUT ROWID;

CREATE TABLE outbox (
    seq INTEGER PRIMARY KEY,
    v INTEGER NOT NULL,
    place INTEGER NOT NULL
) STRICT;

CREATE TABLE tenants (
    name TEXT PRIMARY KEY,
    v INTEGER NOT NULL,
    first_seen INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE lanes (
    name TEXT PRIMARY KEY,
    v INTEGER NOT NULL,
    day INTEGER NOT NULL,
    tokens INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- No stored time is later than this one.
CREATE TABLE clock (
    only INTEGER PRIMARY KEY CHECK (only = 1),
    v INTEGER NOT NULL,
    ahead INTEGER NOT NULL
) STRICT;
";

/// Takes the database from schema `from` through `steps`, each in a transaction of its own.
pub(super) fn migrate(conn: &mut Connection, from: u32, steps: &[&str]) -> rusqlite::Result<()> {
    for (number, step) in (1u32..)
        .zip(steps)
        .skip(usize::try_from(from).unwrap_or(usize::MAX))
    {
        let tx = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
        tx.execute_batch(step)?;
        tx.pragma_update(None, "application_id", APPLICATION_ID)?;
        tx.pragma_update(None, "user_version", number)?;
        tx.commit()?;
        tracing::info!(schema = number, "the database has a new schema");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(conn: &Connection) -> u32 {
        conn.pragma_query_value(None, "user_version", |row| row.get(0))
            .unwrap()
    }

    #[test]
    fn an_older_schema_goes_forward_and_keeps_its_rows() {
        let mut conn = Connection::open_in_memory().unwrap();
        let one = "CREATE TABLE t (a INTEGER)";
        let two = "ALTER TABLE t ADD COLUMN b INTEGER DEFAULT 7";
        migrate(&mut conn, 0, &[one]).unwrap();
        conn.execute("INSERT INTO t (a) VALUES (1)", []).unwrap();
        assert_eq!(version(&conn), 1);

        migrate(&mut conn, 1, &[one, two]).unwrap();
        assert_eq!(version(&conn), 2);
        let row: (i64, i64) = conn
            .query_row("SELECT a, b FROM t", [], |r| Ok((r.get(0)?, r.get(1)?)))
            .unwrap();
        assert_eq!(row, (1, 7));
    }

    #[test]
    fn a_step_that_fails_leaves_the_schema_before_it() {
        let mut conn = Connection::open_in_memory().unwrap();
        let steps = ["CREATE TABLE t (a)", "CREATE TABLE u (a); nonsense"];
        assert!(migrate(&mut conn, 0, &steps).is_err());
        assert_eq!(version(&conn), 1);
        assert!(conn.prepare("SELECT * FROM u").is_err());
    }

    #[test]
    fn every_table_has_a_version_column() {
        let mut conn = Connection::open_in_memory().unwrap();
        migrate(&mut conn, 0, MIGRATIONS).unwrap();
        let mut tables = conn
            .prepare("SELECT name FROM sqlite_schema WHERE type = 'table'")
            .unwrap();
        let names: Vec<String> = tables
            .query_map([], |r| r.get(0))
            .unwrap()
            .map(Result::unwrap)
            .collect();
        assert!(names.len() >= 8);
        for name in names {
            assert!(
                conn.prepare(&format!("SELECT v FROM {name}")).is_ok(),
                "{name} has no v"
            );
        }
    }
}
