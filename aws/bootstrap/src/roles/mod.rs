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
use std::fmt;

/// The answer to a batch of SQS: these come again.
fn batch_response(failed: Vec<Failed>) -> SqsBatchResponse {
    let mut response = SqsBatchResponse::default();
    for Failed { id, .. } in failed {
        response.add_failure(id);
    }
    response
}

/// The runtime could not go on: no error of a start.
#[derive(Debug)]
pub(crate) struct RuntimeEnded(Error);

impl fmt::Display for RuntimeEnded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the Lambda runtime ended: {}", self.0)
    }
}

impl std::error::Error for RuntimeEnded {}

/// The runtime's own errors as the root's.
fn runtime_ended(ended: Result<(), Error>) -> anyhow::Result<()> {
    ended.map_err(|error| anyhow::Error::new(RuntimeEnded(error)))
}
