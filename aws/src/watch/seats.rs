//! Who in this process has to do with a watched request.

use smoother_core::RequestId;
use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// What somebody has to do with a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// Waits for it.
    Reader,
    /// Runs its call.
    Runner,
}

/// One watched request's counts; told apart from a later watch of the same request by its address.
#[derive(Debug, Default)]
pub(super) struct Watched {
    readers: AtomicUsize,
    runners: AtomicUsize,
    /// Somebody came or went, so that another pause may be right.
    changed: Notify,
}

impl Watched {
    fn count(&self, role: Role) -> &AtomicUsize {
        match role {
            Role::Reader => &self.readers,
            Role::Runner => &self.runners,
        }
    }

    /// Whether somebody waits here for what happens elsewhere. What happens in a call that runs here is told here.
    fn is_urgent(&self) -> bool {
        let [readers, runners] =
            [Role::Reader, Role::Runner].map(|role| self.count(role).load(Ordering::SeqCst));
        readers > 0 && runners == 0
    }

    /// Resolves once somebody has come or gone since this was last asked.
    pub(super) async fn changed(&self) {
        self.changed.notified().await;
    }

    fn is_left(&self) -> bool {
        [Role::Reader, Role::Runner].map(|role| self.count(role).load(Ordering::SeqCst)) == [0, 0]
    }
}

/// A place at a watched request, given back when dropped.
#[derive(Debug)]
pub(super) struct Seat {
    watched: Arc<Watched>,
    role: Role,
}

impl Seat {
    pub(super) fn watched(&self) -> Arc<Watched> {
        Arc::clone(&self.watched)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.watched.count(self.role).fetch_sub(1, Ordering::SeqCst);
        self.watched.changed.notify_one();
    }
}

/// The requests that are watched.
#[derive(Debug, Default)]
pub(super) struct Seats(Mutex<HashMap<RequestId, Arc<Watched>>>);

impl Seats {
    /// A seat; whether the request is not watched yet.
    pub(super) fn join(&self, id: RequestId, role: Role) -> (Seat, bool) {
        let mut open = self.lock();
        let first = !open.contains_key(&id);
        let watched = Arc::clone(open.entry(id).or_default());
        // Under the lock: a watch that is just giving up sees it, or is seen to be gone.
        watched.count(role).fetch_add(1, Ordering::SeqCst);
        if !first {
            watched.changed.notify_one();
        }
        (Seat { watched, role }, first)
    }

    /// Whether this watch has to look again, and if so whether soon. It is over once it need not.
    pub(super) fn look_again(&self, id: RequestId, watched: &Arc<Watched>) -> Option<bool> {
        let mut open = self.lock();
        if !open.get(&id).is_some_and(|open| Arc::ptr_eq(open, watched)) {
            return None;
        }
        if watched.is_left() {
            open.remove(&id);
            return None;
        }
        Some(watched.is_urgent())
    }

    /// Whether the watch is still the request's.
    pub(super) fn is_open(&self, id: RequestId, watched: &Arc<Watched>) -> bool {
        self.lock()
            .get(&id)
            .is_some_and(|open| Arc::ptr_eq(open, watched))
    }

    /// The end was told: nothing is left to look for. Whoever comes later is watched for anew.
    pub(super) fn close(&self, id: RequestId) {
        self.lock().remove(&id);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<RequestId, Arc<Watched>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
