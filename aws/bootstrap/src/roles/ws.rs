//! The WebSocket API's function: answers connections.

use super::runtime_ended;
use crate::house::House;
use aws_lambda_events::apigw::ApiGatewayWebsocketProxyRequest;
use http::HeaderValue;
use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde_json::{Value, json};
use smoother_core::TenantId;
use smoother_core::named::{NotNamed, TENANT_HEADER, tenant_named};
use smoother_core::ports::{ConnectionId, Connections, StoreError};
use smoother_core::request::Runner;
use smoother_ingest::Ingest;
use smoother_results::Herald;
use std::sync::Arc;

struct Desk {
    house: House,
    ingest: Arc<Ingest>,
    connections: Arc<dyn Connections>,
    herald: Herald,
}

pub(crate) async fn serve(house: House) -> anyhow::Result<()> {
    let model = house.model().await?;
    let desk = Arc::new(Desk {
        ingest: house.ingest(house.config.clone(), house.live(None), model, Runner::Worker),
        connections: house.connections(),
        herald: house.herald(Vec::new()),
        house,
    });
    let handler = move |event: LambdaEvent<ApiGatewayWebsocketProxyRequest>| {
        let desk = Arc::clone(&desk);
        async move {
            let answer = desk.answer(event.payload).await;
            desk.house.finish().await;
            Ok::<_, Error>(answer)
        }
    };
    runtime_ended(lambda_runtime::run(service_fn(handler)).await)
}

impl Desk {
    /// What API Gateway is answered: the status decides about a connection, the body goes to it.
    async fn answer(&self, event: ApiGatewayWebsocketProxyRequest) -> Value {
        let context = &event.request_context;
        let Some(connection) = context.connection_id.as_deref().and_then(ConnectionId::new) else {
            tracing::error!("an event of the WebSocket API names no connection");
            return json!({ "statusCode": 400 });
        };
        let done = match context.route_key.as_deref() {
            Some("$connect") => match self.tenant(&event) {
                Ok(tenant) => self.connections.opened(&connection, &tenant).await.map(|()| None),
                Err(error) => return json!({ "statusCode": 400, "body": error.to_string() }),
            },
            Some("$disconnect") => self.connections.closed(&connection).await.map(|()| None),
            _ => self
                .hear(&connection, event.body.as_deref().unwrap_or_default())
                .await
                .map(Some),
        };
        match done {
            Ok(None) => json!({ "statusCode": 200 }),
            Ok(Some(text)) => json!({ "statusCode": 200, "body": text }),
            Err(error) => {
                tracing::error!(%connection, %error, "a connection could not be served");
                json!({ "statusCode": 500 })
            }
        }
    }

    /// Whose a connection is. The API decides who may connect; whoever may is the tenant `default`, unless the
    /// configuration trusts the header that names another.
    fn tenant(&self, event: &ApiGatewayWebsocketProxyRequest) -> Result<TenantId, NotNamed> {
        // API Gateway gives both; a header that came twice is so only in these.
        let headers = match event.multi_value_headers.is_empty() {
            true => &event.headers,
            false => &event.multi_value_headers,
        };
        let values = headers.get_all(TENANT_HEADER).iter();
        tenant_named(
            self.house.config.server.trust_tenant,
            values.map(HeaderValue::as_bytes),
        )
    }

    async fn hear(&self, connection: &ConnectionId, text: &str) -> Result<String, StoreError> {
        let tenant = self.connections.tenant(connection).await?.unwrap_or_default();
        let said = self
            .ingest
            .hear(&*self.connections, connection, &tenant, text)
            .await;
        if let Some(row) = said.ended
            && let Err(error) = self.herald.tell_one(connection, &row).await
        {
            tracing::warn!(%connection, request = %row.id, %error, "an end could not be told; its result stays readable");
        }
        Ok(said.text)
    }
}
