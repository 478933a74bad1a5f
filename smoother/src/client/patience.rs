//! Bearing with a server that is away for a moment: restarting, or short of room.

use super::error::ClientError;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::time::sleep;

/// Who is told that the server is waited for: why, and for how long at most.
pub type Teller = Arc<dyn Fn(&ClientError, Duration) + Send + Sync>;

/// How long passing failures in a row are borne.
#[derive(Clone)]
pub struct Patience {
    most: Duration,
    since: Option<Instant>,
    pause: Duration,
    tell: Teller,
}

const FIRST: Duration = Duration::from_millis(200);
const LONGEST: Duration = Duration::from_secs(5);

impl Patience {
    /// For at most `most` without a success; `tell` hears of each wait.
    pub fn new(most: Duration, tell: Teller) -> Self {
        Self {
            most,
            since: None,
            pause: FIRST,
            tell,
        }
    }

    /// Runs out at once where the failure is final or has lasted too long; otherwise waits a little, as long as
    /// the server said or twice the last time.
    ///
    /// # Errors
    /// The failure itself.
    pub async fn bear(&mut self, error: ClientError) -> Result<(), ClientError> {
        let since = *self.since.get_or_insert_with(Instant::now);
        let left = self.most.saturating_sub(since.elapsed());
        if !error.is_passing() || left.is_zero() {
            return Err(error);
        }
        (self.tell)(&error, self.most);
        let pause = error.retry_after().unwrap_or(self.pause).min(left);
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

impl fmt::Debug for Patience {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Patience")
            .field("most", &self.most)
            .field("since", &self.since)
            .finish_non_exhaustive()
    }
}
