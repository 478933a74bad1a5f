//! The model port on Amazon Bedrock.
//!
//! A call's body goes upstream byte for byte as the caller sent it, and Bedrock's answer comes back byte for
//! byte: fields that the AWS SDK for Rust does not know yet, and frames of event streams, are kept. The SDK does
//! what it is good at — endpoint, credentials, signing, connections — and its serializers are stepped around:
//!
//! ```text
//! ModelCall ─▶ SDK operation with the model id only
//!                │ serialize            path /model/{encoded id}/…
//!                │ endpoint, identity
//!                │ before signing ◀──── Exchange: the caller's body and headers put in
//!                │ sign, transmit
//!                │ before deserialize ─▶ Exchange: status, headers and the unread body taken out
//!                ▼
//!             the SDK's own output is dropped; the answer is read from the exchange
//! ```
//!
//! Retries are not made here: the SDK's are off, and [`smoother_core::verdict`] decides about each failure. How
//! long a call may take is the worker's business too; this port bounds only the making of a connection.

mod answer;
mod connect;
mod credentials;
mod errors;
mod exchange;
mod forward;
mod frames;
mod send;
mod stop;
mod usage;

use connect::Way;
pub use connect::{Clients, Options, SetupError};
pub use forward::Forward;

use arc_swap::ArcSwap;
use smoother_core::ids::LaneId;
use smoother_core::model::{ModelCall, ModelError, ModelStream};
use smoother_core::ports::{BoxFuture, Model};
use std::collections::HashMap;
use std::sync::Arc;

/// Amazon Bedrock, one client a lane. The lanes may change; a call keeps to its end the client it began with.
#[derive(Debug)]
pub struct Bedrock {
    lanes: ArcSwap<HashMap<LaneId, Arc<Lane>>>,
    options: Options,
}

/// What it takes to call one lane's endpoint.
#[derive(Debug)]
struct Lane {
    id: LaneId,
    /// What the client was made for.
    way: Way,
    client: aws_sdk_bedrockruntime::Client,
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
