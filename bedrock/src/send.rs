//! One call through the SDK, up to the head of its answer.

use crate::errors;
use crate::exchange::{Exchange, PassThrough, RawAnswer};
use crate::{Lane, forward::Forward};
use aws_sdk_bedrockruntime::error::SdkError;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use bytes::Bytes;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use smoother_core::model::{ModelCall, ModelError, ModelErrorKind, Operation};
use std::error::Error;
use std::sync::Arc;

/// An error's body is read up to here; a longer one is no error of Bedrock's.
const MAX_ERROR_BYTES: usize = 1 << 20;

/// Makes the call and resolves with its answer if Bedrock accepted it.
pub(crate) async fn call(lane: &Lane, call: &ModelCall) -> Result<RawAnswer, ModelError> {
    let exchange = Exchange::new(call.body.clone(), &call.headers)?;
    let around = PassThrough(Arc::clone(&exchange));
    let (client, model) = (&lane.client, call.model.as_str());
    let lost = match call.operation {
        Operation::Converse => lost(
            client
                .converse()
                .model_id(model)
                .customize()
                .interceptor(around)
                .send()
                .await,
        ),
        Operation::ConverseStream => lost(
            client
                .converse_stream()
                .model_id(model)
                .customize()
                .interceptor(around)
                .send()
                .await,
        ),
        Operation::Invoke => lost(
            client
                .invoke_model()
                .model_id(model)
                .customize()
                .interceptor(around)
                .send()
                .await,
        ),
        Operation::InvokeWithResponseStream => lost(
            client
                .invoke_model_with_response_stream()
                .model_id(model)
                .customize()
                .interceptor(around)
                .send()
                .await,
        ),
    };
    accept(lane, &exchange, lost).await
}

/// The same for the operations that cost no tokens.
pub(crate) async fn forward(
    lane: &Lane,
    what: &Forward<'_>,
    body: Bytes,
    headers: &[(String, String)],
) -> Result<RawAnswer, ModelError> {
    let exchange = Exchange::new(body, headers)?;
    let around = PassThrough(Arc::clone(&exchange));
    let client = &lane.client;
    let lost = match what {
        Forward::CountTokens { model } => lost(
            client
                .count_tokens()
                .model_id(model.as_str())
                .customize()
                .interceptor(around)
                .send()
                .await,
        ),
        Forward::ApplyGuardrail { identifier, version } => lost(
            client
                .apply_guardrail()
                .guardrail_identifier(*identifier)
                .guardrail_version(*version)
                .customize()
                .interceptor(around)
                .send()
                .await,
        ),
    };
    accept(lane, &exchange, lost).await
}

/// Why the SDK gave up; of use only where the exchange holds no answer.
struct Lost {
    before_connection: bool,
    text: String,
}

/// The SDK's output is made of an emptied body and says nothing; its error tells why no answer came.
fn lost<T, E: Error + 'static>(result: Result<T, SdkError<E, HttpResponse>>) -> Option<Lost> {
    match result {
        // An answer came: the SDK failed only at reading what the exchange had taken out.
        Ok(_) | Err(SdkError::ServiceError(_) | SdkError::ResponseError(_)) => None,
        Err(error) => Some(Lost {
            before_connection: no_connection(&error),
            text: errors::chain(&error),
        }),
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

async fn accept(lane: &Lane, exchange: &Exchange, lost: Option<Lost>) -> Result<RawAnswer, ModelError> {
    let Some(answer) = exchange.take_answer() else {
        return Err(never_answered(lane, exchange.was_sent(), lost));
    };
    if (200..300).contains(&answer.status) {
        return Ok(answer);
    }
    let body = read(answer.body, MAX_ERROR_BYTES).await.unwrap_or_default();
    Err(errors::answered(answer.status, answer.head.headers, &body))
}

fn never_answered(lane: &Lane, sent: bool, lost: Option<Lost>) -> ModelError {
    let Lost {
        before_connection,
        text,
    } = lost.unwrap_or_else(|| Lost {
        before_connection: false,
        text: "no answer came".to_owned(),
    });
    let lane = &lane.id;
    if !sent {
        errors::ours(
            ModelErrorKind::Setup,
            format!(
                "lane {lane}: the call could not be signed and was not sent; check its credentials and Region: {text}"
            ),
        )
    } else if before_connection {
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

/// The whole of a body, at most `most` bytes.
pub(crate) async fn read(body: aws_smithy_types::body::SdkBody, most: usize) -> Result<Bytes, ModelError> {
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
    use aws_config::{BehaviorVersion, Region};
    use aws_credential_types::Credentials;
    use aws_sdk_bedrockruntime::{Client, config::Builder};
    use smoother_core::ids::{CallNo, LaneId, ModelId, RequestId};

    fn lane(config: Builder) -> Lane {
        let config = config
            .behavior_version(BehaviorVersion::latest())
            .endpoint_url("http://127.0.0.1:1");
        Lane {
            id: LaneId::new("sonnet").unwrap(),
            way: crate::Way::default(),
            client: Client::from_conf(config.build()),
        }
    }

    fn some_call() -> ModelCall {
        ModelCall {
            request: RequestId::from_bytes([1; 16]),
            number: CallNo::new(1),
            lane: LaneId::new("sonnet").unwrap(),
            operation: Operation::Converse,
            model: ModelId::new("m").unwrap(),
            body: Bytes::from_static(b"{}"),
            headers: Vec::new(),
        }
    }

    #[tokio::test]
    async fn without_credentials_or_region_nothing_is_sent() {
        let no_credentials = Builder::new().region(Region::new("us-east-1"));
        let credentials = Credentials::new("id", "secret", None, None, "test");
        let no_region = Builder::new().credentials_provider(credentials);
        for config in [no_credentials, no_region] {
            let error = call(&lane(config), &some_call()).await.unwrap_err();
            assert_eq!(error.kind, ModelErrorKind::Setup, "{error}");
            assert!(error.message.contains("lane sonnet"), "{error}");
        }
    }
}
