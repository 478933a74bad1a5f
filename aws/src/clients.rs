//! The SDK's clients, made once a process.
//!
//! Connections are pooled, TLS is rustls on ring. Retries are off: [`crate::retry`] makes them.

use crate::fault::chain;
use aws_config::{BehaviorVersion, SdkConfig};
use aws_credential_types::provider::ProvideCredentials;
use aws_sdk_s3::config::retry::RetryConfig;
use aws_sdk_s3::config::timeout::TimeoutConfig;
use aws_smithy_http_client::Builder as HttpBuilder;
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use aws_types::service_config::ServiceConfigKey;
use std::time::Duration;

/// Making a connection, TLS included.
const CONNECT: Duration = Duration::from_secs(2);
/// One call of a table, a queue or a topic, from sending to the whole answer.
const CALL: Duration = Duration::from_secs(5);
/// The wait for the first byte of an answer about an object, which may be large on its way there.
const OBJECT: Duration = Duration::from_secs(30);
/// Shorter than AWS keeps an unused connection, so that no call is sent into one that is being closed.
const IDLE: Duration = Duration::from_secs(15);

/// The AWS environment as the SDK reads it: Region, credentials, endpoints.
pub async fn environment() -> SdkConfig {
    let connections = HttpBuilder::new()
        .pool_idle_timeout(IDLE)
        .tls_provider(Provider::Rustls(CryptoMode::Ring))
        .build_https();
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(CONNECT)
        .operation_attempt_timeout(CALL)
        .build();
    aws_config::defaults(BehaviorVersion::latest())
        .http_client(connections)
        .retry_config(RetryConfig::disabled())
        .timeout_config(timeouts)
        .load()
        .await
}

/// A process that no service can be asked by.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unusable {
    /// Nobody says where the services are.
    #[error("no Region is set: AWS_REGION is missing; Lambda sets it, elsewhere set it yourself")]
    NoRegion,
    /// Nobody says who asks.
    #[error(
        "there are no credentials ({0}): AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are missing or wrong; Lambda sets \
         them where the function has a role"
    )]
    NoCredentials(String),
}

/// Whether there is what every call needs: a Region and credentials. Asked once, at a start; a call without them fails in
/// words that name no cause.
///
/// # Errors
/// What is missing, and who sets it.
pub async fn check(environment: &SdkConfig) -> Result<(), Unusable> {
    if environment.region().is_none() {
        return Err(Unusable::NoRegion);
    }
    let Some(provider) = environment.credentials_provider() else {
        return Err(Unusable::NoCredentials("nobody provides any".to_owned()));
    };
    let provided = tokio::time::timeout(CALL, provider.provide_credentials()).await;
    match provided {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(error)) => Err(Unusable::NoCredentials(chain(&error))),
        Err(_) => Err(Unusable::NoCredentials(format!(
            "none within {} s",
            CALL.as_secs()
        ))),
    }
}

/// For tables.
pub fn dynamodb(environment: &SdkConfig) -> aws_sdk_dynamodb::Client {
    aws_sdk_dynamodb::Client::new(environment)
}

/// For objects. Where the endpoint is not AWS's own, the bucket's name goes into the path: nobody resolves it as a
/// host.
pub fn s3(environment: &SdkConfig) -> aws_sdk_s3::Client {
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(CONNECT)
        .read_timeout(OBJECT)
        .build();
    let config = aws_sdk_s3::config::Builder::from(environment)
        .timeout_config(timeouts)
        .force_path_style(has_own_endpoint(environment))
        .build();
    aws_sdk_s3::Client::from_conf(config)
}

fn has_own_endpoint(environment: &SdkConfig) -> bool {
    let key = ServiceConfigKey::builder()
        .service_id("S3")
        .env("AWS_ENDPOINT_URL")
        .profile("endpoint_url")
        .build();
    let of_service = || {
        let found = environment.service_config()?.load_config(key.ok()?);
        found.map(drop)
    };
    environment.endpoint_url().is_some() || of_service().is_some()
}
