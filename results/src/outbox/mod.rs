//! Telling terminal states, at least once each.
//!
//! Every listener follows the outbox at its own pace, from a place of its own: one that fails is tried again with
//! backoff and holds nobody else back. An entry leaves the outbox when the slowest listener has it, so a crash
//! can tell twice but never swallow. The first listener is this process's own: readers on `Live`, and metrics.

mod announce;
mod follow;
mod notify;
mod push;

pub use notify::{Notify, NotifyError};

use crate::service::Results;
use announce::Announce;
use follow::{Backoff, follow};
use futures_util::future::join_all;
use std::sync::Arc;
use tokio::sync::watch;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

impl Results {
    /// Tells terminal states until `shutdown`, then marks what was told and returns. Stop the workers first:
    /// what they end after `shutdown` is told by the next process.
    pub async fn run_outbox(self: Arc<Self>, shutdown: CancellationToken) {
        let own: Arc<dyn Notify> = Arc::new(Announce::new(Arc::clone(&self.ports.live)));
        let listeners = std::iter::once(own).chain(self.config.hooks.iter().cloned());
        let (followers, places): (Vec<_>, Vec<_>) = listeners
            .map(|listener| {
                let (at, place) = watch::channel(0);
                let outbox = Arc::clone(&self.ports.outbox);
                let batch = self.config.outbox_batch.max(1);
                let stop = shutdown.clone();
                (
                    async move { follow(&*outbox, &*listener, batch, &at, &stop).await },
                    place,
                )
            })
            .unzip();
        let marked = tokio::join!(join_all(followers), self.mark(&places, &shutdown)).1;
        let last = slowest(&places);
        if last > marked
            && let Err(error) = self.ports.outbox.told(last).await
        {
            tracing::warn!(%error, "told states could not be marked; the next process tells them again");
        }
    }

    /// Marks what all listeners have, at most once every `mark_every`; answers the last place marked.
    async fn mark(&self, places: &[watch::Receiver<u64>], shutdown: &CancellationToken) -> u64 {
        let mut places = places.to_vec();
        let mut backoff = Backoff::new();
        let mut marked = 0;
        loop {
            let pause = backoff.take().unwrap_or(self.config.mark_every);
            tokio::select! {
                biased;
                () = shutdown.cancelled() => return marked,
                () = moved(&mut places, marked) => {}
            }
            tokio::select! {
                biased;
                () = shutdown.cancelled() => return marked,
                () = sleep(pause.into()) => {}
            }
            let last = slowest(&places);
            match self.ports.outbox.told(last).await {
                Ok(()) => {
                    marked = last;
                    backoff = Backoff::new();
                }
                Err(error) => {
                    tracing::warn!(%error, up_to = last, "told states could not be marked; trying again");
                    backoff.grow();
                }
            }
        }
    }
}

/// How far the slowest listener is.
fn slowest(places: &[watch::Receiver<u64>]) -> u64 {
    places.iter().map(|place| *place.borrow()).min().unwrap_or(0)
}

/// Resolves once every listener is past `marked`.
async fn moved(places: &mut [watch::Receiver<u64>], marked: u64) {
    for place in places {
        // An error means that its follower has ended, which happens at shutdown only: then nothing moves again.
        if place.wait_for(|at| *at > marked).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}
