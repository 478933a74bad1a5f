//! From the configuration's lanes to SDK clients.

use crate::credentials;
use crate::{Bedrock, Lane};
use arc_swap::ArcSwap;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_bedrockruntime::Client;
use aws_sdk_bedrockruntime::config::StalledStreamProtectionConfig;
use aws_sdk_bedrockruntime::config::retry::RetryConfig;
use aws_sdk_bedrockruntime::config::timeout::TimeoutConfig;
use aws_smithy_http_client::Builder as HttpBuilder;
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use aws_smithy_runtime_api::client::auth::AuthSchemeId;
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use http::Uri;
use smoother_core::config::LaneConfig;
use smoother_core::ids::LaneId;
use smoother_core::units::Millis;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

/// What the lanes have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// Longest time to make a connection, TLS included.
    pub connect_timeout: Millis,
    /// How long an unused connection is kept. Shorter than the idle limits of load balancers (60 s and more),
    /// so that a call is not sent into a connection that the other side is just closing.
    pub idle_timeout: Millis,
    /// Largest answer of an operation that does not stream, in bytes.
    pub max_answer_bytes: usize,
}

impl Default for Options {
    /// 3.1 s to connect as the SDK has it, 30 s idle, answers up to 64 MiB.
    fn default() -> Self {
        Self {
            connect_timeout: Millis::new(3_100),
            idle_timeout: Millis::from_secs(30),
            max_answer_bytes: 64 << 20,
        }
    }
}

/// Why a lane cannot be called at all; found before anything is sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SetupError {
    /// The lane has no Region, and without one nothing can be signed.
    #[error("lane {lane}: region is empty; name the AWS Region of its quota, such as us-east-1")]
    Region {
        /// Which lane.
        lane: LaneId,
    },
    /// The lane's endpoint is no address.
    #[error(
        "lane {lane}: endpoint {found:?} is not an http or https URL with a host, such as http://127.0.0.1:9000"
    )]
    Endpoint {
        /// Which lane.
        lane: LaneId,
        /// What the configuration says.
        found: String,
    },
}

impl Bedrock {
    /// Makes one client a lane. Reads the AWS environment and profile files once; sends nothing: credentials are
    /// looked up by a lane's first call.
    ///
    /// Each lane has a pool of connections of its own, with TCP_NODELAY, which keeps as many idle ones as its
    /// calls may run at once; where the endpoint speaks HTTP/2 a lane's calls share one. A connection on which a
    /// 500, 502, 503 or 504 came is closed, since the next may lead to a healthier host.
    /// Credentials are the lane's `role_arn`, assumed by the default chain, or else the default chain itself;
    /// `AWS_BEARER_TOKEN_BEDROCK` goes before the chain, except for lanes with a role, whose quota it is not, and
    /// on plain http, where a token could be read on the way. An endpoint on a loopback address needs no account:
    /// where the environment and the profiles hold no credentials, calls to it are signed with dummy ones.
    pub async fn connect<'a>(
        lanes: impl IntoIterator<Item = &'a LaneConfig>,
        options: Options,
    ) -> Result<Self, SetupError> {
        let bedrock = Self {
            lanes: ArcSwap::default(),
            options,
        };
        let clients = bedrock.prepare(lanes).await?;
        bedrock.adopt(clients);
        Ok(bedrock)
    }

    /// The clients of these lanes, for [`Bedrock::adopt`]. A lane that is called as it was keeps its client and its
    /// connections; for the others the AWS environment and profile files are read anew. Nothing is sent.
    pub async fn prepare<'a>(
        &self,
        lanes: impl IntoIterator<Item = &'a LaneConfig>,
    ) -> Result<Clients, SetupError> {
        let known = self.lanes.load_full();
        let mut clients = HashMap::new();
        let mut fresh = Vec::new();
        for lane in lanes {
            match known.get(&lane.id) {
                Some(same) if same.way == Way::of(lane) => {
                    clients.insert(lane.id.clone(), Arc::clone(same));
                }
                _ => fresh.push(lane),
            }
        }
        if !fresh.is_empty() {
            let shared = environment(&fresh, &self.options).await;
            for lane in fresh {
                let client = client(lane, &shared, &self.options).await?;
                let (id, way) = (lane.id.clone(), Way::of(lane));
                clients.insert(lane.id.clone(), Arc::new(Lane { id, way, client }));
            }
        }
        Ok(Clients(clients))
    }

    /// Calls go through these from now on, and to no other lane; those under way end as they began.
    pub fn adopt(&self, clients: Clients) {
        self.lanes.store(Arc::new(clients.0));
    }
}

