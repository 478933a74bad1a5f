//! A lane's circuit breaker, held by hand.

use crate::ingest::Ingest;
use crate::refusal::Refusal;
use smoother_core::LaneId;
use smoother_core::breaker::{BreakerView, Hand, Phase};
use smoother_core::ports::QueueError;
use smoother_core::scheduler::Event;
use std::time::Duration;

/// The lane is asked so often at once whether it has come to the word it was sent: one in this process has as soon as
/// it has taken up what was sent before.
const LOOKS_AT_ONCE: u32 = 100;
/// A lane that another process holds writes down how it stands every few seconds: then it is asked so often, with this
/// pause between.
const LATER_LOOKS: u32 = 60;
const BETWEEN_LOOKS: Duration = Duration::from_millis(250);

impl Ingest {
    /// Holds a lane's breaker, or gives it back to its own judgement; answers it as it is then.
    pub(crate) async fn hold_breaker(
        &self,
        lane: &LaneId,
        hand: Option<Hand>,
    ) -> Result<BreakerView, Refusal> {
        if !self.settings().routes.lanes().contains_key(lane) {
            return Err(Refusal::UnknownLane {
                lane: lane.clone(),
                known: self.settings().routes.names(),
            });
        }
        self.ports.lanes.send(lane, Event::Breaker(hand)).await?;
        let mut looks = 0;
        loop {
            let view = self.ports.views.view(lane).await;
            let Some(view) = view else {
                return Err(QueueError::Closed("the lane").into());
            };
            looks += 1;
            // Somebody else's word may have come right after ours, or nobody holds the lane just now.
            if looks == LOOKS_AT_ONCE + LATER_LOOKS {
                tracing::warn!(%lane, "the lane was told of the breaker, and has not come to it");
                let cause = "it was told of the breaker, and has not come to it yet; look again".to_owned();
                let queue = "the lane";
                return Err(QueueError::Failed { queue, cause }.into());
            }
            if obeys(&view.breaker, hand) {
                tracing::info!(%lane, state = view.breaker.state.as_str(), by_hand = view.breaker.by_hand, "the breaker was set");
                return Ok(view.breaker);
            }
            if looks > LOOKS_AT_ONCE {
                tokio::time::sleep(BETWEEN_LOOKS).await;
            }
        }
    }
}

fn obeys(breaker: &BreakerView, hand: Option<Hand>) -> bool {
    match hand {
        None => !breaker.by_hand,
        Some(Hand::Open) => breaker.by_hand && breaker.state == Phase::Open,
        Some(Hand::Closed) => breaker.by_hand && breaker.state == Phase::Closed,
    }
}
