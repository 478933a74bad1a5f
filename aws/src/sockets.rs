//! Pushes to WebSocket connections that API Gateway holds.

use crate::fault::{Asked, Fault};
use crate::retry::Patience;
use aws_config::SdkConfig;
use aws_sdk_apigatewaymanagement::Client;
use aws_sdk_apigatewaymanagement::primitives::Blob;
use smoother_core::ports::{BoxFuture, ConnectionId, Entropy, Pushed, QueueError, Sockets};
use std::sync::Arc;
use std::time::Duration;

/// A connection that does not read is not waited for: the ends of all others stand behind it.
const PATIENCE: Patience = Patience {
    tries: 4,
    first_pause: Duration::from_millis(50),
    longest_pause: Duration::from_millis(500),
    within: Duration::from_secs(2),
};

/// For connections, at the management endpoint of their API. What the environment says of endpoints does not hold for
/// it: each API has its own.
pub fn client(environment: &SdkConfig, endpoint: &str) -> Client {
    let config = aws_sdk_apigatewaymanagement::config::Builder::from(environment)
        .endpoint_url(endpoint)
        .build();
    Client::from_conf(config)
}

/// The management endpoint of a WebSocket API.
#[derive(Clone)]
pub struct GatewaySockets {
    client: Client,
    endpoint: String,
    chance: Arc<dyn Entropy>,
}

impl GatewaySockets {
    /// `client` calls `endpoint`, the API's management endpoint.
    pub fn new(client: Client, endpoint: impl Into<String>, chance: Arc<dyn Entropy>) -> Self {
        Self {
            client,
            endpoint: endpoint.into(),
            chance,
        }
    }

    async fn post(&self, to: &str, text: Blob) -> Result<Pushed, Fault> {
        let asked = Asked {
            action: "execute-api:ManageConnections",
            kind: "WebSocket API",
            name: &self.endpoint,
        };
        match self
            .client
            .post_to_connection()
            .connection_id(to)
            .data(text)
            .send()
            .await
        {
            Ok(_) => Ok(Pushed::Delivered),
            // A gateway whose answer has no body says it by the status alone.
            Err(error)
                if error
                    .raw_response()
                    .is_some_and(|raw| raw.status().as_u16() == 410) =>
            {
                Ok(Pushed::Gone)
            }
            Err(error) => Err(asked.failed(&error)),
        }
    }
}

impl Sockets for GatewaySockets {
    fn push(&self, to: &ConnectionId, text: String) -> BoxFuture<'_, Result<Pushed, QueueError>> {
        let (to, text) = (to.clone(), Blob::new(text));
        Box::pin(async move {
            PATIENCE
                .ask(&*self.chance, || self.post(to.as_str(), text.clone()))
                .await
                .map_err(|fault| QueueError::Failed {
                    queue: "the WebSocket API",
                    cause: fault.to_string(),
                })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::script::{Answer, Script, chance};
    use serde_json::json;

    async fn pushed(script: &Script) -> Result<Pushed, QueueError> {
        let endpoint = "https://abc.execute-api.us-east-1.amazonaws.com/live";
        let client = client(&script.environment(), endpoint);
        let sockets = GatewaySockets::new(client, endpoint, chance());
        let connection = ConnectionId::new("L0SM9c=").unwrap();
        sockets.push(&connection, "{}".to_owned()).await
    }

    #[tokio::test(start_paused = true)]
    async fn a_push_goes_to_its_connection() {
        let script = Script::default().then(Answer::done());
        assert_eq!(pushed(&script).await, Ok(Pushed::Delivered));
        assert_eq!(script.asked(), ["POST /live/@connections/L0SM9c%3D"]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_that_is_gone_is_no_error() {
        for body in [json!({"message": "Gone"}), json!({})] {
            let script = Script::default().then(Answer::Json(410, body));
            assert_eq!(pushed(&script).await, Ok(Pushed::Gone));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_busy_gateway_is_asked_again_and_a_closed_one_is_named() {
        let busy = || Answer::Json(429, json!({"__type": "LimitExceededException"}));
        let script = Script::default().then(busy()).then(busy()).then(Answer::done());
        assert_eq!(pushed(&script).await, Ok(Pushed::Delivered));

        let denied = Answer::Json(403, json!({"__type": "ForbiddenException", "message": "no"}));
        let said = pushed(&Script::default().then(denied))
            .await
            .unwrap_err()
            .to_string();
        assert!(
            said.contains("execute-api:ManageConnections") && said.contains("abc"),
            "{said}"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_that_does_not_read_is_given_up_soon() {
        let busy = || Answer::Json(429, json!({"__type": "LimitExceededException"}));
        let script = Script::default().times(4, busy);
        let began = tokio::time::Instant::now();
        pushed(&script).await.unwrap_err();
        assert!(began.elapsed() < Duration::from_secs(2));
        assert_eq!(script.asked().len(), 4);
    }
}
