//! Bodies that producers put into the bucket themselves.

use super::{Object, Objects};
use crate::retry::Patience;
use aws_sdk_s3::Client;
use bytes::Bytes;
use smoother_core::ports::{BoxFuture, Entropy, Pointer, PointerError, Pointers};
use std::sync::Arc;

/// From where bodies are taken. Nothing else is read on a producer's word: what this process may read is more than
/// what a producer may.
const PREFIX: &str = "inbox/";

/// Reads what producers put into the bucket under `inbox/`.
#[derive(Debug, Clone)]
pub struct Inbox(Objects);

impl Inbox {
    /// In this bucket.
    pub fn new(client: Client, bucket: &str, chance: Arc<dyn Entropy>) -> Self {
        Self(Objects::new(client, bucket, Patience::default(), chance))
    }
}

impl Pointers for Inbox {
    fn read(&self, pointer: &Pointer, most: u64) -> BoxFuture<'_, Result<Bytes, PointerError>> {
        let Pointer { bucket, key } = pointer.clone();
        Box::pin(async move {
            if bucket != *self.0.bucket || !key.starts_with(PREFIX) || key.len() == PREFIX.len() {
                let allowed = format!("s3://{}/{PREFIX}", self.0.bucket);
                return Err(PointerError::Foreign { bucket, key, allowed });
            }
            match self.0.read(&key, most).await {
                Ok(Some(Object::Whole(body))) => Ok(body),
                Ok(Some(Object::Larger(bytes))) => Err(PointerError::TooLarge {
                    bucket,
                    key,
                    bytes,
                    most,
                }),
                Ok(None) => Err(PointerError::Missing { bucket, key }),
                Err(fault) => Err(PointerError::Failed(fault.to_string())),
            }
        })
    }
}
