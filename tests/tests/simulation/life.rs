//! Whether a process, or a part of it, lives, stands still, or is gone.

use smoother_core::ports::Pending;
use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// One part's life. Clones share it.
#[derive(Debug, Clone)]
pub struct Life {
    gone: CancellationToken,
    still: Arc<Stillness>,
}

/// Wakes in the order of waiting; tokio's `watch` wakes by chance, which no seed replays.
#[derive(Debug, Default)]
struct Stillness {
    still: AtomicBool,
    bell: Notify,
}

impl Life {
    pub fn new() -> Self {
        Self {
            gone: CancellationToken::new(),
            still: Arc::default(),
        }
    }

    /// Nothing it began or begins is ever answered.
    pub fn end(&self) {
        self.gone.cancel();
    }

    pub fn is_over(&self) -> bool {
        self.gone.is_cancelled()
    }

    pub async fn gone(&self) {
        self.gone.cancelled().await;
    }

    /// Stands still, or goes on.
    pub fn stand_still(&self, still: bool) {
        self.still.still.store(still, Ordering::SeqCst);
        self.still.bell.notify_waiters();
    }

    fn is_still(&self) -> bool {
        self.still.still.load(Ordering::SeqCst)
    }

    /// Resolves when it may go on; never, once it is gone.
    pub async fn may_go_on(&self) {
        while self.is_still() {
            // Nothing else runs between the look and the wait.
            self.still.bell.notified().await;
        }
        if self.is_over() {
            pending::<()>().await;
        }
    }

    /// Begins something at this moment, if it may, and is given the outcome when it may be.
    pub fn begin<T: Send + 'static>(
        &self,
        begin: impl FnOnce() -> Pending<T> + Send + 'static,
    ) -> Pending<T> {
        if self.is_over() {
            return Box::pin(pending());
        }
        let life = self.clone();
        if self.is_still() {
            return Box::pin(async move {
                life.may_go_on().await;
                life.of(begin()).await
            });
        }
        let begun = begin();
        Box::pin(async move { life.of(begun).await })
    }

    /// What comes of it while it lives; it is dropped with this life.
    pub async fn of<T>(&self, work: impl Future<Output = T>) -> T {
        let done = tokio::select! {
            biased;
            () = self.gone() => None,
            done = work => Some(done),
        };
        match done {
            Some(done) => {
                self.may_go_on().await;
                done
            }
            None => pending().await,
        }
    }
}
