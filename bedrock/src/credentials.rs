//! Where a lane's credentials come from.

use aws_config::ecs::EcsCredentialsProvider;
use aws_config::environment::credentials::EnvironmentVariableCredentialsProvider;
use aws_config::meta::credentials::CredentialsProviderChain;
use aws_config::profile::ProfileFileCredentialsProvider;
use aws_config::provider_config::ProviderConfig;
use aws_config::sts::AssumeRoleProvider;
use aws_config::web_identity_token::WebIdentityTokenCredentialsProvider;
use aws_config::{Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_runtime_api::client::http::SharedHttpClient;

/// The lane's role, assumed with `base` and renewed by the SDK before it runs out.
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
pub(crate) fn of_a_simulator(region: &Region, http: &SharedHttpClient) -> SharedCredentialsProvider {
    let config = ProviderConfig::without_region()
        .with_region(Some(region.clone()))
        .with_http_client(http.clone());
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
