//! Requests that came before it was known what their answers need get their size while they wait.
//!
//! A backlog that was priced at 64,000 tokens of output each would else keep the lane busy for as long as it lasts, while
//! a few dozen answers have shown that 700 would do. Kept are ids alone; whether one still waits, and where, its row says.

use crate::ingest::Ingest;
use futures_util::future::join_all;
use smoother_core::estimate::OutputKey;
use smoother_core::ports::{ChangeError, LaneQueue, Store};
use smoother_core::scheduler::{Event, Waiting};
use smoother_core::{Change, Request, RequestId, Tokens};
use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Ids kept at most; a request beyond them goes as it came.
const MOST: usize = 100_000;
/// Rows changed at once.
const AT_ONCE: usize = 256;

/// Requests that may be sent right-sized and were accepted when their size was not known.
#[derive(Debug, Default)]
pub(crate) struct Unsized(Mutex<Ids>);

#[derive(Debug, Default)]
struct Ids {
    by_key: HashMap<Arc<OutputKey>, BTreeSet<RequestId>>,
    /// Under which key each stands: what a request goes on with may change its own.
    keys: HashMap<RequestId, Arc<OutputKey>>,
}

impl Unsized {
    /// Takes note of a request that waits.
    fn note(&self, request: &Request) {
        let mut ids = self.lock();
        if ids.keys.len() >= MOST {
            return;
        }
        let key = OutputKey::of(request);
        let known = ids.by_key.get_key_value(&key);
        let key = known.map_or_else(|| Arc::new(key), |(known, _)| Arc::clone(known));
        if let Some(old) = ids.keys.insert(request.id, Arc::clone(&key)) {
            ids.leave(&old, request.id);
        }
        ids.by_key.entry(key).or_default().insert(request.id);
    }

    /// It waits no more.
    pub(crate) fn forget(&self, id: RequestId) {
        let mut ids = self.lock();
        if let Some(key) = ids.keys.remove(&id) {
            ids.leave(&key, id);
        }
    }

    fn has(&self, key: &OutputKey) -> bool {
        self.lock().by_key.contains_key(key)
    }

    /// Those under a key, the first to come first.
    fn take(&self, key: &OutputKey) -> Vec<RequestId> {
        let mut ids = self.lock();
        let taken = ids.by_key.remove(key).unwrap_or_default();
        for id in &taken {
            ids.keys.remove(id);
        }
        taken.into_iter().collect()
    }

    #[cfg(test)]
    pub(crate) fn count(&self) -> usize {
        self.lock().keys.len()
    }

    fn lock(&self) -> MutexGuard<'_, Ids> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ids {
    fn leave(&mut self, key: &Arc<OutputKey>, id: RequestId) {
        if let Some(ids) = self.by_key.get_mut(key) {
            ids.remove(&id);
            if ids.is_empty() {
                self.by_key.remove(key);
            }
        }
    }
}

impl Ingest {
    /// Takes note of a request that comes or was found waiting, if it may be right-sized and is not: what its answers need
    /// is still to be learned, or was learned since it came.
    pub(crate) fn note_unsized(&self, request: &Request) {
        // Where ends come to other processes, those look through what waits.
        if !may_be_resized(request) || self.ports.outputs.is_some() {
            return;
        }
        let sized = self
            .learned
            .right_sized(request.model_to_call(), &request.tenant, &request.estimate);
        if sized.is_some() || !self.learned.knows_enough_of(request) {
            self.unsized_ones.note(request);
        }
    }

    /// After an answer to `request`: resizes those like it that wait, as soon as their size is known; where none is smaller
    /// than what their callers allow, they go as they came.
    pub(crate) fn resize_like(self: &Arc<Self>, request: &Request) {
        let key = OutputKey::of(request);
        if !self.unsized_ones.has(&key) || !self.learned.knows_enough_of(request) {
            return;
        }
        let (ingest, ids) = (Arc::clone(self), self.unsized_ones.take(&key));
        self.tasks.spawn(async move {
            for some in ids.chunks(AT_ONCE) {
                join_all(some.iter().map(|id| ingest.resize(*id))).await;
            }
        });
    }

    async fn resize(&self, id: RequestId) {
        let size = |row: &Request| {
            let sized = self
                .learned
                .right_sized(row.model_to_call(), &row.tenant, &row.estimate);
            sized.map(|sized| sized.max_output)
        };
        let store = &*self.ports.store;
        let Some(row) = resize(store, id, size).await else {
            return;
        };
        let settings = self.settings();
        if let Some(lane) = settings.routes.lanes().get(&row.lane) {
            reprice(&*self.ports.lanes, &row, lane.output_burndown).await;
        }
    }
}

/// Gives a request that waits the `size` of its row, if that is smaller than what it goes with; the row as it is then.
///
/// Its lane is to hear of it only now ([`reprice`]): released for less before, it would be sent with more.
pub(crate) async fn resize(
    store: &dyn Store,
    id: RequestId,
    size: impl Fn(&Request) -> Option<Tokens>,
) -> Option<Request> {
    // One that cannot be read goes as it came.
    let row = store.get(id).await.ok()??;
    let max_output = size(&row).filter(|_| may_be_resized(&row))?;
    let lane = row.lane.clone();
    match store.change(id, Change::Resize { lane, max_output }).await {
        Ok(row) => return Some(row),
        Err(ChangeError::Refused(why)) => tracing::debug!(request = %id, %why, "not resized"),
        Err(error) => tracing::warn!(request = %id, %error, "a waiting request could not be resized"),
    }
    None
}

/// Tells a request's lane what it costs now.
pub(crate) async fn reprice(lanes: &dyn LaneQueue, row: &Request, burndown: u64) {
    let waiting = Waiting::priced(row, burndown);
    let event = Event::Resized {
        request: row.id,
        last_call: waiting.last_call,
        reserve: waiting.reserve,
        expected: waiting.expected,
        surplus: waiting.surplus,
    };
    if let Err(error) = lanes.send(&row.lane, event).await {
        tracing::debug!(request = %row.id, %error, "a lane was not told of a smaller size; it reserves the larger");
    }
}

/// Whether its caller agreed to a smaller max_tokens, and it has had none yet.
fn may_be_resized(row: &Request) -> bool {
    row.right_size.is_some() && !row.is_right_sized() && !row.is_rerun()
}
