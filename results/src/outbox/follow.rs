//! One listener's way through the outbox.

use super::notify::Notify;
use smoother_core::Millis;
use smoother_core::ports::{Outbox, OutboxEntry};
use tokio::sync::watch;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

/// Gives `listener` every entry in order until `shutdown`; `at` is the last one it has taken.
pub async fn follow(
    outbox: &dyn Outbox,
    listener: &dyn Notify,
    batch: usize,
    at: &watch::Sender<u64>,
    shutdown: &CancellationToken,
) {
    let mut backoff = Backoff::new();
    loop {
        let after = *at.borrow();
        let entries = tokio::select! {
            biased;
            () = shutdown.cancelled() => return,
            entries = outbox.next(after, batch) => entries,
        };
        let failed = match entries {
            Ok(entries) => give(listener, &entries, at).await,
            Err(error) => Err(error.to_string()),
        };
        let Err(error) = failed else {
            backoff = Backoff::new();
            continue;
        };
        let pause = backoff.grow();
        tracing::warn!(
            listener = listener.name(), %error, again_in = %pause, "terminal states could not be told"
        );
        tokio::select! {
            biased;
            () = shutdown.cancelled() => return,
            () = sleep(pause.into()) => {}
        }
    }
}

async fn give(listener: &dyn Notify, entries: &[OutboxEntry], at: &watch::Sender<u64>) -> Result<(), String> {
    for entry in entries {
        listener.ended(entry).await.map_err(|e| e.to_string())?;
        at.send_replace(entry.seq);
    }
    Ok(())
}

/// Doubling pauses from 100 ms to 10 s.
pub struct Backoff {
    pause: Option<Millis>,
}

impl Backoff {
    const FIRST: Millis = Millis::new(100);
    const MOST: Millis = Millis::from_secs(10);

    pub const fn new() -> Self {
        Self { pause: None }
    }

    /// The next pause, twice the last.
    pub fn grow(&mut self) -> Millis {
        let next = self
            .pause
            .map_or(Self::FIRST, |p| Millis::new(p.get() * 2).min(Self::MOST));
        self.pause = Some(next);
        next
    }

    /// The present pause; none before the first failure.
    pub const fn take(&self) -> Option<Millis> {
        self.pause
    }
}