/// Clients that are ready and not in use yet.
#[derive(Debug)]
pub struct Clients(HashMap<LaneId, Arc<Lane>>);

/// Everything of a lane's configuration that its client is made of.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Way {
    region: String,
    endpoint: Option<String>,
    role_arn: Option<String>,
    connections: u32,
}

impl Way {
    fn of(lane: &LaneConfig) -> Self {
        Self {
            region: lane.region.clone(),
            endpoint: lane.endpoint.clone(),
            role_arn: lane.role_arn.clone(),
            connections: lane.max_concurrency,
        }
    }
}

fn connections(idle: u32, options: &Options) -> SharedHttpClient {
    HttpBuilder::new()
        .pool_idle_timeout(duration(options.idle_timeout))
        .pool_max_idle_per_host(usize::try_from(idle).unwrap_or(usize::MAX))
        .tls_provider(Provider::Rustls(CryptoMode::Ring))
        .build_https()
}

/// The AWS environment as the SDK reads it; what depends on the lane is set later.
///
/// Its connections serve the sources of credentials only.
async fn environment(lanes: &[&LaneConfig], options: &Options) -> SdkConfig {
    // A Region given here keeps the loader from asking the instance metadata service for one.
    let region = lanes.first().map_or_else(String::new, |lane| lane.region.clone());
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(duration(options.connect_timeout))
        .disable_read_timeout()
        .disable_operation_timeout()
        .disable_operation_attempt_timeout()
        .build();
    aws_config::defaults(BehaviorVersion::latest())
        .region(Region::new(region))
        .http_client(connections(1, options))
        .timeout_config(timeouts)
        .load()
        .await
}

async fn client(lane: &LaneConfig, shared: &SdkConfig, options: &Options) -> Result<Client, SetupError> {
    if lane.region.is_empty() {
        return Err(SetupError::Region {
            lane: lane.id.clone(),
        });
    }
    let endpoint = lane
        .endpoint
        .as_deref()
        .map(|text| endpoint(lane, text))
        .transpose()?;
    let region = Region::new(lane.region.clone());
    let shared = shared.to_builder().region(region.clone()).build();
    let mut config = aws_sdk_bedrockruntime::config::Builder::from(&shared)
        .http_client(connections(lane.max_concurrency, options))
        .retry_config(RetryConfig::disabled())
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled());
    if let Some(endpoint) = &endpoint {
        config.set_endpoint_url(Some(endpoint.url.clone()));
    }
    let base: Option<SharedCredentialsProvider> = match &endpoint {
        Some(endpoint) if endpoint.loopback => Some(credentials::of_a_simulator(&shared)),
        _ => shared.credentials_provider(),
    };
    let provider = match &lane.role_arn {
        Some(role) => Some(credentials::of_a_role(role, &shared, base).await),
        None => base,
    };
    config.set_credentials_provider(provider);
    if lane.role_arn.is_some() || endpoint.is_some_and(|e| e.plain) {
        config.set_auth_scheme_preference(Some([AuthSchemeId::from("sigv4")].into()));
    }
    Ok(Client::from_conf(config.build()))
}

struct Endpoint {
    url: String,
    loopback: bool,
    plain: bool,
}

fn endpoint(lane: &LaneConfig, text: &str) -> Result<Endpoint, SetupError> {
    let wrong = || SetupError::Endpoint {
        lane: lane.id.clone(),
        found: text.to_owned(),
    };
    let uri: Uri = text.parse().map_err(|_| wrong())?;
    let plain = match uri.scheme_str() {
        Some("http") => true,
        Some("https") => false,
        _ => return Err(wrong()),
    };
    let host = uri.host().filter(|host| !host.is_empty()).ok_or_else(wrong)?;
    Ok(Endpoint {
        loopback: is_loopback(host),
        plain,
        url: text.trim_end_matches('/').to_owned(),
    })
}

fn is_loopback(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost")
        || bare
            .parse::<std::net::IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

fn duration(time: Millis) -> Duration {
    Duration::from_millis(time.get())
}
