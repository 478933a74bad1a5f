//! From the configuration's lanes to where and how they are called.

use crate::access::Access;
use crate::kept::Kept;
use crate::trace::Trace;
use crate::{Bedrock, Lane, Upstream, credentials, errors};
use arc_swap::ArcSwap;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_bedrockruntime::config::endpoint::{DefaultResolver, Params, ResolveEndpoint};
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use aws_smithy_http_client::{Builder as HttpBuilder, Connector};
use aws_smithy_runtime_api::client::http::HttpConnectorSettings;
use aws_smithy_types::timeout::TimeoutConfig;
use aws_types::service_config::ServiceConfigKey;
use http::{HeaderValue, Uri};
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
    /// The Region's name is none that an address can hold.
    #[error("lane {lane}: region {found:?} leads to no endpoint of Bedrock's: {cause}; name an AWS Region such as us-east-1")]
    Nowhere {
        /// Which lane.
        lane: LaneId,
        /// What the configuration says.
        found: String,
        /// What the SDK's rules for endpoints say.
        cause: String,
    },
    /// The API key in the environment cannot be sent.
    #[error("AWS_BEARER_TOKEN_BEDROCK holds characters that no header may hold; copy the API key anew, or unset it")]
    Token,
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
    /// Finds out for each lane where and how it is called. Reads the AWS environment and profile files once; sends
    /// nothing: credentials are looked up by a lane's first call.
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
            let around = Environment::read(&fresh, &self.options).await?;
            for lane in fresh {
                let upstream = around.upstream(lane, &self.options).await?;
                let (id, way) = (lane.id.clone(), Way::of(lane));
                clients.insert(lane.id.clone(), Arc::new(Lane { id, way, upstream }));
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

/// The AWS environment as the SDK reads it, and what all lanes take from it.
struct Environment {
    sdk: SdkConfig,
    /// The default chain's credentials, one for all lanes that use it.
    chain: Option<Arc<Kept>>,
    token: Option<String>,
    endpoint: Option<String>,
}

impl Environment {
    /// Its connections serve the sources of credentials only.
    async fn read(lanes: &[&LaneConfig], options: &Options) -> Result<Self, SetupError> {
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
        Ok(Self {
            chain: sdk.credentials_provider().map(Kept::new).map(Arc::new),
            token: setting(&sdk, "bedrock", "AWS_BEARER_TOKEN", ""),
            endpoint: setting(&sdk, "Bedrock Runtime", "AWS_ENDPOINT_URL", "endpoint_url")
                .or_else(|| sdk.endpoint_url().map(str::to_owned)),
            sdk,
        })
    }

    async fn upstream(&self, lane: &LaneConfig, options: &Options) -> Result<Upstream, SetupError> {
        if lane.region.is_empty() {
            let lane = lane.id.clone();
            return Err(SetupError::Region { lane });
        }
        let own = lane.endpoint.as_deref();
        let own = own.map(|text| endpoint(lane, text)).transpose()?;
        Ok(Upstream {
            url: match &own {
                Some(own) => own.url.clone(),
                None => self.bedrocks(lane).await?,
            },
            access: self.access(lane, own.as_ref()).await?,
            connector: connector(lane.max_concurrency, options),
            agent: self.agent(),
            trace: Trace::look(),
        })
    }

    /// Where Bedrock is for the lane's Region, as the SDK's rules have it.
    async fn bedrocks(&self, lane: &LaneConfig) -> Result<String, SetupError> {
        let nowhere = |cause: String| SetupError::Nowhere {
            lane: lane.id.clone(),
            found: lane.region.clone(),
            cause,
        };
        let mut params = Params::builder().region(lane.region.clone());
        params = params
            .set_use_fips(self.sdk.use_fips())
            .set_use_dual_stack(self.sdk.use_dual_stack())
            .set_endpoint(self.endpoint.clone());
        let params = params.build().map_err(|error| nowhere(errors::chain(&error)))?;
        let found = DefaultResolver::new().resolve_endpoint(&params).await;
        let found = found.map_err(|error| nowhere(errors::chain(&*error)))?;
        Ok(found.url().trim_end_matches('/').to_owned())
    }

    async fn access(&self, lane: &LaneConfig, own: Option<&Endpoint>) -> Result<Access, SetupError> {
        let plain = own.is_some_and(|own| own.plain);
        if let (Some(token), None, false) = (&self.token, &lane.role_arn, plain) {
            return Access::bearer(token).ok_or(SetupError::Token);
        }
        // As the SDK has it, roles are assumed in the lane's own Region.
        let sdk = self.sdk.to_builder().region(Region::new(lane.region.clone())).build();
        let simulator = own
            .is_some_and(|own| own.loopback)
            .then(|| credentials::of_a_simulator(&sdk));
        let credentials = match (&lane.role_arn, simulator) {
            (Some(role), simulator) => {
                let base = simulator.or_else(|| sdk.credentials_provider());
                Some(Kept::new(credentials::of_a_role(role, &sdk, base).await)).map(Arc::new)
            }
            (None, Some(simulator)) => Some(Arc::new(Kept::new(simulator))),
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

/// What environment or profile say for one service.
fn setting(sdk: &SdkConfig, service: &str, env: &str, profile: &str) -> Option<String> {
    let key = ServiceConfigKey::builder()
        .service_id(service)
        .env(env)
        .profile(profile)
        .build()
        .ok()?;
    sdk.service_config()?.load_config(key)
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
