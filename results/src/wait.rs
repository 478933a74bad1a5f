//! Long polls: a door that answers when something has happened, instead of a caller that asks again and again.

use crate::problem::Problem;
use crate::service::Results;
use smoother_core::ports::Update;
use smoother_core::{Millis, Request};
use tokio::time::{MissedTickBehavior, interval, sleep};

impl Results {
    /// The row as soon as it is `enough`, or as it stands after `most` (capped by the configuration).
    ///
    /// The log says *that* something happened, the store says what: a caller never reads a state here that the
    /// store would not confirm.
    pub(crate) async fn once(
        &self,
        row: Request,
        most: Millis,
        enough: impl Fn(&Request) -> bool,
    ) -> Result<Request, Problem> {
        let most = most.min(self.config.longest_wait);
        if most == Millis::ZERO || enough(&row) || self.draining.is_cancelled() {
            return Ok(row);
        }
        let (tenant, id) = (row.tenant.clone(), row.id);
        // Subscribed before the row is read again, or an end between the two would be missed.
        let mut reader = self.ports.live.subscribe(id);
        let mut row = self.row(&tenant, id).await?;
        let mut more = true;
        let over = sleep(most.into());
        tokio::pin!(over);
        let mut reread = interval(self.config.reread_every.max(Millis::new(1)).into());
        reread.set_missed_tick_behavior(MissedTickBehavior::Delay);
        reread.tick().await;
        while !enough(&row) {
            tokio::select! {
                () = &mut over => break,
                () = self.draining.cancelled() => break,
                update = reader.next(), if more => match update {
                    Some(Update::Ended(end)) => row = end.request.clone(),
                    Some(Update::State(_) | Update::Call(_)) => row = self.row(&tenant, id).await?,
                    Some(Update::Head(_) | Update::Frame(_)) => {}
                    None | Some(Update::NotStored(_)) => {
                        more = false;
                        row = self.row(&tenant, id).await?;
                    }
                },
                _ = reread.tick() => row = self.row(&tenant, id).await?,
            }
        }
        Ok(row)
    }
}
