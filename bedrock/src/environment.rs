//! What the AWS environment, its profiles and a lane's configuration say about calling Bedrock.

use crate::access::Access;
use crate::connect::duration;
use crate::endpoint::{Endpoint, endpoint};
use crate::kept::Kept;
use crate::skew::Skew;
use crate::trace::Trace;
use crate::{Options, SetupError, Upstream, credentials, errors};
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_bedrockruntime::config::endpoint::{DefaultResolver, Params, ResolveEndpoint};
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use aws_smithy_http_client::{Builder as HttpBuilder, Connector};
use aws_smithy_runtime_api::client::http::HttpConnectorSettings;
use aws_smithy_types::timeout::TimeoutConfig;
use aws_types::service_config::ServiceConfigKey;
use http::HeaderValue;
use smoother_core::config::LaneConfig;
use std::sync::Arc;

/// Where an endpoint stands that is none of a lane's own.
const BY_ENVIRONMENT: &str =
    "the AWS environment's endpoint (AWS_ENDPOINT_URL_BEDROCK_RUNTIME, AWS_ENDPOINT_URL or the profile's)";

/// What a lane's endpoint means for what its calls are signed with.
#[derive(Debug, Clone, Copy)]
struct Wanted {
    /// It needs no account.
    simulator: bool,
    /// What is sent there can be read on the way.
    plain: bool,
}

/// The AWS environment as the SDK reads it, and what all lanes take from it.
pub(crate) struct Environment {
    sdk: SdkConfig,
    /// The default chain's credentials, one for all lanes that use it.
    chain: Option<Arc<Kept>>,
    token: Option<String>,
    endpoint: Option<String>,
}

impl Environment {
    /// Its connections serve the sources of credentials only.
    pub async fn read(lanes: &[&LaneConfig], options: &Options) -> Self {
        // A Region given here keeps the loader from asking the instance metadata service for one.
        let region = lanes.first().map_or_else(String::new, |lane| lane.region.clone());
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(duration(options.connect_timeout))
            .disable_read_timeout()
            .disable_operation_timeout()
            .disable_operation_attempt_timeout()
            .build();
        let http = HttpBuilder::new()
            .pool_idle_timeout(duration(options.idle_timeout))
            .pool_max_idle_per_host(1)
            .tls_provider(TLS)
            .build_https();
        let sdk = aws_config::defaults(BehaviorVersion::latest())
            .region(Region::new(region))
            .http_client(http)
            .timeout_config(timeouts)
            .load()
            .await;
        Self {
            chain: sdk
                .credentials_provider()
                .map(|chain| Kept::new("the default chain".to_owned(), chain)),
            token: token(&sdk),
            endpoint: endpoint_set(&sdk),
            sdk,
        }
    }

    pub async fn upstream(&self, lane: &LaneConfig, options: &Options) -> Result<Upstream, SetupError> {
        if lane.region.is_empty() {
            let lane = lane.id.clone();
            return Err(SetupError::Region { lane });
        }
        let own = lane.endpoint.as_deref();
        let own = own.map(|text| endpoint(lane, "endpoint", text)).transpose()?;
        let theirs = self.endpoint.as_deref().filter(|_| own.is_none());
        let theirs = theirs
            .map(|text| endpoint(lane, BY_ENVIRONMENT, text))
            .transpose()?;
        let named = own.as_ref().or(theirs.as_ref());
        let credentials = Wanted {
            simulator: own.as_ref().is_some_and(|own| own.loopback),
            plain: named.is_some_and(|named| named.plain),
        };
        Ok(Upstream {
            url: self.url(lane, named).await?,
            access: self.access(lane, credentials).await?,
            connector: connector(lane.max_concurrency, options),
            agent: self.agent(),
            skew: Skew::default(),
            trace: Trace::look(),
        })
    }

    /// Where the lane's calls go, as the SDK's rules have it.
    async fn url(&self, lane: &LaneConfig, named: Option<&Endpoint>) -> Result<String, SetupError> {
        let nowhere = |cause: String| SetupError::Nowhere {
            lane: lane.id.clone(),
            found: lane.region.clone(),
            cause,
        };
        let params = Params::builder()
            .region(lane.region.clone())
            .set_use_fips(self.sdk.use_fips())
            .set_use_dual_stack(self.sdk.use_dual_stack())
            .set_endpoint(named.map(|named| named.url.clone()))
            .build()
            .map_err(|error| nowhere(errors::chain(&error)))?;
        let found = DefaultResolver::new().resolve_endpoint(&params).await;
        let found = found.map_err(|error| nowhere(errors::chain(&*error)))?;
        Ok(found.url().trim_end_matches('/').to_owned())
    }

