//! Idempotency keys: the caller's own, and the one an AWS SDK sends with every attempt of a call.
//!
//! An SDK that gave up waiting sends the same call again with the same `amz-sdk-invocation-id`; by it the
//! second attempt joins the first one's request, and the call is paid for once. It counts for the time of the
//! call only: a request that was cancelled because its caller stayed away, or that made room for others before it
//! was called, does not stand in the way of the attempt that comes after all.

use crate::refusal::Refusal;
use smoother_core::{RequestId, TenantId};

/// By what a submission may be recognized as one already known.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Key {
    /// By nothing: every submission is a new request.
    #[default]
    None,
    /// By the caller's own key.
    Given(String),
    /// By the invocation id of an AWS SDK.
    Invocation {
        /// The id, one for all attempts of a call.
        id: String,
        /// Which attempt this is, from 1, where the SDK says so.
        attempt: Option<u32>,
        /// How many attempts there will be at most, where the SDK says so.
        most: Option<u32>,
    },
}

impl Key {
    /// The caller's own key: 1 to 256 printable ASCII characters.
    pub fn given(text: &str) -> Result<Self, Refusal> {
        if (1..=256).contains(&text.len()) && text.bytes().all(|b| (0x20..0x7f).contains(&b)) {
            Ok(Self::Given(text.to_owned()))
        } else {
            Err(Refusal::invalid(format!(
                "The idempotency key has {} bytes; it must be 1 to 256 printable ASCII characters.",
                text.len()
            )))
        }
    }

    /// An SDK's invocation id with its `amz-sdk-request` header (`attempt=1; max=3`). An id that could be no key
    /// is taken for none: the SDK did not mean it for us.
    pub fn invocation(id: &str, request: Option<&str>) -> Self {
        if id.is_empty() || id.len() > 256 || !id.is_ascii() {
            return Self::None;
        }
        let field = |name: &str| {
            request?.split(';').find_map(|part| {
                let (key, value) = part.split_once('=')?;
                (key.trim() == name).then(|| value.trim().parse().ok())?
            })
        };
        Self::Invocation {
            id: id.to_owned(),
            attempt: field("attempt"),
            most: field("max"),
        }
    }

    /// The request's id under this key, the `generation`th since 0; `None` where every submission is new.
    ///
    /// The two kinds of keys are kept apart: a caller's key cannot name an SDK's call.
    pub(crate) fn id(&self, tenant: &TenantId, generation: u32) -> Option<RequestId> {
        match self {
            Self::None => None,
            Self::Given(key) => Some(RequestId::keyed(tenant, &format!("key:{key}"))),
            Self::Invocation { id, .. } if generation == 0 => {
                Some(RequestId::keyed(tenant, &format!("sdk:{id}")))
            }
            Self::Invocation { id, .. } => Some(RequestId::keyed(tenant, &format!("sdk:{id}:{generation}"))),
        }
    }

    /// Whether the request may well be known already, so that the store is asked before anything is written.
    pub(crate) fn may_be_known(&self) -> bool {
        match self {
            Self::None => false,
            Self::Given(_) => true,
            Self::Invocation { attempt, .. } => *attempt != Some(1),
        }
    }

    /// Whether a caller who goes away now can come back to the same request.
    pub(crate) fn may_come_back(&self) -> bool {
        match self {
            Self::None => false,
            Self::Given(_) => true,
            Self::Invocation {
                attempt: Some(attempt),
                most: Some(most),
                ..
            } => attempt < most,
            Self::Invocation { .. } => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sdk(request: &str) -> Key {
        Key::invocation("8f1c", Some(request))
    }

    #[test]
    fn an_sdks_attempts_share_an_id_and_a_callers_key_is_another() {
        let tenant = TenantId::default();
        let (first, second) = (
            sdk("attempt=1; max=3"),
            sdk("ttl=20200101T000000Z; attempt=2; max=3"),
        );
        assert_eq!(first.id(&tenant, 0), second.id(&tenant, 0));
        assert_ne!(first.id(&tenant, 0), first.id(&tenant, 1));
        assert_ne!(Key::Given("8f1c".into()).id(&tenant, 0), first.id(&tenant, 0));
        assert_ne!(Key::Given("sdk:8f1c".into()).id(&tenant, 0), first.id(&tenant, 0));
    }

    #[test]
    fn the_last_attempt_is_not_waited_for() {
        assert!(sdk("attempt=1; max=3").may_come_back());
        assert!(!sdk("attempt=3; max=3").may_come_back());
        assert!(Key::invocation("8f1c", None).may_come_back());
        assert!(!Key::None.may_come_back());
    }

    #[test]
    fn only_a_first_attempt_is_taken_for_new() {
        assert!(!sdk("attempt=1; max=3").may_be_known());
        assert!(sdk("attempt=2; max=3").may_be_known());
        assert!(sdk("garbage").may_be_known());
    }

    #[test]
    fn keys_are_printable_and_bounded() {
        assert!(Key::given("order 66/a").is_ok());
        for bad in ["", "ä", "a\nb", &"x".repeat(257)] {
            assert_eq!(Key::given(bad).unwrap_err().status(), 400, "{bad:?}");
        }
        assert_eq!(Key::invocation("", None), Key::None);
    }
}
