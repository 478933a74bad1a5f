//! A request comes in.

use super::Shared;
use crate::fault::Fault;
use crate::objects;
use crate::table::condition::{Expression, Write};
use crate::table::item::{Item, Writing};
use crate::table::row::{Held, Payload, Row};
use crate::table::{Transacted, Written, keys};
use bytes::Bytes;
use smoother_core::RequestId;
use smoother_core::ports::{Inserted, NewRequest, PayloadKind, PayloadRef};

/// A body up to this many bytes stands beside its row; a longer one, and every result, is an object.
pub(super) const MOST_BESIDE: usize = 4 * 1024;

impl Shared {
    pub(super) async fn insert(&self, new: NewRequest) -> Result<Inserted, Fault> {
        let NewRequest { request, body } = new;
        let now = self.clock.now();
        self.notes
            .write(&self.table, &request, &self.terms.lifetimes, now)
            .await?;
        let ttl = self.terms.lifetimes.of_parts(&request, now);
        let (body, beside) = self.body(request.id, body, ttl).await?;
        let nonce = self.table.mark();
        let row = Row::first(request, body, nonce.clone(), now);
        let unmet = match self.store_first(&row, beside, &nonce).await {
            Ok(unmet) => unmet,
            // Nobody knows whether it is there: the row itself does.
            Err(fault @ Fault::Unsure(_)) => match self.row(row.request.id).await {
                Ok(Some(found)) if found.was_made_by(row.request.rev, &nonce) => None,
                _ => return Err(fault),
            },
            Err(fault) => return Err(fault),
        };
        let Some(there) = unmet else {
            return Ok(Inserted::Fresh);
        };
        let there = Row::read(&there)?;
        if there.was_made_by(row.request.rev, &nonce) {
            return Ok(Inserted::Fresh);
        }
        if there.request.body_hash == row.request.body_hash {
            return Ok(Inserted::Same(Box::new(there.request)));
        }
        Ok(Inserted::Conflict)
    }

    /// Writes the row, and the body beside it in the same commit; gives the row that is there already, if one is.
    async fn store_first(&self, row: &Row, beside: Option<Item>, nonce: &str) -> Result<Option<Item>, Fault> {
        let item = row.item(&self.terms)?;
        let fresh = Expression::new("attribute_not_exists(#pk)");
        let unmet = match beside {
            None => match self.table.put(&item, Some(&fresh)).await? {
                Written::Done(_) => return Ok(None),
                Written::Unmet(there) => there,
            },
            Some(body) => {
                let writes = [Write::put_if(item, fresh), Write::put(body)];
                match self.table.transact(nonce, &writes).await? {
                    Transacted::Done => return Ok(None),
                    Transacted::Unmet(unmet) => unmet.into_iter().next().flatten().flatten(),
                }
            }
        };
        unmet
            .map(Some)
            .ok_or_else(|| Fault::Unsure(format!("row {} was there and is gone", row.request.id)))
    }

    /// Where a body will be, and the item beside the row, if it is one.
    async fn body(
        &self,
        id: RequestId,
        body: PayloadRef,
        ttl: u64,
    ) -> Result<(Payload, Option<Item>), Fault> {
        match body {
            PayloadRef::Inline(bytes) if bytes.len() <= MOST_BESIDE => {
                let hash = objects::hash(&bytes);
                let item = Writing::new(&keys::body(id, &hash))
                    .bytes("b", &bytes)
                    .number("ttl", ttl)
                    .done();
                let held = Held::Item(hash);
                let bytes = bytes.len() as u64;
                Ok((Payload { held, bytes }, Some(item)))
            }
            other => Ok((self.object(id, PayloadKind::Body, other).await?, None)),
        }
    }

    /// A payload as an object; written now, where it is not held yet.
    pub(super) async fn object(
        &self,
        id: RequestId,
        kind: PayloadKind,
        payload: PayloadRef,
    ) -> Result<Payload, Fault> {
        match payload {
            PayloadRef::Held { key, bytes } => Ok(Payload {
                held: Held::Object(key),
                bytes,
            }),
            PayloadRef::Inline(payload) => self.keep(id, kind, payload).await,
        }
    }

    pub(super) async fn keep(
        &self,
        id: RequestId,
        kind: PayloadKind,
        payload: Bytes,
    ) -> Result<Payload, Fault> {
        let key = objects::key(id, kind, &payload);
        let bytes = payload.len() as u64;
        self.objects.put(&key, payload).await?;
        Ok(Payload {
            held: Held::Object(key),
            bytes,
        })
    }
}
