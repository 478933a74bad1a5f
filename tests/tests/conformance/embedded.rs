//! The adapters of one machine: SQLite and files, channels, the hub, the system's clock.

use smoother_core::Timestamp;
use smoother_core::config::Durability;
use smoother_core::ports::{BoxFuture, Live};
use smoother_embedded::{
    DispatchChannel, Hub, LaneChannels, OpenOptions, OsEntropy, SqliteStore, SystemClock,
};
use smoother_tests::conformance::ambient::{self, Ambient};
use smoother_tests::conformance::queues::{self, Promises, Receives};
use smoother_tests::conformance::store::{self, Bed, Ports, Restart, Stand};
use smoother_tests::conformance::{lane, live, pass};
use std::path::Path;
use std::sync::Arc;
use tempfile::TempDir;

/// A store in a directory of its own.
struct SqliteStand {
    store: Arc<SqliteStore>,
    dir: TempDir,
    durability: Durability,
}

impl SqliteStand {
    fn open(dir: TempDir, durability: Durability) -> Self {
        let options = OpenOptions {
            durability,
            ..OpenOptions::new(dir.path())
        };
        let clock = Arc::new(SystemClock::new(Timestamp::EPOCH));
        let opened = SqliteStore::open(&options, clock).unwrap();
        Self {
            store: opened.store,
            dir,
            durability,
        }
    }
}

impl Stand for SqliteStand {
    fn ports(&self) -> Ports {
        Ports {
            store: self.store.clone(),
            payloads: self.store.clone(),
            outbox: self.store.clone(),
        }
    }

    fn restart(self: Box<Self>, how: Restart) -> BoxFuture<'static, Box<dyn Stand>> {
        let Self {
            store,
            dir,
            durability,
        } = *self;
        let dir = match how {
            Restart::Clean => dir,
            // What is on the disk at this moment is what a crash would leave.
            Restart::Crash => copied(&dir),
        };
        Box::pin(async move {
            // Its threads let go of the directory before this returns.
            tokio::task::spawn_blocking(move || drop(store)).await.unwrap();
            Box::new(Self::open(dir, durability)) as Box<dyn Stand>
        })
    }
}

/// The database first, its log second and the payloads last, so that the copy has every commit made before it
/// began and every payload that those name.
fn copied(from: &TempDir) -> TempDir {
    let to = TempDir::new().unwrap();
    for name in ["smoother.db", "smoother.db-wal"] {
        if from.path().join(name).exists() {
            std::fs::copy(from.path().join(name), to.path().join(name)).unwrap();
        }
    }
    copy_folder(&from.path().join("payloads"), &to.path().join("payloads"));
    to
}

fn copy_folder(from: &Path, to: &Path) {
    let Ok(entries) = std::fs::read_dir(from) else {
        return;
    };
    std::fs::create_dir_all(to).unwrap();
    for entry in entries {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_folder(&entry.path(), &target);
        } else {
            // A file that no row names may go while it is copied.
            let _ = std::fs::copy(entry.path(), target);
        }
    }
}

async fn bed() -> Bed {
    bed_of(Durability::Strict)
}

fn bed_of(durability: Durability) -> Bed {
    let dir = TempDir::new().unwrap();
    Bed::new(Box::new(SqliteStand::open(dir, durability)))
}

macro_rules! store_tests {
    ($($name:ident)+) => {
        $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $name() {
            pass(store::$name::CASES, bed).await;
        })+

        #[test]
        fn no_list_of_cases_is_left_out() {
            let run = [$(stringify!($name)),+];
            assert_eq!(run, store::ALL.map(|(name, _)| name));
        }
    };
}

store_tests! { changes ends inserts letters listing outbox payloads recovery walk writes }

/// Relaxed, the writes of synchronous requests are answered before they are durable: what was answered can be
/// read all the same, and is there after a stop in good order.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn relaxed() {
    for cases in [store::writes::CASES, store::listing::CASES] {
        pass(cases, || async { bed_of(Durability::Relaxed) }).await;
    }
}

fn queue_stand() -> queues::Stand {
    let (lanes, events) = LaneChannels::new([lane("a"), lane("b")]);
    let (dispatch, released) = DispatchChannel::new();
    let events = events.into_iter();
    queues::Stand {
        lanes: Arc::new(lanes),
        events: events
            .map(|(lane, end)| (lane, Box::new(end) as Box<dyn Receives<_>>))
            .collect(),
        dispatch: Arc::new(dispatch),
        released: Box::new(released),
        promises: Promises {
            in_order_once: true,
            refuses_when_closed: true,
        },
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_queues() {
    pass(queues::CASES, || async { queue_stand() }).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_hub() {
    pass(live::CASES, || async { Arc::new(Hub::new()) as Arc<dyn Live> }).await;
}

#[tokio::test]
async fn time_and_chance() {
    pass(ambient::CASES, || async {
        Ambient {
            clock: Arc::new(SystemClock::new(Timestamp::EPOCH)),
            entropy: Arc::new(OsEntropy),
        }
    })
    .await;
}
