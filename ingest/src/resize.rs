//! Requests that came before it was known what their answers need get their size while they wait.
//!
//! A backlog that was priced at 64,000 tokens of output each would else keep the lane busy for as long as it lasts, while
//! a few dozen answers have shown that 700 would do. Kept are ids alone; whether one still waits, and where, its row says.

use crate::ingest::Ingest;
use futures_util::future::join_all;
use smoother_core::estimate::OutputKey;
use smoother_core::ports::ChangeError;
use smoother_core::scheduler::{Event, Waiting};
use smoother_core::{Change, Request, RequestId};
use std::collections::HashMap;
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
    by_key: HashMap<OutputKey, Vec<RequestId>>,
    count: usize,
}

impl Unsized {
    /// Takes note of a request, if it is one.
    pub(crate) fn note(&self, request: &Request) {
        if request.right_size.is_none() || request.is_right_sized() || request.is_rerun() {
            return;
        }
        let mut ids = self.lock();
        if ids.count < MOST {
            ids.count += 1;
            ids.by_key
                .entry(OutputKey::of(request))
                .or_default()
                .push(request.id);
        }
    }

    fn has(&self, key: &OutputKey) -> bool {
        self.lock().by_key.contains_key(key)
    }

    fn take(&self, key: &OutputKey) -> Vec<RequestId> {
        let mut ids = self.lock();
        let taken = ids.by_key.remove(key).unwrap_or_default();
        ids.count = ids.count.saturating_sub(taken.len());
        taken
    }

    fn lock(&self) -> MutexGuard<'_, Ids> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ingest {
    /// After an answer to `request`: resizes those like it that wait, as soon as their size is known.
    pub(crate) fn resize_like(self: &Arc<Self>, request: &Request) {
        let key = OutputKey::of(request);
        if !self.unsized_ones.has(&key) || !self.learned.knows_size_of(request) {
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
        // One that cannot be read goes as it came.
        let Ok(Some(row)) = self.ports.store.get(id).await else {
            return;
        };
        let sized = self
            .learned
            .right_sized(row.model_to_call(), &row.tenant, &row.estimate);
        let Some(sized) = sized else { return };
        let change = Change::Resize {
            lane: row.lane,
            max_output: sized.max_output,
        };
        match self.ports.store.change(id, change).await {
            // The lane hears of it when the row says so: released for less before, it would be sent with more.
            Ok(row) => self.reprice(&row).await,
            Err(ChangeError::Refused(why)) => tracing::debug!(request = %id, %why, "not resized"),
            Err(error) => tracing::warn!(request = %id, %error, "a waiting request could not be resized"),
        }
    }

    async fn reprice(&self, row: &Request) {
        let settings = self.settings();
        let Some(lane) = settings.routes.lanes().get(&row.lane) else {
            return;
        };
        let waiting = Waiting::priced(row, lane.output_burndown);
        let event = Event::Resized {
            request: row.id,
            reserve: waiting.reserve,
            expected: waiting.expected,
            surplus: waiting.surplus,
        };
        if let Err(error) = self.ports.lanes.send(&row.lane, event).await {
            tracing::debug!(request = %row.id, %error, "a lane was not told of a smaller size; it reserves the larger");
        }
    }
}
