//! The port `Payloads`.

use super::fault::Touched;
use super::store::MemoryStore;
use bytes::Bytes;
use rand::Rng;
use smoother_core::RequestId;
use smoother_core::ports::{BoxFuture, PayloadKind, PayloadRef, Payloads, StoreError};
use std::future::ready;

impl Payloads for MemoryStore {
    fn keep(
        &self,
        id: RequestId,
        kind: PayloadKind,
        payload: Bytes,
    ) -> BoxFuture<'_, Result<PayloadRef, StoreError>> {
        let world = &self.0.world;
        if payload.len() <= world.0.options.inline_limit {
            return Box::pin(ready(Ok(PayloadRef::Inline(payload))));
        }
        // Drawn apart from the plan's chance, so that a plan does not change keys.
        let unique: u64 = world.lock().entropy.random();
        let key = format!("{id}/{kind:?}/{unique:016x}");
        let bytes = payload.len() as u64;
        self.0.write(Touched::Keep, Some(id), move |tables, _| {
            tables.hold(key.clone(), payload.clone());
            Ok(PayloadRef::Held {
                key: key.clone(),
                bytes,
            })
        })
    }

    fn fetch(&self, id: RequestId, kind: PayloadKind) -> BoxFuture<'_, Result<Option<Bytes>, StoreError>> {
        Box::pin(
            self.0
                .read(Touched::Fetch, Some(id), move |tables| tables.payload(id, kind)),
        )
    }
}