    async fn access(&self, lane: &LaneConfig, wanted: Wanted) -> Result<Access, SetupError> {
        if let (Some(token), None, false) = (&self.token, &lane.role_arn, wanted.plain) {
            return Access::bearer(token).ok_or(SetupError::Token);
        }
        // As the SDK has it, roles are assumed in the lane's own Region.
        let sdk = self
            .sdk
            .to_builder()
            .region(Region::new(lane.region.clone()))
            .build();
        let simulator = wanted.simulator.then(|| credentials::of_a_simulator(&sdk));
        let credentials = match (&lane.role_arn, simulator) {
            (Some(role), simulator) => {
                let base = simulator.or_else(|| sdk.credentials_provider());
                let role_of = credentials::of_a_role(role, &sdk, base).await;
                Some(Kept::new(role.clone(), role_of))
            }
            (None, Some(simulator)) => Some(Kept::new("an endpoint on this machine".to_owned(), simulator)),
            (None, None) => self.chain.clone(),
        };
        Ok(Access::Signed {
            region: lane.region.clone(),
            credentials,
        })
    }

    /// Who calls, for the logs of whoever is called.
    fn agent(&self) -> HeaderValue {
        let name = concat!("bedrock-smoother/", env!("CARGO_PKG_VERSION"));
        let app = self.sdk.app_name().map(|app| format!("{name} app/{app}"));
        app.and_then(|text| HeaderValue::from_str(&text).ok())
            .unwrap_or_else(|| HeaderValue::from_static(name))
    }
}

/// The API key of Bedrock's.
fn token(sdk: &SdkConfig) -> Option<String> {
    setting(sdk, "bedrock", "AWS_BEARER_TOKEN", "")
}

/// The endpoint of Bedrock's that is set, or else the one of all services.
fn endpoint_set(sdk: &SdkConfig) -> Option<String> {
    setting(sdk, "Bedrock Runtime", "AWS_ENDPOINT_URL", "endpoint_url")
        .or_else(|| sdk.endpoint_url().map(str::to_owned))
}

/// What environment or profile say for one service.
fn setting(sdk: &SdkConfig, service: &str, env: &str, profile: &str) -> Option<String> {
    let key = ServiceConfigKey::builder()
        .service_id(service)
        .env(env)
        .profile(profile)
        .build()
        .ok()?;
    let set = sdk.service_config()?.load_config(key);
    set.filter(|text| !text.is_empty())
}

const TLS: Provider = Provider::Rustls(CryptoMode::Ring);

