//! What requests are doing, in memory: one log per request, read by any number of readers at their own pace.
//!
//! A log is made by its first subscriber or update. It goes away once its end was published and nobody reads
//! it, or, if nothing was ever published, with its last reader. The ids of logs that ended lately are
//! remembered, so that an update which comes after the end is dropped instead of making a log that nobody
//! would ever end. A request that is sent on its way again after its end gets a log of its own for what follows.

mod log;
mod reader;
mod recent;
#[cfg(test)]
mod tests;

use crate::lock;
use log::{Log, Role};
use reader::LogReader;
use recent::Recent;
use smoother_core::ports::{BoxFuture, Live, Reader, Update};
use smoother_core::{RequestId, Rev};
use std::collections::HashMap;
use std::future::ready;
use std::sync::{Arc, Mutex};

/// How many ended requests are remembered.
const REMEMBERED: usize = 4096;

/// The log of what requests are doing.
#[derive(Debug, Clone, Default)]
pub struct Hub {
    logs: Arc<Mutex<Logs>>,
}

#[derive(Debug, Default)]
struct Logs {
    open: HashMap<RequestId, Arc<Log>>,
    ended: Recent,
    /// Requests on their way again, with the version from which on what is told of them is news.
    reopened: HashMap<RequestId, Rev>,
}

impl Logs {
    /// Whether the update tells an end that its request has left behind.
    fn is_of_before(&mut self, id: RequestId, update: &Update) -> bool {
        let Update::Ended(end) = update else { return false };
        match self.reopened.get(&id) {
            Some(from) if end.request.rev < *from => true,
            Some(_) => {
                self.reopened.remove(&id);
                false
            }
            None => false,
        }
    }
}

impl Hub {
    /// No logs yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// How many logs there are; 0 when nothing runs and nobody reads.
    pub fn len(&self) -> usize {
        lock(&self.logs).open.len()
    }

    /// Whether there is no log at all.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The request's log, made if need be, with one more user in `role`.
    fn join(&self, id: RequestId, role: Role) -> Arc<Log> {
        let mut logs = lock(&self.logs);
        // A log made after the end serves only its readers: it goes with the last of them.
        let late = logs.ended.contains(&id);
        let log = logs.open.entry(id).or_insert_with(|| Arc::new(Log::new(late)));
        log.join(role);
        Arc::clone(log)
    }

    /// One user in `role` less.
    fn leave(&self, id: RequestId, log: &Log, role: Role) {
        let mut logs = lock(&self.logs);
        // The request may have another log by now.
        let current = logs.open.get(&id).is_some_and(|open| std::ptr::eq(&**open, log));
        if log.leave(role) && current {
            logs.open.remove(&id);
        }
    }
}

impl Live for Hub {
    fn publish(&self, id: RequestId, update: Update) {
        let ends = matches!(update, Update::Ended(_) | Update::NotStored(_));
        let mut logs = lock(&self.logs);
        if logs.is_of_before(id, &update) {
            return;
        }
        let known = logs.open.get(&id).cloned();
        if ends {
            logs.ended.remember(id);
        }
        match known {
            Some(log) => {
                log.append(update);
                if log.is_over() {
                    logs.open.remove(&id);
                }
            }
            None if ends || logs.ended.contains(&id) => {}
            None => {
                let log = Arc::new(Log::new(false));
                log.append(update);
                logs.open.insert(id, log);
            }
        }
    }

    fn reopen(&self, id: RequestId, rev: Rev) {
        let mut logs = lock(&self.logs);
        // Whoever still reads the old log reads it to its end; one whose end was never told goes on.
        if logs.open.get(&id).is_some_and(|log| log.is_of_an_end()) {
            logs.open.remove(&id);
        }
        logs.ended.forget(&id);
        logs.reopened.insert(id, rev);
    }

    fn subscribe(&self, id: RequestId) -> Box<dyn Reader> {
        let log = self.join(id, Role::Reader);
        Box::new(LogReader::new(self.clone(), id, log))
    }

    fn readers(&self, id: RequestId) -> usize {
        lock(&self.logs).open.get(&id).map_or(0, |log| log.readers())
    }

    fn abort(&self, id: RequestId) {
        if let Some(log) = lock(&self.logs).open.get(&id) {
            log.abort();
        }
    }

    fn aborted(&self, id: RequestId) -> BoxFuture<'static, ()> {
        {
            let logs = lock(&self.logs);
            if !logs.open.contains_key(&id) && logs.ended.contains(&id) {
                return Box::pin(ready(()));
            }
        }
        let log = self.join(id, Role::Runner);
        let seat = Seat {
            hub: self.clone(),
            id,
            log,
            role: Role::Runner,
        };
        Box::pin(async move { seat.log.stopped().await })
    }
}

/// A place at a log, given back when dropped.
#[derive(Debug)]
struct Seat {
    hub: Hub,
    id: RequestId,
    log: Arc<Log>,
    role: Role,
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.hub.leave(self.id, &self.log, self.role);
    }
}
