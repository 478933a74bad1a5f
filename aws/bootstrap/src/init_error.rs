//! Telling Lambda why a function could not start: <https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html>.
//!
//! Whoever invokes the function, and whoever looks at it in the console, then reads the reason, and not only that its
//! process has ended.

use http::{Method, Uri};
use lambda_runtime_api_client::body::Body;
use lambda_runtime_api_client::{PooledClient, build_request};
use serde_json::json;
use std::time::Duration;
use tokio::time::timeout;

/// Where Lambda's runtime API listens.
pub(crate) const RUNTIME_API: &str = "AWS_LAMBDA_RUNTIME_API";
const PATH: &str = "/2018-06-01/runtime/init/error";
/// What the error is called there.
const KIND: &str = "Smoother.CannotStart";
/// The API is on the same machine.
const WITHIN: Duration = Duration::from_secs(2);

/// Tells it, where there is somebody to be told. That it cannot be told is no further error: the log has the first one.
pub(crate) async fn tell(why: &anyhow::Error) {
    let endpoint = std::env::var(RUNTIME_API)
        .ok()
        .and_then(|at| at.parse::<Uri>().ok());
    let Some(endpoint) = endpoint.filter(|uri| uri.authority().is_some()) else {
        return;
    };
    let said = json!({ "errorType": KIND, "errorMessage": format!("{why:#}"), "stackTrace": [] });
    let request = build_request()
        .method(Method::POST)
        .uri(PATH)
        .header("content-type", "application/json")
        .header("lambda-runtime-function-error-type", KIND)
        .body(Body::from(said.to_string()));
    let Ok(request) = request else {
        return;
    };
    let client = PooledClient::builder().with_endpoint(endpoint).build();
    let told = timeout(WITHIN, client.call(request)).await;
    let failed = match told {
        Ok(Ok(answer)) if answer.status().is_success() => return,
        Ok(Ok(answer)) => answer.status().to_string(),
        Ok(Err(error)) => error.to_string(),
        Err(_) => format!("no answer within {} s", WITHIN.as_secs()),
    };
    tracing::warn!(
        error = failed,
        "Lambda could not be told why the function does not start"
    );
}
