//! Many letters at once, in bounded batches: one that cannot be sent harms no other.

use super::{Act, Wish};
use crate::ingest::Ingest;
use crate::refusal::Refusal;
use smoother_core::ports::{ChangeError, ListFilter};
use smoother_core::{RequestId, listing};

/// What became of a batch.
#[derive(Debug, Default)]
pub(crate) struct Sweep {
    /// Letters it was done to.
    pub(crate) handled: u64,
    /// Letters somebody else was faster with.
    pub(crate) unchanged: u64,
    /// Letters it could not be done to, and why.
    pub(crate) refused: Vec<(RequestId, Refusal)>,
    /// Goes on behind this batch; `None` where it was the last.
    pub(crate) next: Option<String>,
}

impl Ingest {
    /// Does it to the next batch of those that are meant.
    pub(crate) async fn sweep(&self, act: Act, wish: Wish) -> Result<Sweep, Refusal> {
        self.may_act(act)?;
        let Wish {
            filter,
            cursor,
            limit,
        } = wish;
        let begins = cursor.is_none();
        let page = self.ports.store.list(filter.clone(), cursor, limit).await?;
        if begins && page.requests.is_empty() {
            self.lane_is_known(&filter)?;
        }
        let mut sweep = Sweep {
            next: page.next.map(|inner| listing::seal(&inner, &filter)),
            ..Sweep::default()
        };
        let mut begun = Vec::with_capacity(page.requests.len());
        for row in &page.requests {
            match self.can(act, row).await {
                // Begun one after the other and awaited together: they share their commits.
                Ok(()) => begun.push((row.id, self.ports.store.change(row.id, act.change()))),
                Err(refusal) => sweep.refused.push((row.id, refusal)),
            }
        }
        for (id, change) in begun {
            match change.await {
                Ok(row) => {
                    self.done(act, &row).await;
                    sweep.handled += 1;
                }
                Err(ChangeError::Refused(_) | ChangeError::NotFound(_)) => sweep.unchanged += 1,
                Err(ChangeError::Store(error)) => sweep.refused.push((id, error.into())),
            }
        }
        Ok(sweep)
    }

    /// Nothing done in a lane that never was would hide a slip of the pen.
    fn lane_is_known(&self, filter: &ListFilter) -> Result<(), Refusal> {
        let settings = self.settings();
        match &filter.lane {
            Some(lane) if !settings.routes.lanes().contains_key(lane) => Err(Refusal::UnknownLane {
                lane: lane.clone(),
                known: settings.routes.names(),
            }),
            _ => Ok(()),
        }
    }
}
