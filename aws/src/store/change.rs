//! The row moves.

use super::Shared;
use crate::fault::Fault;
use crate::table::condition::{Expression, Write};
use crate::table::row::{Held, Nonce, Payload, Row};
use crate::table::{Transacted, Written, call, keys};
use smoother_core::lifecycle::{self, Change};
use smoother_core::ports::{ChangeError, PayloadKind, PayloadRef, StoreError};
use smoother_core::{Call, Request, RequestId};

/// Others may get ahead of a change this often before it gives up.
const MOST_OVERTAKEN: u32 = 50;

/// A version of a row that is to be stored over the one it came from.
pub(super) struct Step {
    pub(super) from: Row,
    pub(super) to: Row,
    pub(super) nonce: Nonce,
}

/// What became of it.
pub(super) enum Stepped {
    /// It is stored.
    Done,
    /// Another version is there; the row as it is.
    Overtaken(Box<Row>),
    /// The row is gone.
    Gone,
    /// The row would have moved, but the writes beside it could not be made: those at these places.
    Beside(Vec<usize>),
}

impl Shared {
    /// Applies a change; with a result, where it is one that brings its own answer.
    pub(super) async fn change(
        &self,
        id: RequestId,
        change: &Change,
        result: Option<PayloadRef>,
    ) -> Result<Request, ChangeError> {
        let mut row = self
            .row(id)
            .await
            .map_err(StoreError::from)?
            .ok_or(ChangeError::NotFound(id))?;
        let (mut offered, mut kept, mut with_body) = (result, None, true);
        for _ in 0..MOST_OVERTAKEN {
            let next = lifecycle::apply(&row.request, change)?;
            if let Some(result) = offered.take() {
                let stored = self.object(id, PayloadKind::Result, result).await;
                kept = Some(stored.map_err(StoreError::from)?);
            }
            let step = self
                .step(row, next, kept.clone())
                .await
                .map_err(StoreError::from)?;
            let mut beside = Vec::new();
            beside.extend(self.begun(&step, change).map_err(StoreError::from)?);
            if with_body {
                beside.extend(self.bodys_time(&step));
            }
            row = match self.make(&step, beside).await.map_err(StoreError::from)? {
                Stepped::Done => return Ok(step.to.request),
                Stepped::Overtaken(now) => *now,
                Stepped::Gone => return Err(ChangeError::NotFound(id)),
                Stepped::Beside(_) if matches!(change, Change::Claim { .. }) => {
                    let call = step.to.request.call;
                    return Err(StoreError::Damaged(format!(
                        "call {call} of request {id} is stored, and its row does not know of it"
                    ))
                    .into());
                }
                Stepped::Beside(_) => {
                    with_body = false;
                    step.from
                }
            };
        }
        Err(overtaken(id).into())
    }

    /// The next version of a row. Whoever is to find it is told first.
    pub(super) async fn step(
        &self,
        from: Row,
        next: Request,
        result: Option<Payload>,
    ) -> Result<Step, Fault> {
        let (nonce, now) = (self.table.mark(), self.clock.now());
        self.notes
            .write(&self.table, &next, &self.terms.lifetimes, now)
            .await?;
        let to = from.then(next, result, nonce.clone(), now);
        Ok(Step { from, to, nonce })
    }

    /// The call that a claim starts.
    fn begun(&self, step: &Step, change: &Change) -> Result<Option<Write>, Fault> {
        let Change::Claim { call: number, at } = change else {
            return Ok(None);
        };
        let request = &step.to.request;
        let call = Call {
            request: request.id,
            number: *number,
            lane: request.lane.clone(),
            reserved: request.reserved,
            charged_at: *at,
            settlement: None,
        };
        let item = call::item(&call, self.terms.lifetimes.of_parts(request, *at))?;
        Ok(Some(Write::put_if(
            item,
            Expression::new("attribute_not_exists(#pk)"),
        )))
    }

    /// A body beside its row is kept as long as the row is: from its end, or from its redrive, by another time.
    pub(super) fn bodys_time(&self, step: &Step) -> Option<Write> {
        let (from, to) = (&step.from.request, &step.to.request);
        let Held::Item(hash) = &step.to.body.held else {
            return None;
        };
        if from.state.is_terminal() == to.state.is_terminal() {
            return None;
        }
        let ttl = self.terms.lifetimes.of_parts(to, self.clock.now());
        Some(Write::Update {
            key: keys::body(to.id, hash),
            change: Expression::new("SET #ttl = :ttl").number(":ttl", ttl),
            condition: Expression::new("attribute_exists(#pk)"),
        })
    }

    /// Writes the version over the one it came from, and these beside it, in one commit.
    pub(super) async fn make(&self, step: &Step, beside: Vec<Write>) -> Result<Stepped, Fault> {
        let item = step.to.item(&self.terms)?;
        let as_read = Expression::new("#rev = :rev").number(":rev", step.from.request.rev.get());
        let made = if beside.is_empty() {
            let written = self.table.put(&item, Some(&as_read)).await;
            written.map(|written| match written {
                Written::Done(_) => Transacted::Done,
                Written::Unmet(there) => Transacted::Unmet(vec![Some(there)]),
            })
        } else {
            let mut writes = vec![Write::put_if(item, as_read)];
            writes.extend(beside);
            self.table.transact(&step.nonce, &writes).await
        };
        let unmet = match made {
            Ok(Transacted::Done) => return Ok(Stepped::Done),
            Ok(Transacted::Unmet(unmet)) => unmet,
            Err(fault @ Fault::Unsure(_)) => return self.was_it_made(step, fault).await,
            Err(fault) => return Err(fault),
        };
        match unmet.first() {
            Some(Some(None)) => Ok(Stepped::Gone),
            Some(Some(Some(there))) => Ok(step.against(Row::read(there)?)),
            _ => Ok(Stepped::Beside(places(&unmet))),
        }
    }

    /// After a write that nobody answered: the row tells whether it was made. Where it was not, it may still be under
    /// way, so nobody can say that it failed.
    async fn was_it_made(&self, step: &Step, fault: Fault) -> Result<Stepped, Fault> {
        match self.row(step.to.request.id).await {
            Ok(Some(row)) if row.request.rev != step.from.request.rev => Ok(step.against(row)),
            _ => Err(fault),
        }
    }
}

impl Step {
    fn against(&self, there: Row) -> Stepped {
        if there.was_made_by(self.to.request.rev, &self.nonce) {
            Stepped::Done
        } else {
            Stepped::Overtaken(Box::new(there))
        }
    }
}

/// The writes beside the row whose condition did not hold, from 0 on.
fn places(unmet: &[Option<Option<crate::table::item::Item>>]) -> Vec<usize> {
    let beside = unmet.iter().skip(1).enumerate();
    beside
        .filter(|(_, unmet)| unmet.is_some())
        .map(|(place, _)| place)
        .collect()
}

pub(super) fn overtaken(id: RequestId) -> StoreError {
    StoreError::Failed(format!(
        "request {id} was changed by others {MOST_OVERTAKEN} times while one change of it was tried; try again"
    ))
}

pub(super) const fn most_overtaken() -> u32 {
    MOST_OVERTAKEN
}
