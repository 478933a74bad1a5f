use smoother_core::ports::{BoxFuture, Live, Reader, Update};
use smoother_core::{RequestId, Rev};
use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use tokio::sync::watch;

/// Per-request logs that live as long as the test.
#[derive(Default)]
pub(crate) struct Logs(Mutex<HashMap<RequestId, Arc<Log>>>);

struct Log {
    state: Mutex<LogState>,
    changed: watch::Sender<()>,
    aborted: watch::Sender<bool>,
}

#[derive(Default)]
struct LogState {
    updates: Vec<Update>,
    last_call: usize,
    readers: usize,
    ended: bool,
}

impl Logs {
    fn log(&self, id: RequestId) -> Arc<Log> {
        let fresh = || {
            Arc::new(Log {
                state: Mutex::default(),
                changed: watch::channel(()).0,
                aborted: watch::channel(false).0,
            })
        };
        Arc::clone(self.0.lock().unwrap().entry(id).or_insert_with(fresh))
    }

    pub(crate) fn was_aborted(&self, id: RequestId) -> bool {
        *self.log(id).aborted.borrow()
    }

    /// Resolves once a request has this many readers.
    pub(crate) async fn readers_are(&self, id: RequestId, count: usize) {
        let log = self.log(id);
        let mut changed = log.changed.subscribe();
        while log.state.lock().unwrap().readers != count {
            changed.changed().await.unwrap();
        }
    }
}

impl Live for Logs {
    fn publish(&self, id: RequestId, update: Update) {
        let log = self.log(id);
        let mut state = log.state.lock().unwrap();
        if state.ended {
            return;
        }
        match update {
            Update::Call(_) => state.last_call = state.updates.len(),
            Update::Ended(_) => state.ended = true,
            _ => {}
        }
        state.updates.push(update);
        drop(state);
        log.changed.send_replace(());
    }

    fn reopen(&self, id: RequestId, _: Rev) {
        self.0.lock().unwrap().remove(&id);
    }

    fn subscribe(&self, id: RequestId) -> Box<dyn Reader> {
        let log = self.log(id);
        log.state.lock().unwrap().readers += 1;
        log.changed.send_replace(());
        let changed = log.changed.subscribe();
        Box::new(LogReader {
            log,
            changed,
            at: 0,
            done: false,
        })
    }

    fn readers(&self, id: RequestId) -> usize {
        self.log(id).state.lock().unwrap().readers
    }

    fn abort(&self, id: RequestId) {
        self.log(id).aborted.send_replace(true);
    }

    fn aborted(&self, id: RequestId) -> BoxFuture<'static, ()> {
        let mut aborted = self.log(id).aborted.subscribe();
        Box::pin(async move {
            aborted.wait_for(|aborted| *aborted).await.unwrap();
        })
    }
}

struct LogReader {
    log: Arc<Log>,
    changed: watch::Receiver<()>,
    at: usize,
    done: bool,
}

impl Reader for LogReader {
    fn next(&mut self) -> BoxFuture<'_, Option<Update>> {
        Box::pin(async move {
            while !self.done {
                {
                    let state = self.log.state.lock().unwrap();
                    self.at = self.at.max(state.last_call);
                    if let Some(update) = state.updates.get(self.at) {
                        self.at += 1;
                        self.done = matches!(update, Update::Ended(_));
                        return Some(update.clone());
                    }
                }
                self.changed.changed().await.unwrap();
            }
            None
        })
    }
}

impl Drop for LogReader {
    fn drop(&mut self) {
        self.log.state.lock().unwrap().readers -= 1;
        self.log.changed.send_replace(());
    }
}
