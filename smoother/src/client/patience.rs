//! Bearing with a server that is away for a moment: restarting, or short of room.

use super::error::ClientError;
use std::time::{Duration, Instant};
use tokio::time::sleep;

/// How long passing failures in a row are borne.
#[derive(Debug, Clone)]
pub struct Patience {
    most: Duration,
    since: Option<Instant>,
    pause: Duration,
}

const FIRST: Duration = Duration::from_millis(200);
const LONGEST: Duration = Duration::from_secs(5);

impl Patience {
    /// For at most `most` without a success.
    pub const fn new(most: Duration) -> Self {
        Self {
            most,
            since: None,
            pause: FIRST,
        }
    }

    /// Runs out at once where the failure is final or has lasted too long; otherwise waits a little, as long as
    /// the server said or twice the last time.
    ///
    /// # Errors
    /// The failure itself.
    pub async fn bear(&mut self, error: ClientError) -> Result<(), ClientError> {
        let since = *self.since.get_or_insert_with(Instant::now);
        if !error.is_passing() || since.elapsed() >= self.most {
            return Err(error);
        }
        let pause = error.retry_after().unwrap_or(self.pause).min(self.most);
        self.pause = (self.pause * 2).min(LONGEST);
        sleep(pause).await;
        Ok(())
    }

    /// Something has succeeded: the next failure is the first again.
    pub const fn relieved(&mut self) {
        self.since = None;
        self.pause = FIRST;
    }
}
