//! What a lane's scheduler knows, for status pages and forecasts.

use super::BoxFuture;
use crate::ids::{LaneId, RequestId};
use crate::scheduler::{Forecast, LaneView, TurnedAway, Waiting};

/// Reads lanes from outside their scheduler.
pub trait LaneViews: Send + Sync {
    /// The lanes there are.
    fn lanes(&self) -> Vec<LaneId>;

    /// One lane now; `None` where there is no such lane.
    fn view(&self, lane: &LaneId) -> BoxFuture<'_, Option<LaneView>>;

    /// Whether a new request may come in, and when it would go; one that may is expected. `None` where nobody can say.
    fn admit(
        &self,
        _lane: &LaneId,
        _newcomer: Waiting,
    ) -> BoxFuture<'_, Option<Result<Forecast, TurnedAway>>> {
        Box::pin(std::future::ready(None))
    }

    /// Where a waiting request stands; `None` where it does not wait in that lane.
    fn forecast(&self, lane: &LaneId, id: RequestId) -> BoxFuture<'_, Option<Forecast>>;
}
