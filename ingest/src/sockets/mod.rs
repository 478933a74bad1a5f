//! What a WebSocket says, and what it is answered, whoever holds the connection.
//!
//! ```json
//! {"action": "submit", "ref": "a1", "job": {"model": "…", "prompt": "…"}}
//! {"action": "subscribe", "ref": "a2", "id": "…"}
//! {"action": "cancel", "ref": "a3", "id": "…"}
//! ```
//! Each message has one answer, with its `ref` where it has one: `{"type": "job", "ref": "a1", "job": {"id": …,
//! "status": …}}` or `{"type": "error", "ref": "a1", "error": {…}}`. Whoever submits or subscribes is told the end of
//! that job by a later message, once or more; what that looks like is the way out's business.
//!
//! A job that was taken in is answered as such whatever else fails: where the end could not be subscribed to, the answer
//! has `"followed": false`, and `subscribe` with its id does it again.
//!
//! A subscription is durable before the job's row is looked at. So an end is either seen by that look, and comes with
//! the answer, or it is stored later and finds the subscription.

mod ask;
mod say;
#[cfg(test)]
mod tests;

use crate::ingest::Ingest;
use crate::job::JobForm;
use crate::refusal::Refusal;
use ask::{Action, Ask};
use bytes::Bytes;
use smoother_core::ports::{ChangeError, ConnectionId, Connections};
use smoother_core::{Request, RequestId, TenantId};

/// The answer to one message.
#[derive(Debug)]
pub struct Said {
    /// What the connection is told.
    pub text: String,
    /// A job the connection wants to hear of, which has ended already: to be told right after the answer.
    pub ended: Option<Box<Request>>,
}

impl Ingest {
    /// Answers one text message of a connection.
    pub async fn hear(
        &self,
        connections: &dyn Connections,
        connection: &ConnectionId,
        tenant: &TenantId,
        text: &str,
    ) -> Said {
        let (reference, outcome) = match Ask::parse(text) {
            Ok(Ask { reference, action }) => {
                let outcome = self.act(connections, connection, tenant, action).await;
                (reference, outcome)
            }
            Err(refusal) => (None, Err(refusal)),
        };
        match outcome {
            Ok(done) => Said {
                text: say::job(reference.as_deref(), &done.row, done.lost_sight),
                ended: (done.follows && done.row.state.is_terminal()).then(|| Box::new(done.row)),
            },
            Err(refusal) => {
                crate::meters::refused(&refusal);
                Said {
                    text: say::refusal(reference.as_deref(), &refusal),
                    ended: None,
                }
            }
        }
    }

    async fn act(
        &self,
        connections: &dyn Connections,
        connection: &ConnectionId,
        tenant: &TenantId,
        action: Action,
    ) -> Result<Done, Refusal> {
        match action {
            Action::Submit(form) => {
                let taken = self.take_job(tenant, &form).await?;
                Ok(self.followed(connections, connection, tenant, taken).await)
            }
            Action::Subscribe(id) => {
                self.own(tenant, id).await?;
                connections.subscribe(connection, id).await?;
                let row = self.own(tenant, id).await?;
                Ok(Done::new(row, true))
            }
            Action::Cancel(id) => {
                self.own(tenant, id).await?;
                let row = self.cancel(id).await.map_err(|error| match error {
                    ChangeError::NotFound(id) => Refusal::UnknownJob(id),
                    ChangeError::Store(error) => error.into(),
                    ChangeError::Refused(why) => Refusal::invalid(why.to_string()),
                })?;
                Ok(Done::new(row, false))
            }
        }
    }

    /// A job that is taken in, subscribed to.
    async fn followed(
        &self,
        connections: &dyn Connections,
        connection: &ConnectionId,
        tenant: &TenantId,
        taken: Request,
    ) -> Done {
        let id = taken.id;
        let followed = async {
            connections.subscribe(connection, id).await?;
            self.own(tenant, id).await
        };
        match followed.await {
            Ok(row) => Done::new(row, true),
            Err(error) => {
                tracing::warn!(%connection, request = %id, %error, "a job was taken in, and its end could not be subscribed to");
                Done {
                    lost_sight: true,
                    ..Done::new(taken, true)
                }
            }
        }
    }

    async fn take_job(&self, tenant: &TenantId, form: &Bytes) -> Result<Request, Refusal> {
        let most = self.settings().config.server.max_body_bytes;
        if form.len() as u64 > most {
            return Err(Refusal::TooLarge { limit: most });
        }
        let submission = JobForm::parse(form)?.submission(tenant.clone())?;
        Ok(self.submit(submission).await?.request)
    }

    /// The row, if it is this tenant's; another's is none that it could know of.
    async fn own(&self, tenant: &TenantId, id: RequestId) -> Result<Request, Refusal> {
        let row = self.ports.store.get(id).await?;
        row.filter(|row| row.tenant == *tenant)
            .ok_or(Refusal::UnknownJob(id))
    }
}

struct Done {
    row: Request,
    /// Whether the connection wants to hear of its end.
    follows: bool,
    /// Whether it wants to and could not subscribe.
    lost_sight: bool,
}

impl Done {
    const fn new(row: Request, follows: bool) -> Self {
        Self {
            row,
            follows,
            lost_sight: false,
        }
    }
}
