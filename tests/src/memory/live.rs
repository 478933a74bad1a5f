//! The port `Live`, in its plainest form: one lock, whole logs, every reader looking anew at each ring.

use super::lock;
use smoother_core::ports::{BoxFuture, Ended, Live, Reader, Update};
use smoother_core::{RequestId, Rev, State};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use tokio::sync::Notify;

/// What requests are doing, in one process. Clones share their logs.
#[derive(Debug, Clone, Default)]
pub struct MemoryLive(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    logs: Mutex<BTreeMap<RequestId, Log>>,
    bell: Notify,
}

/// One request's log. Logs are kept to the end of the process: a simulation ends before they grow too many.
#[derive(Debug, Default)]
struct Log {
    resets: u64,
    updates: Vec<Update>,
    ended: bool,
    aborted: bool,
    withheld: Option<Update>,
    readers: usize,
    runners: usize,
    /// An end of an earlier version is no news: the request was sent on its way again.
    from: Rev,
    /// The end was told and nobody was there any more: whoever comes now finds nothing.
    gone: bool,
}

impl Log {
    fn is_used(&self) -> bool {
        self.readers > 0 || self.runners > 0 || !self.updates.is_empty()
    }

    fn append(&mut self, update: Update) {
        let is_old = matches!(&update, Update::Ended(end) if end.request.rev < self.from);
        if self.ended || self.gone || is_old {
            return;
        }
        match &update {
            Update::Call(_) => {
                self.resets += 1;
                self.updates = vec![update];
            }
            Update::Ended(end) if self.runners > 0 && lacks_result(end) => self.withheld = Some(update),
            Update::Ended(_) | Update::NotStored(_) => {
                self.updates.push(update);
                self.ended = true;
            }
            _ => self.updates.push(update),
        }
        self.tidy();
    }

    fn tidy(&mut self) {
        if self.runners == 0
            && !self.ended
            && let Some(end) = self.withheld.take()
        {
            self.updates.push(end);
            self.ended = true;
        }
        if self.ended && self.readers == 0 && self.runners == 0 {
            self.gone = true;
            self.ended = false;
            self.updates.clear();
        }
    }
}

/// Whether there is a result that whoever tells this end does not have at hand.
fn lacks_result(end: &Ended) -> bool {
    end.result.is_none() && end.request.state == State::Completed
}

impl MemoryLive {
    fn with<T>(&self, id: RequestId, f: impl FnOnce(&mut Log) -> T) -> T {
        let out = f(lock(&self.0.logs).entry(id).or_default());
        self.0.bell.notify_waiters();
        out
    }

    fn look<T>(&self, id: RequestId, f: impl FnOnce(&Log) -> T) -> T {
        f(lock(&self.0.logs).entry(id).or_default())
    }
}

impl Live for MemoryLive {
    fn publish(&self, id: RequestId, update: Update) {
        self.with(id, |log| log.append(update));
    }

    fn reopen(&self, id: RequestId, rev: Rev) {
        self.with(id, |log| {
            let (readers, runners, resets) = (log.readers, log.runners, log.resets + 1);
            *log = Log {
                readers,
                runners,
                resets,
                from: rev,
                ..Log::default()
            };
        });
    }

    fn subscribe(&self, id: RequestId) -> Box<dyn Reader> {
        self.with(id, |log| log.readers += 1);
        Box::new(MemoryReader {
            live: self.clone(),
            id,
            resets: 0,
            index: 0,
        })
    }

    fn readers(&self, id: RequestId) -> usize {
        self.look(id, |log| log.readers)
    }

    fn abort(&self, id: RequestId) {
        self.with(id, |log| log.aborted |= log.is_used());
    }

    fn aborted(&self, id: RequestId) -> BoxFuture<'static, ()> {
        self.with(id, |log| log.runners += 1);
        let runner = Runner {
            live: self.clone(),
            id,
        };
        Box::pin(async move { runner.stopped().await })
    }
}

/// One reader's place.
struct MemoryReader {
    live: MemoryLive,
    id: RequestId,
    resets: u64,
    index: usize,
}

impl MemoryReader {
    /// What is next: an update, the end, or nothing yet.
    fn read(&mut self) -> Option<Option<Update>> {
        let (live, id) = (self.live.clone(), self.id);
        live.look(id, |log| {
            if self.resets != log.resets {
                (self.resets, self.index) = (log.resets, 0);
            }
            match log.updates.get(self.index) {
                Some(update) => {
                    self.index += 1;
                    Some(Some(update.clone()))
                }
                None => log.ended.then_some(None),
            }
        })
    }
}

impl Reader for MemoryReader {
    fn next(&mut self) -> BoxFuture<'_, Option<Update>> {
        Box::pin(async move {
            let live = self.live.clone();
            loop {
                let mut rung = std::pin::pin!(live.0.bell.notified());
                rung.as_mut().enable();
                if let Some(found) = self.read() {
                    return found;
                }
                rung.await;
            }
        })
    }
}

impl Drop for MemoryReader {
    fn drop(&mut self) {
        self.live.with(self.id, |log| {
            log.readers = log.readers.saturating_sub(1);
            log.tidy();
        });
    }
}

/// The runner's place.
struct Runner {
    live: MemoryLive,
    id: RequestId,
}

impl Runner {
    async fn stopped(&self) {
        loop {
            let mut rung = std::pin::pin!(self.live.0.bell.notified());
            rung.as_mut().enable();
            if self.live.look(self.id, |log| {
                log.aborted || log.ended || log.gone || log.withheld.is_some()
            }) {
                return;
            }
            rung.await;
        }
    }
}

impl Drop for Runner {
    fn drop(&mut self) {
        self.live.with(self.id, |log| {
            log.runners = log.runners.saturating_sub(1);
            log.tidy();
        });
    }
}
