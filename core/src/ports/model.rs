//! The model: Amazon Bedrock, or whatever answers like it.

use super::BoxFuture;
use crate::model::{FreeAnswer, FreeCall, ModelCall, ModelError, ModelStream};

/// Makes one upstream call per invocation, with no retries of its own.
pub trait Model: Send + Sync {
    /// Sends the call and resolves once it is accepted or refused; the answer follows as events.
    ///
    /// Dropping the stream stops the call as far as the upstream allows.
    fn call(&self, call: ModelCall) -> BoxFuture<'_, Result<ModelStream, ModelError>>;
}

/// Makes calls that cost no tokens of a lane, past its queue: each once, answered as Bedrock answers.
pub trait FreeCalls: Send + Sync {
    /// Sends the call and resolves with the whole answer, or with the error as Bedrock gave it.
    fn forward(&self, call: FreeCall) -> BoxFuture<'_, Result<FreeAnswer, ModelError>>;
}
