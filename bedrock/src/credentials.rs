//! Where a lane's credentials come from.

use aws_config::SdkConfig;
use aws_config::ecs::EcsCredentialsProvider;
use aws_config::environment::credentials::EnvironmentVariableCredentialsProvider;
use aws_config::meta::credentials::CredentialsProviderChain;
use aws_config::profile::ProfileFileCredentialsProvider;
use aws_config::provider_config::ProviderConfig;
use aws_config::sts::AssumeRoleProvider;
use aws_config::web_identity_token::WebIdentityTokenCredentialsProvider;
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;

/// The lane's role, assumed with `base` and kept by whoever asks for it (`kept`).
pub(crate) async fn of_a_role(
    role: &str,
    shared: &SdkConfig,
    base: Option<SharedCredentialsProvider>,
) -> SharedCredentialsProvider {
    let builder = AssumeRoleProvider::builder(role)
        .session_name("bedrock-smoother")
        .configure(shared);
    SharedCredentialsProvider::new(match base {
        Some(base) => builder.build_from_provider(base).await,
        None => builder.build().await,
    })
}

/// The default chain for an endpoint on this machine: real credentials where any are configured (the endpoint
/// may be a tunnel), dummy ones where none are (it is a simulator).
///
/// The instance metadata service, last in the default chain, is left out: outside EC2 it is asked in vain for
/// seconds, and a simulator needs nothing of it.
pub(crate) fn of_a_simulator(shared: &SdkConfig) -> SharedCredentialsProvider {
    let mut config = ProviderConfig::without_region().with_region(shared.region().cloned());
    if let Some(http) = shared.http_client() {
        config = config.with_http_client(http);
    }
    let dummy = Credentials::new("SIMULATOR", "simulator", None, None, "simulator");
    SharedCredentialsProvider::new(
        CredentialsProviderChain::first_try("Environment", EnvironmentVariableCredentialsProvider::new())
            .or_else(
                "Profile",
                ProfileFileCredentialsProvider::builder()
                    .configure(&config)
                    .build(),
            )
            .or_else(
                "WebIdentityToken",
                WebIdentityTokenCredentialsProvider::builder()
                    .configure(&config)
                    .build(),
            )
            .or_else(
                "EcsContainer",
                EcsCredentialsProvider::builder().configure(&config).build(),
            )
            .or_else("Simulator", dummy),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_config::{BehaviorVersion, Region};
    use aws_credential_types::provider::ProvideCredentials;
    use aws_smithy_async::rt::sleep::{SharedAsyncSleep, TokioSleep};
    use aws_smithy_async::time::{SharedTimeSource, SystemTimeSource};
    use aws_smithy_http_client::Builder;
    use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    /// Answers one AssumeRole as STS does and returns what was asked.
    async fn sts(listener: TcpListener) -> String {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut asked = String::new();
        let mut buffer = [0; 4_096];
        while !asked.contains("role%2Fquota") {
            let read = stream.read(&mut buffer).await.unwrap();
            asked.push_str(std::str::from_utf8(&buffer[..read]).unwrap());
        }
        let xml = "<AssumeRoleResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><AssumeRoleResult>\
            <Credentials><AccessKeyId>OTHER</AccessKeyId><SecretAccessKey>s</SecretAccessKey>\
            <SessionToken>t</SessionToken><Expiration>2100-01-01T00:00:00Z</Expiration></Credentials>\
            </AssumeRoleResult></AssumeRoleResponse>";
        let head = format!(
            "HTTP/1.1 200 OK\r\ncontent-type: text/xml\r\ncontent-length: {}\r\n\r\n",
            xml.len()
        );
        stream.write_all((head + xml).as_bytes()).await.unwrap();
        asked
    }

    #[tokio::test]
    async fn a_role_is_assumed_with_the_base_credentials() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let http = Builder::new()
            .tls_provider(Provider::Rustls(CryptoMode::Ring))
            .build_https();
        let shared = SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("eu-west-1"))
            .endpoint_url(format!("http://{address}"))
            .http_client(http)
            .sleep_impl(SharedAsyncSleep::new(TokioSleep::new()))
            .time_source(SharedTimeSource::new(SystemTimeSource::new()))
            .build();
        let base = SharedCredentialsProvider::new(Credentials::new("BASE", "s", None, None, "test"));
        let role = of_a_role("arn:aws:iam::123456789012:role/quota", &shared, Some(base)).await;
        let (credentials, asked) = tokio::join!(role.provide_credentials(), sts(listener));
        assert_eq!(credentials.unwrap().access_key_id(), "OTHER");
        assert!(asked.contains("Credential=BASE/"), "{asked}");
    }
}
