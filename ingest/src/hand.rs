//! A lane's circuit breaker, held by hand.

use crate::ingest::Ingest;
use crate::refusal::Refusal;
use smoother_core::LaneId;
use smoother_core::breaker::{BreakerView, Hand, Phase};
use smoother_core::ports::QueueError;
use smoother_core::scheduler::Event;

/// How often the lane is asked whether it has come to the word it was sent: each time it has taken up a batch of
/// what was sent before.
const MOST_LOOKS: u32 = 10_000;

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
            // Somebody else's word may have come right after ours.
            if obeys(&view.breaker, hand) || looks == MOST_LOOKS {
                tracing::info!(%lane, state = view.breaker.state.as_str(), by_hand = view.breaker.by_hand, "the breaker was set");
                return Ok(view.breaker);
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
