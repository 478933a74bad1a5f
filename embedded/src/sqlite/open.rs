//! Opening: take the directory, look before touching, migrate, start the threads.

use super::begin::begin;
use super::bodies::PayloadCache;
use super::checkpoint::Checkpoints;
use super::failure::Fate;
use super::files::PayloadFiles;
use super::inspect::{inspect, refuse_remains, sqlite};
use super::ownership::{Ownership, io};
use super::readers::{Readers, keep_log, keep_plans};
use super::schema::{MIGRATIONS, migrate};
use super::tail::OutboxTail;
use super::writer::{Applied, Intake, Start, Writer};
use super::{OpenError, OpenOptions, Opened, Shared, SqliteStore, log, room, sweep};
use rusqlite::Connection;
use rusqlite::hooks::Wal;
use smoother_core::Timestamp;
use smoother_core::config::Durability;
use smoother_core::ports::Clock;
use std::path::Path;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

impl SqliteStore {
    /// Opens the store in a data directory, making it if it is not there.
    ///
    /// Whatever is wrong with an existing database is found out before anything is written to it.
    pub fn open(options: &OpenOptions, clock: Arc<dyn Clock>) -> Result<Opened, OpenError> {
        let ownership = Ownership::take(&options.dir)?;
        let path = options.database();
        let mark_path = log::mark_path(&options.dir);
        let logged = log::check(&path, &mark_path)?;
        let mut schema = inspect(&path, options.check_for)?;
        if schema == 0 {
            refuse_remains(&path, &options.dir)?;
            schema = begin(&path, &options.dir)?;
        }
        log::renew(&path, logged)?;
        let mark = Arc::new(log::Mark::open(&mark_path).map_err(|cause| io(&mark_path, cause))?);
        let mut conn = prepare(&path, schema, options.max_bytes).map_err(|error| sqlite(&path, &error))?;
        // A read first: with it SQLite makes the log and its index, if they are not there.
        let found = Found::read(&conn).map_err(|error| sqlite(&path, &error))?;
        follow(&mut conn, &path, &mark)?;
        room::make(&path).map_err(|cause| io(&log::log_path(&path), cause))?;
        let index = room::make_for_index(&path).map_err(|cause| io(&path, cause))?;
        let now = clock.now().max(found.newest);
        let files =
            PayloadFiles::open(&options.dir, now.as_millis()).map_err(|cause| io(&options.dir, cause))?;
        let files = Arc::new(files);
        let fate = Arc::new(Fate::new());
        let checkpoints =
            Checkpoints::start(&path, Arc::clone(&fate)).map_err(|error| sqlite(&path, &error))?;
        let shared = Arc::new(Shared {
            relaxed: options.durability == Durability::Relaxed,
            readers: Readers::new(path, index),
            files,
            bodies: PayloadCache::new(options.body_cache_bytes),
            tail: OutboxTail::new(found.last_seq),
            fate,
            early: Mutex::default(),
            commits: AtomicU64::new(0),
        });
        sweep::start(&shared.files, &shared.readers).map_err(|cause| io(&options.dir, cause))?;
        let applied = Applied::new(
            Arc::clone(&shared),
            Arc::clone(&clock),
            found.newest_place,
            found.newest,
        );
        let intake = Arc::new(Intake::new(applied, Arc::clone(&shared.fate)));
        let writer = Writer::new(Start {
            conn,
            shared: Arc::clone(&shared),
            intake: Arc::clone(&intake),
            clock,
            checkpoints,
            mark,
            ownership,
            // Never given out twice, not even after the outbox was emptied and the process started anew.
            next_seq: (found.last_seq + 1).max(now.as_millis().saturating_mul(1_000)),
            pending: found.pending,
            ahead: found.newest,
        });
        let thread = thread::Builder::new()
            .name("store-writer".to_owned())
            .spawn(move || writer.run())
            .map_err(|cause| io(&options.dir, cause))?;
        let fatal = shared.fate.watch();
        let store = Self {
            shared,
            intake,
            inline_limit: options.inline_limit,
            writer: Some(thread),
        };
        Ok(Opened {
            store: Arc::new(store),
            newest: found.newest,
            fatal,
        })
    }
}

/// The writer's connection, on the newest schema.
pub(super) fn prepare(path: &Path, schema: u32, max_bytes: Option<u64>) -> rusqlite::Result<Connection> {
    let mut conn = Connection::open(path)?;
    conn.busy_timeout(Duration::from_secs(5))?;
    conn.set_prepared_statement_cache_capacity(64);
    keep_plans(&conn)?;
    keep_log(&conn)?;
    conn.pragma_update(None, "synchronous", "FULL")?;
    // First of all: a migration that is cut short is then forgotten with the log, and leaves no journal that a
    // later look at the database would have to roll back.
    conn.pragma_update(None, "journal_mode", "WAL")?;
    migrate(&mut conn, schema, MIGRATIONS)?;
    conn.pragma_update(None, "wal_autocheckpoint", 0)?;
    conn.pragma_update(None, "journal_size_limit", 256 * 1024 * 1024)?;
    conn.pragma_update(None, "cache_size", -8_000)?;
    conn.pragma_update(None, "temp_store", "MEMORY")?;
    if let Some(bytes) = max_bytes {
        let page: i64 = conn.pragma_query_value(None, "page_size", |row| row.get(0))?;
        let pages = i64::try_from(bytes).unwrap_or(i64::MAX) / page.max(1);
        conn.pragma_update(None, "max_page_count", pages.max(1))?;
    }
    Ok(conn)
}

/// Has the mark written after each commit of this connection.
fn follow(conn: &mut Connection, path: &Path, mark: &Arc<log::Mark>) -> Result<(), OpenError> {
    let page: i64 = conn
        .pragma_query_value(None, "page_size", |row| row.get(0))
        .map_err(|error| sqlite(path, &error))?;
    let mut follower = log::Follower::new(path, page.unsigned_abs(), Arc::clone(mark))
        .map_err(|cause| io(&log::log_path(path), cause))?;
    let hook = move |_: &mut Wal, frames| {
        follower.committed(u32::try_from(frames).unwrap_or(0));
        Ok(())
    };
    conn.wal_hook(Some(hook)).map_err(|error| sqlite(path, &error))
}

/// What the last run left.
struct Found {
    newest: Timestamp,
    newest_place: i64,
    last_seq: u64,
    pending: u64,
}

impl Found {
    fn read(conn: &Connection) -> rusqlite::Result<Self> {
        let number = |sql: &str| conn.query_row(sql, [], |row| row.get::<_, i64>(0));
        Ok(Self {
            newest: Timestamp::from_millis(
                number("SELECT coalesce(max(ahead), 0) FROM clock")?.unsigned_abs(),
            ),
            newest_place: number("SELECT coalesce(max(place), -1) FROM requests")?,
            last_seq: number("SELECT coalesce(max(seq), 0) FROM outbox")?.unsigned_abs(),
            pending: number("SELECT count(*) FROM outbox")?.unsigned_abs(),
        })
    }
}
