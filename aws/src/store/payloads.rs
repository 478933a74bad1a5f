//! The port `Payloads`.

use super::insert::MOST_BESIDE;
use super::{DynamoStore, Shared};
use crate::fault::Fault;
use crate::objects;
use crate::table::item::Reading;
use crate::table::keys;
use crate::table::row::{Held, Payload};
use bytes::Bytes;
use smoother_core::RequestId;
use smoother_core::ports::{BoxFuture, PayloadKind, PayloadRef, Payloads, Pointer, StoreError};

impl Payloads for DynamoStore {
    fn keep(
        &self,
        id: RequestId,
        kind: PayloadKind,
        payload: Bytes,
    ) -> BoxFuture<'_, Result<PayloadRef, StoreError>> {
        Box::pin(async move {
            if kind == PayloadKind::Body && payload.len() <= MOST_BESIDE {
                return Ok(PayloadRef::Inline(payload));
            }
            let Payload { held, bytes } = self.shared.keep(id, kind, payload).await?;
            let (Held::Object(key) | Held::Item(key)) = held;
            Ok(PayloadRef::Held { key, bytes })
        })
    }

    fn fetch(&self, id: RequestId, kind: PayloadKind) -> BoxFuture<'_, Result<Option<Bytes>, StoreError>> {
        Box::pin(async move { Ok(self.shared.fetch(id, kind).await?) })
    }

    fn place(&self, id: RequestId, kind: PayloadKind) -> BoxFuture<'_, Result<Option<Pointer>, StoreError>> {
        Box::pin(async move {
            let Some(Held::Object(key)) = self.shared.held(id, kind).await? else {
                return Ok(None);
            };
            Ok(Some(self.shared.objects.pointer(key)))
        })
    }
}

impl Shared {
    async fn fetch(&self, id: RequestId, kind: PayloadKind) -> Result<Option<Bytes>, Fault> {
        match self.held(id, kind).await? {
            None => Ok(None),
            Some(Held::Object(key)) => self.objects.get(&key).await,
            Some(Held::Item(hash)) => self.beside(id, &hash).await,
        }
    }

    /// Where a payload is.
    async fn held(&self, id: RequestId, kind: PayloadKind) -> Result<Option<Held>, Fault> {
        let Some(row) = self.row(id).await? else {
            return Ok(None);
        };
        let payload = match kind {
            PayloadKind::Body => Some(row.body),
            PayloadKind::Result => row.result,
        };
        Ok(payload.map(|payload| payload.held))
    }

    async fn beside(&self, id: RequestId, hash: &str) -> Result<Option<Bytes>, Fault> {
        let Some(item) = self.table.get(&keys::body(id, hash)).await? else {
            return Ok(None);
        };
        let reading = Reading::new(&item)?;
        let bytes = reading.bytes("b")?;
        if objects::hash(bytes) != hash {
            return Err(reading.damaged("b", "is not what was written there"));
        }
        Ok(Some(Bytes::copy_from_slice(bytes)))
    }
}
