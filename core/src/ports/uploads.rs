//! Places for bodies that are too large for a door.

use super::{BoxFuture, Pointer, Pointers, StoreError};
use crate::units::Timestamp;

/// A place for one body, and what has to be sent to put it there.
#[derive(Clone, PartialEq, Eq)]
pub struct Upload {
    /// Where it will lie. Nobody guesses it: whoever knows it is the one who was given it.
    pub pointer: Pointer,
    /// To be sent the body by `PUT`, without any further leave.
    pub url: String,
    /// Sent along as they are, or the place refuses the body.
    pub headers: Vec<(String, String)>,
    /// Until then the body is taken.
    pub expires_at: Timestamp,
}

impl std::fmt::Debug for Upload {
    /// Without the URL and its signature, nor the place: either is a key to the body.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Upload")
            .field("bucket", &self.pointer.bucket)
            .field("expires_at", &self.expires_at)
            .finish_non_exhaustive()
    }
}

/// Gives out places for bodies, and reads them from there and from nowhere else.
pub trait Uploads: Pointers {
    /// A place for a body of so many bytes, no more and no less.
    ///
    /// # Errors
    /// As [`StoreError`] has them.
    fn open(&self, bytes: u64) -> BoxFuture<'_, Result<Upload, StoreError>>;
}
