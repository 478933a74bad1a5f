//! Bodies and results in the bucket.
//!
//! A payload's key holds the hash of its bytes, so that writing it twice changes nothing, another payload of the same
//! request never takes its place, and what is read back is known to be what was written.
//!
//! ```text
//! bodies/{id}/{hash}     what a caller sent, where it does not fit beside its row
//! results/{id}/{hash}    what the model answered
//! inbox/…                what producers put there and point to
//! inbox/uploads/…        what callers put there by an address that was signed for them
//! ```

mod inbox;
mod uploads;

use crate::fault::{Asked, Fault, chain};
use crate::retry::Patience;
use aws_sdk_s3::Client;
use aws_sdk_s3::operation::get_object::GetObjectError;
use bytes::Bytes;
use sha2::{Digest, Sha256};
use smoother_core::RequestId;
use smoother_core::ports::{Entropy, PayloadKind, Pointer};
use std::fmt;
use std::sync::Arc;

pub use inbox::Inbox;
pub use uploads::SignedUploads;

/// Bytes of a hash in a key: enough that nobody finds two payloads of one request that share it.
const HASH: usize = 16;

/// The bucket and how to ask it.
#[derive(Clone)]
pub(crate) struct Objects {
    client: Client,
    pub(crate) bucket: Arc<str>,
    patience: Patience,
    chance: Arc<dyn Entropy>,
}

impl fmt::Debug for Objects {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Objects")
            .field("bucket", &self.bucket)
            .finish_non_exhaustive()
    }
}

/// The hash of a payload, as keys have it.
pub(crate) fn hash(payload: &[u8]) -> String {
    use fmt::Write;
    Sha256::digest(payload)[..HASH]
        .iter()
        .fold(String::new(), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
}

/// Where a payload lies.
pub(crate) fn key(id: RequestId, kind: PayloadKind, payload: &[u8]) -> String {
    let folder = match kind {
        PayloadKind::Body => "bodies",
        PayloadKind::Result => "results",
    };
    format!("{folder}/{id}/{}", hash(payload))
}

impl Objects {
    pub(crate) fn new(client: Client, bucket: &str, patience: Patience, chance: Arc<dyn Entropy>) -> Self {
        Self {
            client,
            bucket: bucket.into(),
            patience,
            chance,
        }
    }

    fn asked(&self, action: &'static str) -> Asked<'_> {
        Asked {
            action,
            kind: "bucket",
            name: &self.bucket,
        }
    }

    /// Where an object lies.
    pub(crate) fn pointer(&self, key: String) -> Pointer {
        let bucket = self.bucket.to_string();
        Pointer { bucket, key }
    }

    /// Whether the bucket is there and may be looked into.
    pub(crate) async fn check(&self) -> Result<(), Fault> {
        self.patience
            .ask(&*self.chance, || async {
                let head = self.client.head_bucket().bucket(&*self.bucket).send().await;
                let asked = self.asked("s3:ListBucket");
                // An answer to HEAD has no body to name the error in.
                head.map(drop).map_err(
                    |error| match error.raw_response().map(|raw| raw.status().as_u16()) {
                        Some(404) => asked.refused(404, "NoSuchBucket", ""),
                        Some(403) => asked.refused(403, "AccessDenied", ""),
                        _ => asked.failed(&error),
                    },
                )
            })
            .await
    }

    /// Stores a payload under its key.
    pub(crate) async fn put(&self, key: &str, payload: Bytes) -> Result<(), Fault> {
        self.patience
            .ask(&*self.chance, || async {
                let put = self.client.put_object().bucket(&*self.bucket).key(key);
                let put = put.body(payload.clone().into()).send().await;
                put.map(drop)
                    .map_err(|error| self.asked("s3:PutObject").failed(&error))
            })
            .await
    }

    /// Reads a payload back, and sees that it is the one that was written under its key. `None` where it is no longer
    /// there.
    pub(crate) async fn get(&self, key: &str) -> Result<Option<Bytes>, Fault> {
        let Some(found) = self.read(key, u64::MAX).await? else {
            return Ok(None);
        };
        match found {
            Object::Whole(payload) if key.ends_with(&hash(&payload)) => Ok(Some(payload)),
            _ => Err(Fault::Damaged(format!(
                "object {key} of bucket {} is not what was written there",
                self.bucket
            ))),
        }
    }

    /// Reads an object, unless it is larger than `most` bytes.
    async fn read(&self, key: &str, most: u64) -> Result<Option<Object>, Fault> {
        self.patience
            .ask(&*self.chance, || async {
                let asked = self.asked("s3:GetObject");
                let got = self
                    .client
                    .get_object()
                    .bucket(&*self.bucket)
                    .key(key)
                    .send()
                    .await;
                let object = match got {
                    Ok(object) => object,
                    Err(error) => {
                        return match error.as_service_error() {
                            Some(GetObjectError::NoSuchKey(_)) => Ok(None),
                            _ => Err(asked.failed(&error)),
                        };
                    }
                };
                let size = object
                    .content_length()
                    .and_then(|bytes| u64::try_from(bytes).ok());
                if let Some(bytes) = size.filter(|bytes| *bytes > most) {
                    return Ok(Some(Object::Larger(bytes)));
                }
                // The connection broke, or the checksum is another: what comes the next time may be whole.
                let body = object.body.collect().await;
                let body = body.map_err(|error| Fault::Unsure(asked.because(&chain(&error))))?;
                Ok(Some(Object::Whole(body.into_bytes())))
            })
            .await
    }
}

/// What was read.
enum Object {
    Whole(Bytes),
    /// Not read: it has so many bytes.
    Larger(u64),
}
