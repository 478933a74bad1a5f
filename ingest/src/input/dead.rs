//! A message that can never be taken: what its producer, and whoever looks after the queue, are told.

use super::Arriving;
use crate::ingest::Ingest;
use crate::job::JobForm;
use crate::refusal::Refusal;
use sha2::{Digest, Sha256};
use smoother_core::ports::{ChangeError, Inserted, Message, NewRequest, PayloadKind};
use smoother_core::request::Fresh;
use smoother_core::{Change, Door, Estimate, Failure, Request, RequestId, State, TenantId};

/// Attributes of one message, as queues have it.
const MOST_ATTRIBUTES: usize = 10;
/// Characters of the sentence that travels with it.
const MOST_DETAIL: usize = 600;

/// The message with its reason, for the dead-letter queue.
pub(super) fn letter(message: &Arriving, refusal: &Refusal, request: Option<RequestId>) -> Message {
    let detail: String = refusal
        .to_string()
        .chars()
        .filter(|c| !c.is_control())
        .take(MOST_DETAIL)
        .collect();
    let mut attributes = vec![
        ("Reason".to_owned(), refusal.reason().to_owned()),
        ("Detail".to_owned(), detail),
        ("MessageId".to_owned(), message.id.clone()),
    ];
    if let Some(id) = request {
        attributes.push(("JobId".to_owned(), id.to_string()));
    }
    let own = message
        .attributes
        .iter()
        .filter(|(name, value)| !value.is_empty() && attributes.iter().all(|(ours, _)| ours != *name))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect::<Vec<_>>();
    attributes.extend(own);
    attributes.truncate(MOST_ATTRIBUTES);
    Message {
        body: message.body.clone(),
        attributes,
    }
}

impl Ingest {
    /// Stores a request that ended FAILED for a message whose lane is known; `None` where it is not. Told again it
    /// finds the same request.
    pub(super) async fn fail(
        &self,
        message: &Arriving,
        tenant: &TenantId,
        form: &JobForm,
        refusal: &Refusal,
    ) -> Result<Option<RequestId>, Refusal> {
        let Some(request) = self.failing(message, tenant, form) else {
            return Ok(None);
        };
        let id = request.id;
        let body = self
            .ports
            .payloads
            .keep(id, PayloadKind::Body, form.body.clone())
            .await?;
        if let Inserted::Conflict = self.ports.store.insert(NewRequest { request, body }).await? {
            return Ok(None);
        }
        let failure = Failure {
            kind: None,
            // Its own fault, whatever it was: nothing to be sent again by an operator.
            status: 400,
            exception: "ValidationException".to_owned(),
            message: refusal.to_string(),
            headers: Vec::new(),
        };
        let at = self.ports.clock.now();
        let fail = Change::Fail {
            call: None,
            failure,
            at,
        };
        match self.ports.store.change(id, fail).await {
            // Refused: it ended so when the message came before.
            Ok(_) | Err(ChangeError::Refused(_)) => Ok(Some(id)),
            Err(ChangeError::NotFound(id)) => Err(Refusal::UnknownJob(id)),
            Err(ChangeError::Store(error)) => Err(error.into()),
        }
    }

    /// The row of a message that is to fail: RECEIVED, so that no lane releases it in between.
    fn failing(&self, message: &Arriving, tenant: &TenantId, form: &JobForm) -> Option<Request> {
        let settings = self.settings();
        let route = settings.routes.find(&form.model).ok()?;
        let fresh = Fresh {
            id: RequestId::keyed(tenant, &format!("message:{}", message.id)),
            tenant: tenant.clone(),
            lane: route.lanes.first()?.id.clone(),
            model: route.model.clone(),
            operation: form.operation,
            door: Door::Job,
            arrived_at: self.ports.clock.now(),
            body_hash: Sha256::digest(&form.body).into(),
            body_bytes: form.body.len() as u64,
            estimate: Estimate::default(),
        };
        Some(Request {
            state: State::Received,
            priority: form.priority.unwrap_or_default(),
            ..Request::fresh(fresh)
        })
    }
}