/// Connections of one lane: none is made yet.
fn connector(idle: u32, options: &Options) -> Connector {
    let settings = HttpConnectorSettings::builder()
        .connect_timeout(duration(options.connect_timeout))
        .build();
    Connector::builder()
        .connector_settings(settings)
        .pool_idle_timeout(duration(options.idle_timeout))
        .pool_max_idle_per_host(usize::try_from(idle).unwrap_or(usize::MAX))
        .tls_provider(TLS)
        .build()
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_credential_types::Credentials;
    use aws_credential_types::provider::SharedCredentialsProvider;
    use aws_smithy_async::rt::sleep::{SharedAsyncSleep, TokioSleep};
    use aws_smithy_async::time::{SharedTimeSource, SystemTimeSource};
    use aws_types::service_config::LoadServiceConfig;
    use smoother_core::ids::LaneId;
    use smoother_core::units::Millis;

    fn lane(region: &str, endpoint: Option<&str>) -> LaneConfig {
        let mut lane = LaneConfig::gone(LaneId::new("sonnet").unwrap(), Millis::from_secs(60));
        lane.region = region.to_owned();
        lane.endpoint = endpoint.map(str::to_owned);
        lane
    }

    fn around(fips: bool) -> Environment {
        let credentials = Credentials::new("ID", "s", None, None, "test");
        Environment {
            sdk: SdkConfig::builder()
                .behavior_version(BehaviorVersion::latest())
                .http_client(HttpBuilder::new().tls_provider(TLS).build_https())
                .sleep_impl(SharedAsyncSleep::new(TokioSleep::new()))
                .time_source(SharedTimeSource::new(SystemTimeSource::new()))
                .use_fips(fips)
                .build(),
            chain: Some(Kept::new(
                "the test".to_owned(),
                SharedCredentialsProvider::new(credentials),
            )),
            token: None,
            endpoint: None,
        }
    }

    async fn upstream(around: &Environment, lane: &LaneConfig) -> Result<Upstream, SetupError> {
        around.upstream(lane, &Options::default()).await
    }

    #[tokio::test]
    async fn the_endpoint_is_the_lanes_own_or_the_environments_or_the_regions() {
        let found = async |around: &Environment, lane: LaneConfig| upstream(around, &lane).await.unwrap().url;
        let (plain, fips) = (around(false), around(true));
        for (region, url) in [
            ("us-east-1", "https://bedrock-runtime.us-east-1.amazonaws.com"),
            (
                "cn-north-1",
                "https://bedrock-runtime.cn-north-1.amazonaws.com.cn",
            ),
        ] {
            assert_eq!(found(&plain, lane(region, None)).await, url);
        }
        assert_eq!(
            found(&fips, lane("us-east-1", None)).await,
            "https://bedrock-runtime-fips.us-east-1.amazonaws.com"
        );
        let named = Environment {
            endpoint: Some("https://vpce-1.example.com/".to_owned()),
            ..around(false)
        };
        assert_eq!(
            found(&named, lane("us-east-1", None)).await,
            "https://vpce-1.example.com"
        );
        assert_eq!(
            found(&named, lane("us-east-1", Some("http://127.0.0.1:9/p/"))).await,
            "http://127.0.0.1:9/p"
        );
    }

    #[tokio::test]
    async fn a_region_that_no_address_can_hold_is_refused_by_its_lanes_name() {
        let error = upstream(&around(false), &lane("us east 1", None))
            .await
            .unwrap_err();
        assert!(matches!(error, SetupError::Nowhere { .. }), "{error}");
        assert!(error.to_string().contains("lane sonnet"), "{error}");
        assert!(error.to_string().contains("us east 1"), "{error}");
    }

    #[tokio::test]
    async fn an_api_key_goes_before_the_chain_but_not_for_a_roles_quota_and_never_in_the_clear() {
        let around = Environment {
            token: Some("key-1".to_owned()),
            ..around(false)
        };
        let bears = async |lane: LaneConfig| {
            let access = upstream(&around, &lane).await.unwrap().access;
            matches!(access, Access::Bearer(header) if header == "Bearer key-1" && header.is_sensitive())
        };
        assert!(bears(lane("us-east-1", None)).await);
        assert!(bears(lane("us-east-1", Some("https://vpce-1.example.com"))).await);
        assert!(!bears(lane("us-east-1", Some("http://proxy.example.com"))).await);
        let in_the_clear = Environment {
            endpoint: Some("http://proxy.example.com".to_owned()),
            token: Some("key-1".to_owned()),
            ..self::around(false)
        };
        let found = upstream(&in_the_clear, &lane("us-east-1", None)).await.unwrap();
        assert!(matches!(found.access, Access::Signed { .. }), "{found:?}");
        let mut role = lane("us-east-1", None);
        role.role_arn = Some("arn:aws:iam::123456789012:role/quota".to_owned());
        assert!(!bears(role).await);
    }

    #[tokio::test]
    async fn an_api_key_that_no_header_holds_is_refused() {
        let around = Environment {
            token: Some("key\n2".to_owned()),
            ..around(false)
        };
        let error = upstream(&around, &lane("us-east-1", None)).await.unwrap_err();
        assert_eq!(error, SetupError::Token);
    }

    #[tokio::test]
    async fn an_endpoint_of_the_environments_is_checked_as_a_lanes_own_is() {
        for wrong in [
            "localhost:9000",
            "/path",
            "https://h/p?x=1",
            "https://h/#x",
            "https://name:secret@h",
        ] {
            let around = Environment {
                endpoint: Some(wrong.to_owned()),
                ..around(false)
            };
            let error = upstream(&around, &lane("us-east-1", None)).await.unwrap_err();
            let text = error.to_string();
            assert!(
                text.contains("AWS_ENDPOINT_URL") && text.contains("lane sonnet"),
                "{text}"
            );
            assert!(!text.contains("secret"), "{text}");
        }
    }

    #[tokio::test]
    async fn what_the_rules_do_not_know_is_refused_for_endpoints_of_ones_own_too() {
        let own = Some("https://vpce-1.example.com");
        for (fips, region) in [(true, "us-east-1"), (false, "us east 1")] {
            let error = upstream(&around(fips), &lane(region, own)).await.unwrap_err();
            assert!(matches!(error, SetupError::Nowhere { .. }), "{error}");
        }
    }

    /// As environment and profile: by variable first.
    #[derive(Debug)]
    struct Settings(&'static [(&'static str, &'static str)]);

    impl LoadServiceConfig for Settings {
        fn load_config(&self, key: ServiceConfigKey<'_>) -> Option<String> {
            let service = key.service_id().to_uppercase().replace(' ', "_");
            let variable = format!("{}_{service}", key.env());
            let found = self.0.iter().find(|(name, _)| *name == variable);
            found.map(|(_, value)| (*value).to_owned())
        }
    }

    #[test]
    fn settings_are_those_of_the_service_and_an_empty_one_is_none() {
        let sdk = |settings| SdkConfig::builder().service_config(Settings(settings)).build();
        let set = sdk(&[
            ("AWS_BEARER_TOKEN_BEDROCK", "key-1"),
            ("AWS_ENDPOINT_URL_BEDROCK_RUNTIME", "https://h"),
        ]);
        assert_eq!(token(&set).as_deref(), Some("key-1"));
        assert_eq!(endpoint_set(&set).as_deref(), Some("https://h"));
        let empty = sdk(&[("AWS_BEARER_TOKEN_BEDROCK", "")]);
        assert_eq!((token(&empty), endpoint_set(&empty)), (None, None));
        let general = empty.to_builder().endpoint_url("https://all").build();
        assert_eq!(endpoint_set(&general).as_deref(), Some("https://all"));
        let both = set.to_builder().endpoint_url("https://all").build();
        assert_eq!(endpoint_set(&both).as_deref(), Some("https://h"));
    }
}
