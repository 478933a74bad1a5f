//! Bodies that producers put into the bucket themselves.

use super::{Object, Objects};
use crate::retry::Patience;
use aws_sdk_s3::Client;
use bytes::Bytes;
use smoother_core::ports::{BoxFuture, Entropy, Pointer, PointerError, Pointers};
use std::sync::Arc;

/// From where bodies of producers are taken. Nothing else is read on a producer's word: what this process may read is more than
/// what a producer may.
const PREFIX: &str = "inbox/";

/// Reads what was put into the bucket under `inbox/`.
#[derive(Debug, Clone)]
pub struct Inbox {
    prefix: &'static str,
    pub(super) objects: Objects,
}

impl Inbox {
    /// In this bucket.
    pub fn new(client: Client, bucket: &str, chance: Arc<dyn Entropy>) -> Self {
        Self::under(PREFIX, client, bucket, chance)
    }

    /// The same, of no more than what lies under a prefix.
    pub(super) fn under(
        prefix: &'static str,
        client: Client,
        bucket: &str,
        chance: Arc<dyn Entropy>,
    ) -> Self {
        Self {
            prefix,
            objects: Objects::new(client, bucket, Patience::default(), chance),
        }
    }
}

impl Pointers for Inbox {
    fn read(&self, pointer: &Pointer, most: u64) -> BoxFuture<'_, Result<Bytes, PointerError>> {
        let Pointer { bucket, key } = pointer.clone();
        Box::pin(async move {
            let named = key.strip_prefix(self.prefix).is_some_and(|name| !name.is_empty());
            if bucket != *self.objects.bucket || !named {
                let allowed = format!("s3://{}/{}", self.objects.bucket, self.prefix);
                return Err(PointerError::Foreign { bucket, key, allowed });
            }
            match self.objects.read(&key, most).await {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clients;
    use crate::script::{Answer, Script, chance};

    async fn read(script: &Script, key: &str, most: u64) -> Result<Bytes, PointerError> {
        let inbox = Inbox::new(clients::s3(&script.environment()), "calls", chance());
        let pointer = Pointer {
            bucket: "calls".to_owned(),
            key: key.to_owned(),
        };
        inbox.read(&pointer, most).await
    }

    fn error(status: u16, code: &str) -> Answer {
        let body = format!("<Error><Code>{code}</Code><Message>as the test has it</Message></Error>");
        Answer::Raw(status, body.into_bytes())
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_is_taken_up_to_the_largest_and_a_larger_one_is_named_with_its_size() {
        let script = Script::default().then(Answer::Raw(200, vec![b'x'; 100]));
        assert_eq!(read(&script, "inbox/a", 100).await.unwrap().len(), 100);
        let script = Script::default().then(Answer::Raw(200, vec![b'x'; 101]));
        let said = read(&script, "inbox/a", 100).await.unwrap_err().to_string();
        for words in ["s3://calls/inbox/a", "101 bytes", "100"] {
            assert!(said.contains(words), "{said}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_is_not_there_is_told_from_one_that_cannot_be_read_now() {
        let script = Script::default().then(error(404, "NoSuchKey"));
        let missing = read(&script, "inbox/a", 100).await;
        assert!(
            matches!(missing, Err(PointerError::Missing { .. })),
            "{missing:?}"
        );
        let script = Script::default()
            .then(error(503, "SlowDown"))
            .then(Answer::Broken)
            .then(Answer::Raw(200, b"{}".to_vec()));
        assert_eq!(read(&script, "inbox/a", 100).await.unwrap(), "{}");
        let script = Script::default().then(error(403, "AccessDenied"));
        let Err(PointerError::Failed(why)) = read(&script, "inbox/a", 100).await else {
            panic!("nobody knows whether it is there");
        };
        assert!(why.contains("s3:GetObject on bucket calls is denied"), "{why}");
    }

    #[tokio::test]
    async fn what_lies_elsewhere_is_not_even_asked_for() {
        let script = Script::default();
        for key in ["bodies/a", "inbox/", "/inbox/a", "inbox"] {
            let foreign = read(&script, key, 100).await;
            assert!(
                matches!(foreign, Err(PointerError::Foreign { .. })),
                "{key}: {foreign:?}"
            );
        }
        assert!(script.asked().is_empty());
    }
}
