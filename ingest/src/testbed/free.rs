use smoother_core::ModelError;
use smoother_core::model::{FreeAnswer, FreeCall};
use smoother_core::ports::{BoxFuture, FreeCalls};
use std::sync::Mutex;

/// What upstream answers to calls that cost nothing: the next of what a test has laid out, or nothing ever.
#[derive(Default)]
pub(crate) struct Free {
    pub(crate) answers: Mutex<Vec<Result<FreeAnswer, ModelError>>>,
    pub(crate) seen: Mutex<Vec<FreeCall>>,
}

impl FreeCalls for Free {
    fn forward(&self, call: FreeCall) -> BoxFuture<'_, Result<FreeAnswer, ModelError>> {
        self.seen.lock().unwrap().push(call);
        let answer = self.answers.lock().unwrap().pop();
        Box::pin(async move {
            match answer {
                Some(answer) => answer,
                None => std::future::pending().await,
            }
        })
    }
}
