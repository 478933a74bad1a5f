//! Bodies that a producer has put somewhere else, and only points to.

use super::BoxFuture;
use bytes::Bytes;
use serde::{Deserialize, Serialize};

/// Where a body lies.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pointer {
    /// The bucket.
    pub bucket: String,
    /// The object in it.
    pub key: String,
}

/// A body could not be had.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PointerError {
    /// It points to a place from which nothing is taken.
    #[error("s3://{bucket}/{key} is not read; put the body into {allowed} and point there")]
    Foreign {
        /// The bucket named.
        bucket: String,
        /// The key named.
        key: String,
        /// The bucket and prefix from which bodies are taken.
        allowed: String,
    },
    /// Nothing lies there.
    #[error("there is no object s3://{bucket}/{key}; put it there before the message is sent")]
    Missing {
        /// The bucket named.
        bucket: String,
        /// The key named.
        key: String,
    },
    /// What lies there is larger than a body may be.
    #[error("s3://{bucket}/{key} has {bytes} bytes; a body may have {most}")]
    TooLarge {
        /// The bucket named.
        bucket: String,
        /// The key named.
        key: String,
        /// Its size.
        bytes: u64,
        /// The limit.
        most: u64,
    },
    /// The service failed; trying again may work.
    #[error("a body could not be read: {0}")]
    Failed(String),
}

/// Reads bodies that messages point to.
pub trait Pointers: Send + Sync {
    /// The whole object, `most` bytes of it at most. It is left where it is.
    ///
    /// # Errors
    /// As [`PointerError`] has them; only [`PointerError::Failed`] is worth another try.
    fn read(&self, pointer: &Pointer, most: u64) -> BoxFuture<'_, Result<Bytes, PointerError>>;
}
