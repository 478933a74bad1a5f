//! How lanes stand, as the way in hears it.

use super::Rig;
use crate::broken::Broken;
use smoother_core::ports::{BoxFuture, LaneViews};
use smoother_core::scheduler::{Forecast, LaneView, TurnedAway, Waiting};
use smoother_core::{LaneId, RequestId};
use smoother_prioritizer::Desk;
use std::sync::Arc;

/// The lanes' desk.
pub struct RigViews {
    pub rig: Rig,
    pub desk: Arc<Desk>,
}

impl LaneViews for RigViews {
    fn lanes(&self) -> Vec<LaneId> {
        self.desk.lanes()
    }

    fn view(&self, lane: &LaneId) -> BoxFuture<'_, Option<LaneView>> {
        self.desk.view(lane)
    }

    fn admit(&self, lane: &LaneId, newcomer: Waiting) -> BoxFuture<'_, Option<Result<Forecast, TurnedAway>>> {
        if self.rig.mischief.is(Broken::BoundOverlooked) {
            return Box::pin(std::future::ready(None));
        }
        let asked = self.desk.admit(lane, newcomer);
        Box::pin(async move {
            let said = asked.await;
            match &said {
                Some(Err(TurnedAway::Full(full))) => self.rig.judge.note("no room", format!("by {full:?}")),
                Some(Err(TurnedAway::Late(late))) => self.rig.judge.note("too late", format!("by {late:?}")),
                _ => {}
            }
            said
        })
    }

    fn forecast(&self, lane: &LaneId, id: RequestId) -> BoxFuture<'_, Option<Forecast>> {
        self.desk.forecast(lane, id)
    }
}
