//! Operations that cost no tokens of a lane and therefore pass its queue by.

use crate::{Bedrock, send};
use bytes::Bytes;
use smoother_core::ids::{LaneId, ModelId};
use smoother_core::model::{FreeAnswer, FreeCall, FreeOperation, ModelError, ModelHead};
use smoother_core::ports::{BoxFuture, FreeCalls};

/// Which operation to forward.
#[derive(Debug, Clone, Copy)]
pub enum Forward<'a> {
    /// `POST /model/{id}/count-tokens`
    CountTokens {
        /// The model as the caller named it.
        model: &'a ModelId,
    },
    /// `POST /guardrail/{identifier}/version/{version}/apply`
    ApplyGuardrail {
        /// The guardrail's id or ARN.
        identifier: &'a str,
        /// Its version, or `DRAFT`.
        version: &'a str,
    },
}

impl Bedrock {
    /// Sends `body` as it is with the lane's credentials and returns the answer as it is.
    ///
    /// `headers` are those of the operation in lower case; others stay behind. Errors are as those of
    /// [`Model::call`](smoother_core::ports::Model::call): made once, classified.
    pub async fn forward(
        &self,
        lane: &LaneId,
        what: Forward<'_>,
        body: Bytes,
        headers: &[(String, String)],
    ) -> Result<(ModelHead, Bytes), ModelError> {
        let answer = send::forward(&*self.lane(lane)?, &what, body, headers).await?;
        let body = send::read(answer.body, self.options.max_answer_bytes).await?;
        Ok((answer.head, body))
    }
}

impl FreeCalls for Bedrock {
    fn forward(&self, call: FreeCall) -> BoxFuture<'_, Result<FreeAnswer, ModelError>> {
        Box::pin(async move {
            let what = match &call.operation {
                FreeOperation::CountTokens { model } => Forward::CountTokens { model },
                FreeOperation::ApplyGuardrail { identifier, version } => {
                    Forward::ApplyGuardrail { identifier, version }
                }
            };
            let (head, body) = Self::forward(self, &call.lane, what, call.body, &call.headers).await?;
            Ok(FreeAnswer { head, body })
        })
    }
}
