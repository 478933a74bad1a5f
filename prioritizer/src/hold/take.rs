//! Taking a lane's lease, or finding that there is no need to.

use super::renewal::Renewal;
use super::{HoldPorts, monotonic};
use smoother_core::hold::{Finding, Lease, find};
use smoother_core::ports::StoreError;
use smoother_core::{LaneId, Millis};
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// How soon a lease that may become free is looked at again.
const LOOK_AGAIN: Duration = Duration::from_millis(250);
/// A store that fails so often in a row is not asked any more.
const FAILURES: u32 = 5;

/// A lease that stands as it was first seen, and since when.
struct Seen {
    lease: Option<Lease>,
    since: Instant,
}

/// The lease, taken; `None` where its holder is awake, or did not leave by `until`.
pub(super) async fn take(
    ports: &HoldPorts,
    lane: &LaneId,
    owner: &str,
    until: Instant,
) -> Result<Option<Renewal>, StoreError> {
    let mut seen: Option<Seen> = None;
    let mut tried: Option<Renewal> = None;
    let mut failures = 0;
    while monotonic() < until {
        let looking = monotonic();
        let found = match ports.hold.lease(lane).await {
            Ok(found) => found,
            Err(error) => {
                failures += 1;
                if failures == FAILURES {
                    return Err(error);
                }
                sleep(LOOK_AGAIN).await;
                continue;
            }
        };
        failures = 0;
        // Said to have failed, and stored all the same.
        if let Some(mine) = tried.take_if(|mine| found.as_ref().is_some_and(|lease| mine.is(lease))) {
            return Ok(Some(mine));
        }
        let unchanged = match &seen {
            Some(same) if same.lease == found => looking.saturating_duration_since(same.since),
            _ => {
                seen = Some(Seen {
                    lease: found.clone(),
                    since: monotonic(),
                });
                Duration::ZERO
            }
        };
        let now = ports.lane.clock.now();
        let unchanged = Millis::new(u64::try_from(unchanged.as_millis()).unwrap_or(u64::MAX));
        match find(now, found.as_ref(), unchanged) {
            Finding::Awake => return Ok(None),
            Finding::Watch => sleep(LOOK_AGAIN).await,
            Finding::Take => {
                let mine = Renewal::new(Lease::taken(owner, now, found.as_ref()));
                match ports.hold.take(lane, mine.lease(), found).await {
                    Ok(true) => return Ok(Some(mine)),
                    Ok(false) => {}
                    Err(error) => {
                        tracing::warn!(%lane, %error, "whether the lease was taken is not known");
                        tried = Some(mine);
                        sleep(LOOK_AGAIN).await;
                    }
                }
            }
        }
    }
    Ok(None)
}
