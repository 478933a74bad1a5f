//! The other ports on one machine: SQLite, files, channels.
//!
//! | port | adapter |
//! |---|---|
//! | `Store`, `Outbox`, `Payloads` | [`SqliteStore`] |
//! | `Live` | [`Hub`] |
//! | `LaneQueue` | [`LaneChannels`] |
//! | `Dispatch` | [`DispatchChannel`] |
//! | `Clock`, `Entropy` | [`SystemClock`], [`OsEntropy`] |

mod ambient;
mod channels;
mod hub;
#[cfg(feature = "sqlite")]
mod sqlite;

pub use ambient::{OsEntropy, SystemClock};
pub use channels::{DispatchChannel, LaneChannels};
pub use hub::Hub;
#[cfg(feature = "sqlite")]
pub use sqlite::{
    BackupError, Copied, OpenError, OpenOptions, Opened, Report, SqliteStore, VerifyError, backup, verify,
};

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Locks, also after a panic elsewhere: a critical section here leaves its data whole at each step, or stops the store.
fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
