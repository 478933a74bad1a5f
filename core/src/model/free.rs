//! Operations of Bedrock's runtime that cost no tokens of a lane.

use super::ModelHead;
use crate::ids::{LaneId, ModelId};
use bytes::Bytes;

/// What to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FreeOperation {
    /// `POST /model/{id}/count-tokens`
    CountTokens {
        /// The model as the caller named it.
        model: ModelId,
    },
    /// `POST /guardrail/{identifier}/version/{version}/apply`
    ApplyGuardrail {
        /// The guardrail's id or ARN.
        identifier: String,
        /// Its version, or `DRAFT`.
        version: String,
    },
}

/// One such call.
#[derive(Debug, Clone)]
pub struct FreeCall {
    /// The lane whose endpoint and credentials to use.
    pub lane: LaneId,
    /// What to do.
    pub operation: FreeOperation,
    /// The body as the caller sent it.
    pub body: Bytes,
    /// Headers of the operation that travel upstream: lower-case names.
    pub headers: Vec<(String, String)>,
}

/// What Bedrock answered, as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FreeAnswer {
    /// Headers to pass on.
    pub head: ModelHead,
    /// The body.
    pub body: Bytes,
}
