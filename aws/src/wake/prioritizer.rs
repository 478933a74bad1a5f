//! The function that holds lanes, and how it is called.

use super::Caller;
use crate::fault::{Asked, Fault};
use crate::retry::Patience;
use aws_config::SdkConfig;
use aws_sdk_lambda::Client;
use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::InvocationType;
use serde_json::json;
use smoother_core::LaneId;
use smoother_core::ports::{BoxFuture, Entropy};
use std::sync::Arc;

/// For functions.
pub fn client(environment: &SdkConfig) -> Client {
    Client::new(environment)
}

/// The prioritizer function, invoked asynchronously with `{"lane": "…"}`.
#[derive(Clone)]
pub struct Prioritizer {
    client: Client,
    function: String,
    chance: Arc<dyn Entropy>,
}

impl Prioritizer {
    /// By the function's name or ARN.
    pub fn new(client: Client, function: impl Into<String>, chance: Arc<dyn Entropy>) -> Self {
        Self {
            client,
            function: function.into(),
            chance,
        }
    }

    async fn invoke(&self, payload: Blob) -> Result<(), Fault> {
        let asked = Asked {
            action: "lambda:InvokeFunction",
            kind: "function",
            name: &self.function,
        };
        self.client
            .invoke()
            .function_name(&self.function)
            .invocation_type(InvocationType::Event)
            .payload(payload)
            .send()
            .await
            .map(drop)
            .map_err(|error| asked.failed(&error))
    }
}

impl Caller for Prioritizer {
    fn call<'a>(&'a self, lane: &'a LaneId) -> BoxFuture<'a, Result<(), String>> {
        let payload = Blob::new(json!({ "lane": lane }).to_string());
        Box::pin(async move {
            Patience::default()
                .ask(&*self.chance, || self.invoke(payload.clone()))
                .await
                .map_err(|fault| fault.to_string())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::script::{Answer, Script, chance};

    /// Lambda's refusal of this name.
    fn refused(status: u16, name: &str) -> Answer {
        Answer::Json(status, json!({ "__type": name, "message": "as the test has it" }))
    }

    async fn call(script: &Script) -> Result<(), String> {
        let prioritizer = Prioritizer::new(client(&script.environment()), "smoother-prioritizer", chance());
        prioritizer.call(&LaneId::new("sonnet").unwrap()).await
    }

    #[tokio::test(start_paused = true)]
    async fn the_function_is_told_which_lane() {
        let script = Script::default().then(Answer::Raw(202, Vec::new()));
        assert_eq!(call(&script).await, Ok(()));
        let asked = script.requests();
        let invoke = "POST /2015-03-31/functions/smoother-prioritizer/invocations";
        assert_eq!((asked.len(), asked[0].what.as_str()), (1, invoke));
        assert_eq!(asked[0].body, json!({ "lane": "sonnet" }));
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_that_was_throttled_broke_or_got_no_answer_is_made_again() {
        let script = Script::default()
            .then(refused(429, "TooManyRequestsException"))
            .then(Answer::Broken)
            .then(Answer::Never)
            .then(refused(500, "ServiceException"))
            .then(Answer::Raw(202, Vec::new()));
        assert_eq!(call(&script).await, Ok(()));
        assert_eq!(script.asked().len(), 5);
    }

    #[tokio::test(start_paused = true)]
    async fn what_will_not_pass_by_itself_is_told_with_function_and_permission() {
        for (status, name) in [(403, "AccessDeniedException"), (404, "ResourceNotFoundException")] {
            let script = Script::default().then(refused(status, name));
            let told = call(&script).await.unwrap_err();
            assert!(told.contains("smoother-prioritizer"), "{told}");
            assert!(status == 404 || told.contains("lambda:InvokeFunction"), "{told}");
            assert_eq!(script.asked().len(), 1, "asked again for nothing");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn patience_has_an_end() {
        let script = Script::default().times(10, || refused(429, "TooManyRequestsException"));
        let told = call(&script).await.unwrap_err();
        assert!(
            told.contains("smoother-prioritizer") && told.contains("TooManyRequests"),
            "{told}"
        );
        assert_eq!(script.asked().len(), 10);
    }
}
