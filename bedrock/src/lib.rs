//! The model port on Amazon Bedrock.
//!
//! A call's body goes upstream byte for byte as the caller sent it, and Bedrock's answer comes back byte for
//! byte: fields that the AWS SDK for Rust does not know yet, and frames of event streams, are kept. The SDK's parts do
//! what they are good at — the environment, where Bedrock is, sources of credentials, the signature, connections — and
//! are put together here without its orchestration, which takes more processor time than all the rest
//! (`cargo bench -p smoother-bedrock` measures a call by the SDK's client and one by this port):
//!
//! ```text
//! ModelCall ─▶ wire: POST {endpoint}/model/{encoded id}/…, the caller's body and headers
//!                │ access ◀── kept: credentials, renewed before they run out
//!                │        ◀── skew: what the other side's clock says
//!                │ connector: the lane's connections
//!                ▼
//!             wire: status, headers and the unread body ─▶ answer
//! ```
//!
//! Retries are not made here: [`smoother_core::verdict`] decides about each failure. How
//! long a call may take is the worker's business too; this port bounds only the making of a connection.

mod access;
mod answer;
mod connect;
mod credentials;
mod endpoint;
mod environment;
mod errors;
mod forward;
mod frames;
mod kept;
mod send;
mod skew;
mod stop;
mod trace;
mod usage;
mod wire;

use connect::Way;
pub use connect::{Clients, Options, SetupError};
pub use forward::Forward;

use access::Access;
use arc_swap::ArcSwap;
use aws_smithy_http_client::Connector;
use http::HeaderValue;
use skew::Skew;
use smoother_core::ids::LaneId;
use smoother_core::model::{ModelCall, ModelError, ModelStream};
use smoother_core::ports::{BoxFuture, Model};
use std::collections::HashMap;
use std::sync::Arc;
use trace::Trace;

/// Amazon Bedrock, called lane by lane. The lanes may change; a call ends as it began.
#[derive(Debug)]
pub struct Bedrock {
    lanes: ArcSwap<HashMap<LaneId, Arc<Lane>>>,
    options: Options,
}

/// What it takes to call one lane's endpoint.
#[derive(Debug)]
struct Lane {
    id: LaneId,
    /// What it was made for.
    way: Way,
    upstream: Upstream,
}

/// Where a lane is called, and how.
#[derive(Debug)]
struct Upstream {
    /// The endpoint, without a slash at its end.
    url: String,
    access: Access,
    connector: Connector,
    agent: HeaderValue,
    skew: Skew,
    trace: Trace,
}

impl Bedrock {
    fn lane(&self, id: &LaneId) -> Result<Arc<Lane>, ModelError> {
        let lane = self.lanes.load().get(id).cloned();
        lane.ok_or_else(|| errors::unknown_lane(id))
    }
}

impl Model for Bedrock {
    fn call(&self, call: ModelCall) -> BoxFuture<'_, Result<ModelStream, ModelError>> {
        Box::pin(async move {
            let lane = self.lane(&call.lane)?;
            let accepted = send::call(&lane, &call).await?;
            Ok(answer::stream(
                accepted,
                call.operation,
                self.options.max_answer_bytes,
            ))
        })
    }
}
