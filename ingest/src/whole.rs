//! Work that a caller begins and cannot break off.
//!
//! A server drops what it does for a caller as soon as the caller's connection is gone. Between a durable write
//! and the word to the lane that must not happen: the request would be stored and in nobody's queue, and whoever
//! comes with the same key would join a request that nobody serves.

use std::panic::resume_unwind;

/// Runs `work` to its end, whether or not somebody still waits here for what comes of it.
pub(crate) async fn whole<T: Send + 'static>(work: impl Future<Output = T> + Send + 'static) -> T {
    match tokio::spawn(work).await {
        Ok(done) => done,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => resume_unwind(panic),
            // The runtime is going down, and whoever waits here with it.
            Err(_) => std::future::pending().await,
        },
    }
}
