//! One call, up to the head of its answer.

use crate::forward::Forward;
use crate::wire::{self, RawAnswer, label, path};
use crate::{Lane, errors};
use aws_smithy_http_client::Connector;
use aws_smithy_runtime_api::client::connection::CaptureSmithyConnection;
use aws_smithy_runtime_api::client::http::HttpConnector;
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_types::body::SdkBody;
use bytes::Bytes;
use http::{HeaderName, HeaderValue};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use smoother_core::model::{ModelCall, ModelError, ModelErrorKind};
use std::error::Error;
use std::time::SystemTime;

/// That nobody below the worker tries again, in the words of AWS's SDKs.
const ATTEMPT: (HeaderName, HeaderValue) = (
    HeaderName::from_static("amz-sdk-request"),
    HeaderValue::from_static("attempt=1; max=1"),
);

/// An error's body is read up to here; a longer one is no error of Bedrock's.
const MAX_ERROR_BYTES: usize = 1 << 20;

/// Makes the call and resolves with its answer if Bedrock accepted it.
pub(crate) async fn call(lane: &Lane, call: &ModelCall) -> Result<RawAnswer, ModelError> {
    let path = path(call.operation, call.model.as_str());
    send(lane, &path, call.body.clone(), &call.headers).await
}

/// The same for the operations that cost no tokens.
pub(crate) async fn forward(
    lane: &Lane,
    what: &Forward<'_>,
    body: Bytes,
    headers: &[(String, String)],
) -> Result<RawAnswer, ModelError> {
    let path = match what {
        Forward::CountTokens { model } => format!("/model/{}/count-tokens", label(model.as_str())),
        Forward::ApplyGuardrail { identifier, version } => {
            format!(
                "/guardrail/{}/version/{}/apply",
                label(identifier),
                label(version)
            )
        }
    };
    send(lane, &path, body, headers).await
}

async fn send(
    lane: &Lane,
    path: &str,
    body: Bytes,
    headers: &[(String, String)],
) -> Result<RawAnswer, ModelError> {
    let upstream = &lane.upstream;
    let url = format!("{}{path}", upstream.url);
    let request = wire::request(&url, &upstream.agent, body, headers)?;
    let there = || upstream.skew.there(SystemTime::now());
    let granted = upstream.access.grant(request, there).await;
    let mut request = granted.map_err(|why| not_signed(lane, &why))?;
    // Beside the signature: what stands on the way may write these anew.
    request.headers_mut().insert(ATTEMPT.0, ATTEMPT.1);
    request.headers_mut().extend(upstream.trace.header());
    let request = HttpRequest::try_from(request.map(SdkBody::from))
        .map_err(|error| not_signed(lane, &errors::chain(&error)))?;
    let sent = SystemTime::now();
    let response = exchange(&upstream.connector, request)
        .await
        .map_err(|error| never_answered(lane, &error))?;
    let told = response.headers();
    // An age tells that somebody on the way had kept the answer.
    let date = told.get("date").filter(|_| told.get("age").is_none());
    upstream.skew.learn(date, sent, SystemTime::now());
    accept(response).await
}

/// Sends the request and waits for the answer's head. The connection on which a host failed is not used again: the next
/// may lead to a healthier one.
async fn exchange(connector: &Connector, mut request: HttpRequest) -> Result<HttpResponse, ConnectorError> {
    let connection = CaptureSmithyConnection::new();
    request.add_extension(connection.clone());
    let response = connector.call(request).await?;
    if matches!(response.status().as_u16(), 500 | 502 | 503 | 504)
        && let Some(connection) = connection.get()
    {
        connection.poison();
    }
    Ok(response)
}

async fn accept(response: HttpResponse) -> Result<RawAnswer, ModelError> {
    let status = response.status().as_u16();
    let head = wire::head(response.headers().iter());
    let body = response.into_body();
    if (200..300).contains(&status) {
        return Ok(RawAnswer { head, body });
    }
    let body = read(body, MAX_ERROR_BYTES).await.unwrap_or_default();
    Err(errors::answered(status, head.headers, &body))
}

fn not_signed(lane: &Lane, why: &str) -> ModelError {
    let lane = &lane.id;
    errors::ours(
        ModelErrorKind::Setup,
        format!("lane {lane}: the call could not be signed and was not sent; check its credentials: {why}"),
    )
}

fn never_answered(lane: &Lane, error: &ConnectorError) -> ModelError {
    let (lane, text) = (&lane.id, errors::chain(error));
    if no_connection(error) {
        errors::ours(
            ModelErrorKind::Connect,
            format!("lane {lane}: no connection to its endpoint: {text}"),
        )
    } else {
        errors::ours(
            ModelErrorKind::Cut,
            format!("lane {lane}: the connection broke before an answer came: {text}"),
        )
    }
}

fn no_connection(error: &(dyn Error + 'static)) -> bool {
    let mut next = Some(error);
    while let Some(error) = next {
        if error
            .downcast_ref::<hyper_util::client::legacy::Error>()
            .is_some_and(|e| e.is_connect())
        {
            return true;
        }
        next = error.source();
    }
    false
}

/// The whole of a body, at most `most` bytes.
pub(crate) async fn read(body: SdkBody, most: usize) -> Result<Bytes, ModelError> {
    match Limited::new(body, most).collect().await {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(errors::ours(
            ModelErrorKind::Malformed,
            format!("the answer is larger than {most} bytes"),
        )),
        Err(error) => Err(errors::cut(&*error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::Access;
    use crate::skew::Skew;
    use crate::trace::Trace;
    use crate::{Upstream, Way};
    use smoother_core::ids::{CallNo, LaneId, ModelId, RequestId};
    use smoother_core::model::Operation;
    use tokio::net::TcpListener;

    #[tokio::test]
    async fn without_credentials_nothing_is_sent() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let lane = Lane {
            id: LaneId::new("sonnet").unwrap(),
            way: Way::default(),
            upstream: Upstream {
                url: format!("http://{}", listener.local_addr().unwrap()),
                access: Access::Signed {
                    region: "us-east-1".to_owned(),
                    credentials: None,
                },
                connector: Connector::builder().build_http(),
                agent: HeaderValue::from_static("test"),
                skew: Skew::default(),
                trace: Trace::look(),
            },
        };
        let some_call = ModelCall {
            request: RequestId::from_bytes([1; 16]),
            number: CallNo::new(1),
            lane: lane.id.clone(),
            operation: Operation::Converse,
            model: ModelId::new("m").unwrap(),
            body: Bytes::from_static(b"{}"),
            headers: Vec::new(),
        };
        let called = call(&lane, &some_call);
        let error = tokio::select! {
            answer = called => answer.unwrap_err(),
            _ = listener.accept() => panic!("it was sent"),
        };
        assert_eq!(error.kind, ModelErrorKind::Setup, "{error}");
        assert!(error.message.contains("lane sonnet"), "{error}");
    }
}
