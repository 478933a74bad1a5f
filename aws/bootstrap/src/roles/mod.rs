//! The functions, one each.

pub(crate) mod http;
pub(crate) mod input;
pub(crate) mod prioritizer;
pub(crate) mod results;
pub(crate) mod worker;
pub(crate) mod ws;

use crate::batch::Failed;
use aws_lambda_events::sqs::SqsBatchResponse;
use lambda_runtime::Error;

/// The answer to a batch of SQS: these come again.
fn batch_response(failed: Vec<Failed>) -> SqsBatchResponse {
    let mut response = SqsBatchResponse::default();
    for Failed { id, .. } in failed {
        response.add_failure(id);
    }
    response
}

/// The runtime's own errors as the root's.
fn runtime_ended(ended: Result<(), Error>) -> anyhow::Result<()> {
    ended.map_err(|error| anyhow::anyhow!("the Lambda runtime ended: {error}"))
}
