//! What a running server waits for, and how it ends.
//!
//! ```text
//! SIGHUP ────────────────▶ the configuration is read again, and everything goes on
//! SIGTERM, SIGINT ───────▶ drain ─▶ close ─▶ exit 0
//! a task of its own lost ─▶ drain ─▶ close ─▶ error: running calls still get their end, but somebody must look
//! the store has failed ───────────────────▶ error, at once, before and during a drain: nothing can be kept now
//! ```

use super::house::House;
use super::reload::Reloads;
use super::signals::Signals;
use smoother_core::ports::{BoxFuture, StoreError};

/// Runs until something ends the server, and ends it. `fatal` resolves if the store has to stop.
///
/// # Errors
/// Why it ended, if not because it was told to.
pub(crate) async fn attend(
    house: House,
    mut fatal: BoxFuture<'static, StoreError>,
    mut signals: Signals,
    mut reloads: Reloads,
) -> anyhow::Result<()> {
    let loss = house.loss();
    tokio::select! {
        name = signals.next() => {
            tracing::info!(signal = name, "stopping: nothing more is admitted, running calls finish");
        }
        lost = loss.first() => {
            tracing::error!(%lost, "stopping: a part of the server is gone; running calls finish");
        }
        error = &mut fatal => return Err(failed(error)),
        never = reloads.follow(&house) => match never {},
    }
    tokio::select! {
        closed = drain(house) => closed?,
        error = &mut fatal => return Err(failed(error)),
        name = signals.next() => anyhow::bail!("stopped by a second {name} before running calls had finished"),
    }
    match loss.known() {
        Some(lost) => Err(anyhow::Error::new(lost).context("the server had to stop")),
        None => Ok(()),
    }
}

async fn drain(house: House) -> anyhow::Result<()> {
    let left = house.drain().await;
    if left > 0 {
        tracing::warn!(
            calls = left,
            "still running after drain_timeout_ms; the next start calls them indeterminate"
        );
    }
    house.close().await
}

fn failed(error: StoreError) -> anyhow::Error {
    anyhow::Error::new(error).context("the store had to stop, and the server with it")
}
