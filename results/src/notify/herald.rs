//! Sends the message of an end to everybody who is to have it.

use super::message;
use crate::outbox::{Notify, NotifyError};
use futures_util::future::join_all;
use metrics::counter;
use smoother_core::Request;
use smoother_core::metrics::PUSHES_DROPPED;
use smoother_core::ports::{
    BoxFuture, Clock, ConnectionId, Connections, Mailbox, Message, OutboxEntry, PayloadKind, Payloads,
    Pushed, Sockets,
};
use std::sync::Arc;

/// Where messages go.
#[derive(Clone, Default)]
pub struct Outlets {
    /// Queues and topics.
    pub mailboxes: Vec<Arc<dyn Mailbox>>,
    /// WebSocket connections that have subscribed.
    pub sockets: Option<(Arc<dyn Sockets>, Arc<dyn Connections>)>,
}

/// Tells ends to those who are not in this process.
pub struct Herald {
    payloads: Arc<dyn Payloads>,
    clock: Arc<dyn Clock>,
    outlets: Outlets,
}

impl Herald {
    /// Small results are read from `payloads`.
    pub fn new(payloads: Arc<dyn Payloads>, clock: Arc<dyn Clock>, outlets: Outlets) -> Self {
        Self {
            payloads,
            clock,
            outlets,
        }
    }

    /// Tells one connection of an end: for whoever subscribes too late to hear of it. A connection that is gone is
    /// forgotten.
    ///
    /// # Errors
    /// The connection could not be told, for now.
    pub async fn tell_one(&self, connection: &ConnectionId, row: &Request) -> Result<(), NotifyError> {
        let message = self.message(row).await?;
        match &self.outlets.sockets {
            Some((sockets, connections)) => push(&**sockets, &**connections, connection, &message).await,
            None => Ok(()),
        }
    }

    async fn message(&self, row: &Request) -> Result<Message, NotifyError> {
        let (mut result, mut place) = (None, None);
        if message::is_small(row) {
            result = self
                .payloads
                .fetch(row.id, PayloadKind::Result)
                .await
                .map_err(|error| failed(&error))?;
        } else if message::is_answered(row) {
            place = self
                .payloads
                .place(row.id, PayloadKind::Result)
                .await
                .map_err(|error| failed(&error))?;
        }
        message::of(row, result.as_ref(), place, self.clock.now()).map_err(|error| failed(&error))
    }

    /// Everybody is told, whoever else could not be. Queues and topics have to take it; a connection that does not take
    /// it, because it does not read or its gateway fails, is passed over: it must not have the others told again and
    /// again. The result stays readable.
    async fn tell(&self, row: &Request) -> Result<(), NotifyError> {
        // Whatever is read is read first, so that nobody is told twice for what could not be.
        let (message, subscribers) = tokio::join!(self.message(row), self.subscribers(row));
        let (message, subscribers) = (message?, subscribers?);
        let mailboxes = self.outlets.mailboxes.iter();
        let posted = join_all(mailboxes.map(|mailbox| mailbox.post(message.clone())));
        let (posted, ()) = tokio::join!(posted, self.push_all(row, &subscribers, &message));
        let posted: Result<Vec<()>, _> = posted.into_iter().collect();
        posted.map_err(|error| failed(&error)).map(drop)
    }

    async fn subscribers(&self, row: &Request) -> Result<Vec<ConnectionId>, NotifyError> {
        match &self.outlets.sockets {
            Some((_, connections)) => connections
                .subscribers(row.id)
                .await
                .map_err(|error| failed(&error)),
            None => Ok(Vec::new()),
        }
    }

    async fn push_all(&self, row: &Request, to: &[ConnectionId], message: &Message) {
        let Some((sockets, connections)) = &self.outlets.sockets else {
            return;
        };
        let pushed = |connection| async move {
            if let Err(error) = push(&**sockets, &**connections, connection, message).await {
                counter!(PUSHES_DROPPED).increment(1);
                tracing::warn!(%connection, request = %row.id, %error, "an end was not pushed; its result stays readable");
            }
        };
        join_all(to.iter().map(pushed)).await;
    }
}

async fn push(
    sockets: &dyn Sockets,
    connections: &dyn Connections,
    to: &ConnectionId,
    message: &Message,
) -> Result<(), NotifyError> {
    match sockets
        .push(to, message.body.clone())
        .await
        .map_err(|error| failed(&error))?
    {
        Pushed::Delivered => Ok(()),
        // Nobody is left to tell; the result stays readable.
        Pushed::Gone => connections.closed(to).await.map_err(|error| failed(&error)),
    }
}

impl Notify for Herald {
    fn name(&self) -> &'static str {
        "messages"
    }

    fn ended<'a>(&'a self, entry: &'a OutboxEntry) -> BoxFuture<'a, Result<(), NotifyError>> {
        Box::pin(self.tell(&entry.request))
    }
}

fn failed(cause: &dyn std::fmt::Display) -> NotifyError {
    NotifyError {
        listener: "messages",
        cause: cause.to_string(),
    }
}
