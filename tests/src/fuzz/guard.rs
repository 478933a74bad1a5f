//! One case under guard: a panic anywhere in the process, a case without end and one without bounds are faults.

use std::panic::{self, PanicHookInfo};
use std::sync::{Arc, Mutex, MutexGuard, Once, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{Mutex as Turn, MutexGuard as TurnGuard};
use tokio::task::spawn;
use tokio::time::timeout;

use super::{Fault, Kind, Target, Verdict};

/// What one input may take.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// Until it is over.
    pub time: Duration,
    /// At once, in bytes.
    pub memory: u64,
}

impl Default for Bounds {
    /// Most inputs take a millisecond and no more than they are long.
    fn default() -> Self {
        Self {
            time: Duration::from_secs(20),
            memory: 400 << 20,
        }
    }
}

static TURN: Turn<()> = Turn::const_new(());
static PANICS: Mutex<Vec<String>> = Mutex::new(Vec::new());
static WATCHING: Mutex<bool> = Mutex::new(false);
static HOOK: Once = Once::new();

/// Watches the whole process, so there is one at a time.
#[derive(Debug)]
pub struct Guard {
    bounds: Bounds,
    _turn: TurnGuard<'static, ()>,
}

impl Guard {
    /// Waits for its turn and begins to watch.
    pub async fn take(bounds: Bounds) -> Self {
        let turn = TURN.lock().await;
        HOOK.call_once(|| {
            let before = panic::take_hook();
            panic::set_hook(Box::new(move |info| {
                if *lock(&WATCHING) {
                    lock(&PANICS).push(said(info));
                } else {
                    before(info);
                }
            }));
        });
        lock(&PANICS).clear();
        *lock(&WATCHING) = true;
        Self { bounds, _turn: turn }
    }

    /// Feeds one input to the target.
    ///
    /// # Errors
    /// What the target found, or a panic, or no end.
    pub async fn feed(&self, target: &Arc<dyn Target>, input: &[u8]) -> Result<Verdict, Fault> {
        let target = Arc::clone(target);
        let input = Bytes::copy_from_slice(input);
        // On a task of its own: what spins without waiting for anything holds up only that.
        let fed = timeout(self.bounds.time, spawn(async move { target.feed(input).await })).await;
        if let Some(panic) = lock(&PANICS).drain(..).next() {
            return Err(Fault::new(Kind::Panic, panic));
        }
        match fed {
            Ok(Ok(verdict)) => verdict,
            Ok(Err(ended)) => Err(Fault::new(Kind::Panic, ended)),
            Err(_) => Err(Fault::new(
                Kind::Hang,
                format_args!("no end after {:?}", self.bounds.time),
            )),
        }
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        *lock(&WATCHING) = false;
    }
}

fn said(info: &PanicHookInfo<'_>) -> String {
    let place = info.location().map_or_else(String::new, ToString::to_string);
    let payload = info.payload();
    let words = payload
        .downcast_ref::<&str>()
        .map(ToString::to_string)
        .or_else(|| payload.downcast_ref::<String>().cloned())
        .unwrap_or_default();
    format!("{place}: {words}")
}

/// How much memory the process has taken at most since this was begun, over what it had then.
#[derive(Debug, Clone, Copy)]
pub struct Memory {
    before: u64,
}

impl Memory {
    /// Begins to measure; `None` where the system has no such figures.
    pub fn begin() -> Option<Self> {
        // "5" sets the peak back to what is resident now (man 5 proc).
        std::fs::write("/proc/self/clear_refs", "5").ok()?;
        let before = figure("VmHWM:")?;
        Some(Self { before })
    }

    /// The fault, if it was too much.
    pub fn judge(self, bounds: Bounds) -> Option<Fault> {
        let most = figure("VmHWM:")?.saturating_sub(self.before);
        (most > bounds.memory).then(|| Fault::new(Kind::Memory, format_args!("{} MiB at once", most >> 20)))
    }
}

fn figure(name: &str) -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib << 10)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
