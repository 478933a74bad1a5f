//! Bodies and results: small ones travel inside the row's own write, large ones are held beside it.

use super::{BoxFuture, Pointer, StoreError};
use crate::ids::RequestId;
use bytes::Bytes;

/// Which of a request's payloads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PayloadKind {
    /// What the caller sent.
    Body,
    /// What the model answered.
    Result,
}

/// A payload ready to be named by a row.
#[derive(Debug, Clone)]
pub enum PayloadRef {
    /// Small: written with the row.
    Inline(Bytes),
    /// Large: already durable under this key.
    Held {
        /// Where the adapter keeps it.
        key: String,
        /// Its length in bytes.
        bytes: u64,
    },
}

/// Where payloads are kept.
pub trait Payloads: Send + Sync {
    /// Makes a payload ready: resolves at once for small ones, after it is durable for large ones.
    fn keep(
        &self,
        id: RequestId,
        kind: PayloadKind,
        payload: Bytes,
    ) -> BoxFuture<'_, Result<PayloadRef, StoreError>>;

    /// Reads a payload back. `None` where there is none (yet, or no longer).
    fn fetch(&self, id: RequestId, kind: PayloadKind) -> BoxFuture<'_, Result<Option<Bytes>, StoreError>>;

    /// Where a payload lies for those who read it by themselves; `None` where it lies in no place of its own.
    fn place(
        &self,
        _id: RequestId,
        _kind: PayloadKind,
    ) -> BoxFuture<'_, Result<Option<Pointer>, StoreError>> {
        Box::pin(std::future::ready(Ok(None)))
    }
}
