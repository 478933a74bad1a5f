//! The port `Payloads`.

use super::files::Unwritten;
use super::queries;
use super::{Shared, SqliteStore};
use bytes::Bytes;
use smoother_core::RequestId;
use smoother_core::ports::{BoxFuture, PayloadKind, PayloadRef, Payloads, StoreError};
use std::future::ready;
use std::sync::Arc;

impl Payloads for SqliteStore {
    fn keep(
        &self,
        id: RequestId,
        kind: PayloadKind,
        payload: Bytes,
    ) -> BoxFuture<'_, Result<PayloadRef, StoreError>> {
        if payload.len() <= self.inline_limit {
            return Box::pin(ready(Ok(PayloadRef::Inline(payload))));
        }
        let shared = Arc::clone(&self.shared);
        Box::pin(blocking(move || {
            let written = shared.files.write(id, kind, &payload);
            let key = written.map_err(|error| shared.unwritten(error))?;
            let bytes = payload.len() as u64;
            Ok(PayloadRef::Held { key, bytes })
        }))
    }

    fn fetch(&self, id: RequestId, kind: PayloadKind) -> BoxFuture<'_, Result<Option<Bytes>, StoreError>> {
        Box::pin(async move {
            let found = match self.shared.bodies.get(id, kind) {
                Some(payload) => Some(payload),
                None => {
                    self.settled(Some(id)).await?;
                    let query = move |conn: &_| queries::payload(conn, id, kind);
                    self.shared.readers.read(query).await?
                }
            };
            match found {
                None => Ok(None),
                Some(PayloadRef::Inline(bytes)) => Ok(Some(bytes)),
                Some(PayloadRef::Held { key, .. }) => {
                    let files = Arc::clone(&self.shared.files);
                    blocking(move || files.read(&key)).await.map(Some)
                }
            }
        })
    }
}

impl Shared {
    /// A payload that was not written. Only a full disk, or a file that was never begun, lets the store go on:
    /// after any other failure nobody knows what the disk keeps.
    fn unwritten(&self, error: Unwritten) -> StoreError {
        match error {
            Unwritten::NotBegun(why) => why,
            Unwritten::Broken(why) => {
                if !matches!(why, StoreError::Full(_)) {
                    self.fate.stop(why.clone());
                }
                why
            }
        }
    }
}

/// File work, on the runtime's blocking threads.
async fn blocking<T, F>(work: F) -> Result<T, StoreError>
where
    T: Send + 'static,
    F: FnOnce() -> Result<T, StoreError> + Send + 'static,
{
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| StoreError::Failed(format!("a payload file was not finished: {error}")))?
}
