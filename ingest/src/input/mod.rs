//! The input queue: a message is the body of `POST /v1/jobs`.
//!
//! Three attributes say what headers say at the other door: `Priority`, `IdempotencyKey` and `Tenant`. Without a key
//! the message's own id is one, so that a message delivered twice is one request. A body that is too large for a
//! message lies elsewhere, and the message points to it: `{"s3": {"bucket": "…", "key": "…"}}`.
//!
//! | the message | what becomes of it |
//! |---|---|
//! | can be taken | is stored and in its lane's queue |
//! | cannot be taken, now or later | a letter for the dead-letter queue, with the reason; where its tenant and its lane are known also a request that ended FAILED |
//! | cannot be taken now, because more waits than may or something fails | is left to come again |
//!
//! A request that failed so stands under the message's id, not under the producer's key: the key stays free for the
//! message that is mended.

mod dead;
mod form;
#[cfg(test)]
mod tests;
mod whose;

pub use whose::Senders;

use crate::ingest::Ingest;
use crate::job::JobForm;
use crate::meters;
use crate::refusal::Refusal;
use smoother_core::ports::{Message, Pointers};
use smoother_core::{RequestId, TenantId};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A message as the queue delivers it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arriving {
    /// The queue's own id of it, the same at every delivery.
    pub id: String,
    /// Its text.
    pub body: String,
    /// Its attributes that are texts; what is none stands here with an empty text.
    pub attributes: BTreeMap<String, String>,
    /// Who sent it, as the queue has proved.
    pub sender: Option<String>,
}

/// What became of a message.
#[derive(Debug)]
pub enum Taken {
    /// It is durable, as this request, and need not come again.
    Accepted(RequestId),
    /// It can never be taken. Once the letter is with the dead-letter queue it need not come again.
    Dead(Message),
    /// It cannot be taken now, and why: it has to come again.
    Again(String),
}

/// By what messages are taken in.
pub struct Input {
    ingest: Arc<Ingest>,
    senders: Senders,
    pointers: Arc<dyn Pointers>,
}

impl Input {
    /// Messages go in by `ingest`; what they point to is read by `pointers`.
    pub fn new(ingest: Arc<Ingest>, senders: Senders, pointers: Arc<dyn Pointers>) -> Self {
        Self {
            ingest,
            senders,
            pointers,
        }
    }

    /// Takes a message in.
    pub async fn take(&self, message: &Arriving) -> Taken {
        let tenant = match self.senders.tenant(message) {
            Ok(tenant) => tenant,
            Err(refusal) => return self.refused(message, None, &refusal).await,
        };
        let form = match self.form(message).await {
            Ok(form) => form,
            Err(refusal) => return self.refused(message, None, &refusal).await,
        };
        let identity = Some((&tenant, &form));
        let submission = match form.clone().submission(tenant.clone()) {
            Ok(submission) => submission,
            Err(refusal) => return self.refused(message, identity, &refusal).await,
        };
        match self.ingest.submit(submission).await {
            Ok(accepted) => Taken::Accepted(accepted.request.id),
            Err(refusal) => self.refused(message, identity, &refusal).await,
        }
    }

    async fn refused(
        &self,
        message: &Arriving,
        identity: Option<(&TenantId, &JobForm)>,
        refusal: &Refusal,
    ) -> Taken {
        if refusal.retry_after().is_some() {
            return Taken::Again(refusal.to_string());
        }
        meters::refused(refusal);
        let failed = match identity {
            Some((tenant, form)) => self.ingest.fail(message, tenant, form, refusal).await,
            None => Ok(None),
        };
        match failed {
            Ok(request) => Taken::Dead(dead::letter(message, refusal, request)),
            Err(refusal) => Taken::Again(refusal.to_string()),
        }
    }
}
