//! From the configuration's lanes to where and how they are called.

use crate::environment::Environment;
use crate::{Bedrock, Lane};
use arc_swap::ArcSwap;
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
    /// The SDK's rules know no address for the Region, or none with what the environment asks for.
    #[error(
        "lane {lane}: region {found:?} and the AWS environment lead to no endpoint of Bedrock's ({cause}); check the \
         Region's name, and AWS_USE_FIPS_ENDPOINT and AWS_USE_DUALSTACK_ENDPOINT if they are set"
    )]
    Nowhere {
        /// Which lane.
        lane: LaneId,
        /// What the configuration says.
        found: String,
        /// What the rules say.
        cause: String,
    },
    /// The API key in the environment cannot be sent.
    #[error(
        "AWS_BEARER_TOKEN_BEDROCK holds characters that no header may hold; copy the API key anew, or unset it"
    )]
    Token,
    /// The endpoint is no address, or one that no call could be appended to.
    #[error(
        "lane {lane}: {named_by} {found:?} is not an http or https URL with a host and nothing but a path behind it, such as \
         http://127.0.0.1:9000"
    )]
    Endpoint {
        /// Which lane.
        lane: LaneId,
        /// Where it stands.
        named_by: &'static str,
        /// What stands there, without a name or password.
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
            let around = Environment::read(&fresh, &self.options).await;
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

pub(crate) fn duration(time: Millis) -> Duration {
    Duration::from_millis(time.get())
}
