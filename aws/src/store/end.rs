//! A call is over.

use super::Shared;
use super::change::{Stepped, most_overtaken, overtaken};
use crate::fault::Fault;
use crate::table::condition::{Expression, Write};
use crate::table::item::json;
use crate::table::keys::{self, Key};
use crate::table::row::Row;
use crate::table::{Query, call};
use smoother_core::lifecycle::{self, Change};
use smoother_core::ports::{ChangeError, EndReport, PayloadKind, PayloadRef, StoreError};
use smoother_core::{Call, Request, RequestId, Settlement};

impl Shared {
    /// Settles a call and applies what follows from it.
    pub(super) async fn end(
        &self,
        id: RequestId,
        settlement: Settlement,
        change: Option<Change>,
        result: Option<PayloadRef>,
    ) -> Result<EndReport, StoreError> {
        let settling = Settling::new(id, &settlement)?;
        let Some(row) = self.row(id).await? else {
            let request = Err(ChangeError::NotFound(id));
            return Ok(EndReport { request });
        };
        let request = match change {
            Some(change) => self.end_by(row, &settling, &change, result).await?,
            None => {
                self.settle(&settling).await?;
                Ok(row.request)
            }
        };
        Ok(EndReport { request })
    }

    async fn end_by(
        &self,
        mut row: Row,
        settling: &Settling,
        change: &Change,
        result: Option<PayloadRef>,
    ) -> Result<Result<Request, ChangeError>, StoreError> {
        let id = row.request.id;
        // A result goes with the change that it is the answer of, and is nobody's otherwise.
        let mut offered =
            result.filter(|_| matches!(change, Change::Complete { .. } | Change::Degrade { .. }));
        let (mut kept, mut with_call, mut with_body) = (None, true, true);
        for _ in 0..most_overtaken() {
            let next = match lifecycle::apply(&row.request, change) {
                Ok(next) => next,
                Err(refused) => {
                    self.settle(settling).await?;
                    return Ok(Err(refused.into()));
                }
            };
            if let Some(result) = offered.take() {
                kept = Some(self.object(id, PayloadKind::Result, result).await?);
            }
            let step = self.step(row, next, kept.clone()).await?;
            let mut beside = Vec::new();
            beside.extend(with_call.then(|| settling.write()));
            beside.extend(self.bodys_time(&step).filter(|_| with_body));
            row = match self.make(&step, beside).await? {
                Stepped::Done => return Ok(Ok(step.to.request)),
                Stepped::Overtaken(now) => *now,
                Stepped::Gone => return Ok(Err(ChangeError::NotFound(id))),
                // Settled before, or never claimed: the call stays as it is. Or the body is gone.
                Stepped::Beside(places) => {
                    let call_is_first = with_call;
                    with_call &= !places.contains(&0);
                    with_body &= !places.contains(&usize::from(call_is_first));
                    step.from
                }
            };
        }
        Err(overtaken(id))
    }

    /// Settles a call that was claimed and is not settled yet.
    async fn settle(&self, settling: &Settling) -> Result<(), Fault> {
        let Settling { key, set } = settling;
        self.table.update(key, set, &unsettled()).await?;
        Ok(())
    }

    pub(super) async fn calls(&self, id: RequestId) -> Result<Vec<Call>, StoreError> {
        let of_request = Query {
            index: None,
            keys: Expression::new("#pk = :pk AND begins_with(#sk, :sk)")
                .text(":pk", keys::request(id))
                .text(":sk", "CALL#"),
            forward: true,
        };
        let found = self.table.query(&of_request, usize::MAX).await?;
        let calls: Result<Vec<Call>, Fault> = found.items.iter().map(call::read).collect();
        Ok(calls?)
    }
}

/// A settlement on its way to its call.
struct Settling {
    key: Key,
    set: Expression,
}

impl Settling {
    fn new(id: RequestId, settlement: &Settlement) -> Result<Self, Fault> {
        let text = json(call::SETTLED, settlement)?;
        Ok(Self {
            key: keys::call(id, settlement.call),
            set: Expression::new("SET #settled = :settled").text(":settled", text),
        })
    }

    fn write(&self) -> Write {
        Write::Update {
            key: self.key.clone(),
            change: self.set.clone(),
            condition: unsettled(),
        }
    }
}

/// The first settlement stands, and none makes a call that was never claimed.
fn unsettled() -> Expression {
    Expression::new("attribute_exists(#pk) AND attribute_not_exists(#settled)")
}
