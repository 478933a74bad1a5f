//! What a start finds in its data directory: a log, a mark and a database that are not as they were left.
//!
//! An input is a recipe of changes, a line each: `smoother.db-wal 100 xor 255`, `… cut 7`, `… put 16 00ff00ff`. The
//! directory is that of a server that was killed with requests in it.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use rand::Rng;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use smoother_core::ports::{BoxFuture, NewRequest, PayloadKind, Payloads, Store};
use smoother_core::request::Fresh;
use smoother_core::{Door, Estimate, ModelId, Operation, Request, RequestId, TenantId, Timestamp, Tokens};
use smoother_embedded::{OpenOptions, SqliteStore, SystemClock};
use tempfile::TempDir;

use crate::fuzz::mutate::raw;
use crate::fuzz::{Fault, Kind, Target, Verdict, house};

/// The files that a start reads.
const FILES: [&str; 3] = ["smoother.db-wal", "smoother.db", "smoother.mark"];
/// Requests in the directory.
const REQUESTS: u8 = 12;

/// The target: a directory to take copies of.
#[derive(Debug)]
pub struct Stores {
    left: Arc<TempDir>,
}

impl Stores {
    /// Makes the directory: requests are stored, and it is copied while the store is open, as a kill leaves it.
    ///
    /// # Errors
    /// It cannot be made.
    pub async fn open() -> anyhow::Result<Self> {
        let (live, left) = (tempfile::tempdir()?, tempfile::tempdir()?);
        let store = SqliteStore::open(&OpenOptions::new(live.path()), clock())?.store;
        for number in 0..REQUESTS {
            let body = body(number);
            let kept = store.keep(id(number), PayloadKind::Body, body.clone()).await?;
            store
                .insert(NewRequest {
                    request: request(number, &body)?,
                    body: kept,
                })
                .await?;
        }
        copy(live.path(), left.path())?;
        store.close().await?;
        Ok(Self { left: Arc::new(left) })
    }
}

fn clock() -> Arc<SystemClock> {
    Arc::new(SystemClock::new(Timestamp::EPOCH))
}

fn id(number: u8) -> RequestId {
    RequestId::from_bytes([number + 1; 16])
}

fn body(number: u8) -> Bytes {
    Bytes::from(vec![b'a' + number; 100 + usize::from(number) * 700])
}

fn request(number: u8, body: &[u8]) -> anyhow::Result<Request> {
    Ok(Request::fresh(Fresh {
        id: id(number),
        tenant: TenantId::default(),
        lane: house::wide()?,
        model: ModelId::new("m")?,
        operation: Operation::Converse,
        door: Door::Job,
        arrived_at: Timestamp::from_millis(1_790_000_000_000 + u64::from(number)),
        body_hash: [number; 32],
        body_bytes: body.len() as u64,
        estimate: Estimate {
            input: Tokens::new(10),
            max_output: Tokens::new(10),
            expected_output: Tokens::new(10),
        },
    }))
}

fn copy(from: &Path, to: &Path) -> std::io::Result<()> {
    for name in FILES {
        if from.join(name).exists() {
            fs::copy(from.join(name), to.join(name))?;
        }
    }
    Ok(())
}

impl Target for Stores {
    fn name(&self) -> &'static str {
        "store"
    }

    fn mutate(&self, chance: &mut StdRng, input: &mut Vec<u8>, other: &[u8]) {
        if chance.random_bool(0.2) {
            return raw::mutate(chance, input, other);
        }
        let file = FILES.choose(chance).copied().unwrap_or_default();
        // Most of what is read first lies near the beginning of a file or of one of its pages.
        let at = match chance.random_range(0..3) {
            0 => chance.random_range(0..64_u32),
            1 => chance.random_range(0..40_u32) * 4_096 + chance.random_range(0..128_u32),
            _ => chance.random_range(0..200_000_u32),
        };
        let change = match chance.random_range(0..4) {
            0 => format!("xor {}", 1_u32 << chance.random_range(0..8)),
            1 => "cut".to_owned(),
            2 => format!("put {:08x}", chance.random::<u32>()),
            _ => "put 00000000000000000000000000000000".to_owned(),
        };
        input.extend_from_slice(format!("{file} {at} {change}\n").as_bytes());
    }

    fn feed(&self, input: Bytes) -> BoxFuture<'static, Result<Verdict, Fault>> {
        let left = Arc::clone(&self.left);
        Box::pin(async move {
            let wrong = |error: std::io::Error| Fault::new(Kind::Lost, format_args!("no directory: {error}"));
            let dir = tempfile::tempdir().map_err(wrong)?;
            copy(left.path(), dir.path()).map_err(wrong)?;
            let changed = change(dir.path(), &input).map_err(wrong)?;
            start(dir.path(), changed).await
        })
    }
}

