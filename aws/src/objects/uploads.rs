//! Bodies that callers put into the bucket by an address that was signed for them.

use super::{Inbox, Objects};
use aws_sdk_s3::presigning::PresigningConfig;
use bytes::Bytes;
use smoother_core::Millis;
use smoother_core::ports::{
    BoxFuture, Clock, Entropy, Pointer, PointerError, Pointers, StoreError, Upload, Uploads,
};
use std::fmt;
use std::sync::Arc;

/// Where they lie: a part of what producers may point to, but a name here is known to its caller alone.
const PREFIX: &str = "inbox/uploads/";
/// How long an address takes a body. The signature of a role may end sooner, with the role's session.
const OPEN_FOR: Millis = Millis::from_secs(900);

/// Signs addresses, and reads what was put there.
pub struct SignedUploads {
    inbox: Inbox,
    clock: Arc<dyn Clock>,
}

impl fmt::Debug for SignedUploads {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignedUploads")
            .field("inbox", &self.inbox)
            .finish_non_exhaustive()
    }
}

impl SignedUploads {
    /// In this bucket.
    pub fn new(
        client: aws_sdk_s3::Client,
        bucket: &str,
        chance: Arc<dyn Entropy>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self {
            inbox: Inbox::under(PREFIX, client, bucket, chance),
            clock,
        }
    }

    fn objects(&self) -> &Objects {
        &self.inbox.objects
    }

    async fn sign(&self, bytes: u64) -> Result<Upload, StoreError> {
        let objects = self.objects();
        let now = self.clock.now();
        let pointer = objects.pointer(format!("{PREFIX}{}", name(&*objects.chance)));
        let failed = |error: &(dyn std::error::Error + 'static)| {
            let why = objects.asked("s3:PutObject").because(&crate::fault::chain(error));
            StoreError::Failed(format!("an address could not be signed: {why}"))
        };
        let config = PresigningConfig::builder()
            .start_time(std::time::UNIX_EPOCH + std::time::Duration::from_millis(now.as_millis()))
            .expires_in(std::time::Duration::from_millis(OPEN_FOR.get()))
            .build()
            .map_err(|error| failed(&error))?;
        let put = objects
            .client
            .put_object()
            .bucket(&pointer.bucket)
            .key(&pointer.key)
            .content_length(i64::try_from(bytes).unwrap_or(i64::MAX));
        let signed = put.presigned(config).await.map_err(|error| failed(&error))?;
        // Others of this process's own, such as its trace, are nothing to the caller.
        let headers = signed.headers().filter(|(name, _)| is_signed(signed.uri(), name));
        Ok(Upload {
            pointer,
            url: signed.uri().to_owned(),
            headers: headers
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect(),
            expires_at: now + OPEN_FOR,
        })
    }
}

/// Whether a header is one that the signature of an address counts with; that of the host every client sends by itself.
fn is_signed(url: &str, name: &str) -> bool {
    let query = url.split_once('?').map_or("", |(_, query)| query);
    let signed = query
        .split('&')
        .find_map(|part| part.strip_prefix("X-Amz-SignedHeaders="));
    let names = signed.unwrap_or_default().split("%3B");
    name != "host" && names.into_iter().any(|signed| signed == name)
}

/// 160 random bits.
fn name(chance: &dyn Entropy) -> String {
    let bytes = [chance.bytes(), chance.bytes()].concat();
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

impl Pointers for SignedUploads {
    fn read(&self, pointer: &Pointer, most: u64) -> BoxFuture<'_, Result<Bytes, PointerError>> {
        self.inbox.read(pointer, most)
    }
}

impl Uploads for SignedUploads {
    fn open(&self, bytes: u64) -> BoxFuture<'_, Result<Upload, StoreError>> {
        Box::pin(self.sign(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clients;
    use crate::clock::WallClock;
    use crate::script::{Script, chance};

    fn uploads(script: &Script) -> SignedUploads {
        let client = clients::s3(&script.environment());
        SignedUploads::new(client, "calls", chance(), Arc::new(WallClock::new()))
    }

    #[tokio::test]
    async fn an_address_is_for_one_body_of_one_size_and_asks_nobody() {
        let script = Script::default();
        let upload = uploads(&script).open(7_000_000).await.unwrap();
        assert!(upload.pointer.key.starts_with(PREFIX) && upload.pointer.key.len() == PREFIX.len() + 40);
        for words in [
            upload.pointer.key.as_str(),
            "X-Amz-Signature=",
            "X-Amz-Expires=900",
            "content-length",
        ] {
            assert!(upload.url.contains(words), "{words}: {}", upload.url);
        }
        assert!(
            !upload.url.contains("x-amz-checksum"),
            "nobody knows the body's yet: {}",
            upload.url
        );
        assert_eq!(
            upload.headers,
            [("content-length".to_owned(), "7000000".to_owned())]
        );
        assert!(
            !format!("{upload:?}").contains("uploads/"),
            "a log is no place for it"
        );
        assert!(script.asked().is_empty());
    }

    #[test]
    fn only_what_is_signed_is_to_be_sent_along() {
        let url = "https://b/k?X-Amz-SignedHeaders=content-length%3Bhost%3Bx-amz-acl&X-Amz-Signature=a";
        let sent = |name| is_signed(url, name);
        assert!(sent("content-length") && sent("x-amz-acl"));
        assert!(!sent("host") && !sent("x-amzn-trace-id") && !sent("content"));
    }

    #[tokio::test]
    async fn what_others_have_put_elsewhere_is_not_even_asked_for() {
        let script = Script::default();
        for key in ["bodies/a", "inbox/order-1", "inbox/uploads/", "results/a"] {
            let pointer = Pointer {
                bucket: "calls".to_owned(),
                key: key.to_owned(),
            };
            let foreign = uploads(&script).read(&pointer, 100).await;
            assert!(
                matches!(foreign, Err(PointerError::Foreign { .. })),
                "{foreign:?}"
            );
        }
        assert!(script.asked().is_empty());
    }
}
