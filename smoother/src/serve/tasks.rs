//! The server's own tasks. Each has to run for as long as the server does: one that ends before it is told to
//! leaves the server deaf on one ear, so its loss ends the server.

use std::fmt;
use std::sync::Arc;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// A task that ended before it was told to, by a panic or by itself.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0} has ended unexpectedly; the lines before this one say why")]
pub(crate) struct Lost(String);

/// Where the first loss is known, for everybody who has to act on it.
#[derive(Debug, Clone)]
pub(crate) struct Loss(Arc<watch::Sender<Option<Lost>>>);

impl Loss {
    pub(crate) fn none_yet() -> Self {
        Self(Arc::new(watch::Sender::new(None)))
    }

    /// The first task that was lost.
    pub(crate) fn known(&self) -> Option<Lost> {
        self.0.borrow().clone()
    }

    /// Resolves with the first task that is lost; never, while all run.
    pub(crate) async fn first(&self) -> Lost {
        let mut told = self.0.subscribe();
        loop {
            if let Some(lost) = told.borrow_and_update().clone() {
                return lost;
            }
            // The sender is `self`'s own, so there is always a next change to wait for.
            if told.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }

    fn report(&self, name: &str) {
        self.0.send_if_modified(|first| {
            let is_first = first.is_none();
            first.get_or_insert_with(|| Lost(name.to_owned()));
            is_first
        });
    }
}

/// Tasks that are stopped together.
pub(crate) struct Tasks {
    running: TaskTracker,
    stop: CancellationToken,
    loss: Loss,
    #[cfg(test)]
    handles: std::sync::Mutex<Vec<(String, tokio::task::AbortHandle)>>,
}

impl Tasks {
    /// None yet; whoever of them is lost is told to `loss`.
    pub(crate) fn new(loss: Loss) -> Self {
        Self {
            running: TaskTracker::new(),
            stop: CancellationToken::new(),
            loss,
            #[cfg(test)]
            handles: std::sync::Mutex::default(),
        }
    }

    /// What tells a task to end.
    pub(crate) fn stop_token(&self) -> CancellationToken {
        self.stop.clone()
    }

    /// Starts a task that must run until the token says stop. `name` is what a person reads of it.
    pub(crate) fn start(&self, name: impl fmt::Display, task: impl Future<Output = ()> + Send + 'static) {
        let duty = Duty {
            name: name.to_string(),
            stop: self.stop.clone(),
            loss: self.loss.clone(),
        };
        let handle = self.running.spawn(async move {
            let _duty = duty;
            task.await;
        });
        #[cfg(test)]
        self.handles
            .lock()
            .unwrap()
            .push((name.to_string(), handle.abort_handle()));
        drop(handle);
    }

    /// Tells all to stop, and waits until they have.
    pub(crate) async fn stop(&self) {
        self.stop.cancel();
        self.running.close();
        self.running.wait().await;
    }

    /// Names of all there are, and a way to end each as a panic would.
    #[cfg(test)]
    pub(crate) fn handles(&self) -> Vec<(String, tokio::task::AbortHandle)> {
        self.handles.lock().unwrap().clone()
    }
}

/// Held by a task for as long as it lives: however it ends, this is dropped.
struct Duty {
    name: String,
    stop: CancellationToken,
    loss: Loss,
}

impl Drop for Duty {
    fn drop(&mut self) {
        if std::thread::panicking() || !self.stop.is_cancelled() {
            self.loss.report(&self.name);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;
    use tokio::time::timeout;

    #[tokio::test]
    async fn a_task_that_ends_by_itself_or_by_a_panic_is_lost() {
        let loss = Loss::none_yet();
        Tasks::new(loss.clone()).start("the early one", async {});
        let first = timeout(Duration::from_secs(20), loss.first()).await;
        assert_eq!(first, Ok(Lost("the early one".to_owned())));

        let loss = Loss::none_yet();
        let tasks = Tasks::new(loss.clone());
        let stop = tasks.stop_token();
        tasks.start("the broken one", async move {
            stop.cancelled().await;
            panic!("told to stop, and breaks");
        });
        assert_eq!(loss.known(), None);
        tasks.stop().await;
        assert_eq!(loss.known(), Some(Lost("the broken one".to_owned())));
    }

    #[tokio::test]
    async fn a_task_that_stops_when_told_is_not_and_only_the_first_loss_counts() {
        let loss = Loss::none_yet();
        let tasks = Tasks::new(loss.clone());
        let stop = tasks.stop_token();
        tasks.start("the good one", async move { stop.cancelled().await });
        tasks.stop().await;
        assert_eq!(loss.known(), None);
        loss.report("a");
        loss.report("b");
        assert_eq!(loss.known(), Some(Lost("a".to_owned())));
    }
}