/// What a recipe has changed.
#[derive(Debug, Clone, Copy, Default)]
struct Changed {
    mark: bool,
    data: bool,
}

/// Carries the recipe out.
fn change(dir: &Path, recipe: &[u8]) -> std::io::Result<Changed> {
    let mut changed = Changed::default();
    for line in String::from_utf8_lossy(recipe).lines().take(64) {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [name, at, what, with @ ..] = words.as_slice() else {
            continue;
        };
        let (Some(name), Ok(at)) = (FILES.iter().find(|known| *known == name), at.parse::<usize>()) else {
            continue;
        };
        let path: PathBuf = dir.join(name);
        let Ok(mut bytes) = fs::read(&path) else {
            continue;
        };
        let before = bytes.clone();
        match (*what, with) {
            ("cut", _) => bytes.truncate(at),
            ("xor", [mask]) => {
                if let (Some(byte), Ok(mask)) = (bytes.get_mut(at), mask.parse::<u8>()) {
                    *byte ^= mask;
                }
            }
            ("put", [hex]) => {
                let pairs = hex
                    .as_bytes()
                    .chunks_exact(2)
                    .filter_map(|pair| std::str::from_utf8(pair).ok());
                let new = pairs.filter_map(|pair| u8::from_str_radix(pair, 16).ok());
                bytes
                    .iter_mut()
                    .skip(at)
                    .zip(new)
                    .for_each(|(byte, new)| *byte = new);
            }
            _ => {}
        }
        if *name == "smoother.mark" {
            changed.mark |= bytes != before;
        } else {
            changed.data |= bytes != before;
        }
        fs::write(&path, bytes)?;
    }
    Ok(changed)
}

/// A start takes up everything, or refuses and leaves every file as it was.
async fn start(dir: &Path, changed: Changed) -> Result<Verdict, Fault> {
    let before = contents(dir);
    let opened = match SqliteStore::open(&OpenOptions::new(dir), clock()) {
        Ok(opened) => opened,
        Err(error) if !changed.mark && !changed.data => {
            return Err(Fault::new(Kind::Wrong, format_args!("nothing is wrong: {error}")));
        }
        Err(error) => {
            if contents(dir) != before {
                return Err(Fault::new(
                    Kind::Lost,
                    format_args!("refused ({error}), and files changed all the same"),
                ));
            }
            return if error.to_string().trim().is_empty() {
                Err(Fault::new(Kind::Words, "refused without a word"))
            } else {
                Ok(Verdict::Refused)
            };
        }
    };
    let mut missing = None;
    for number in 0..REQUESTS {
        match taken_up(&opened.store, number).await {
            Ok(()) => {}
            Err(fault) => missing = Some(fault),
        }
        if missing.is_some() {
            break;
        }
    }
    // A store that had to stop has said so already.
    drop(opened.store.close().await);
    match missing {
        // A mark that cannot be read claims nothing: without it a log that is cut off is a log that ends.
        Some(_) if changed.mark && changed.data => Ok(Verdict::Refused),
        Some(fault) => Err(fault),
        None => Ok(Verdict::Accepted),
    }
}

/// A request is there as it was stored, or reading it says that the store is damaged.
async fn taken_up(store: &SqliteStore, number: u8) -> Result<(), Fault> {
    let lost = |what: &str| Err(Fault::new(Kind::Lost, format_args!("request {number} {what}")));
    match store.get(id(number)).await {
        Err(_) => return Ok(()),
        Ok(None) => return lost("is gone, and nothing was said"),
        Ok(Some(row)) if row.body_bytes != body(number).len() as u64 => return lost("is another"),
        Ok(Some(_)) => {}
    }
    match store.fetch(id(number), PayloadKind::Body).await {
        Err(_) => Ok(()),
        Ok(Some(kept)) if kept == body(number) => Ok(()),
        Ok(Some(_)) => lost("has another body"),
        Ok(None) => lost("has no body any more, and nothing was said"),
    }
}

fn contents(dir: &Path) -> Vec<Option<Vec<u8>>> {
    FILES.iter().map(|name| fs::read(dir.join(name)).ok()).collect()
}
