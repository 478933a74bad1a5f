//! Models that make more or less of a call than they were asked for.

use super::{assert_bites, failed};
use crate::memory::ModelStand;
use futures_util::{StreamExt, future};
use smoother_core::ports::{BoxFuture, Model};
use smoother_core::{ModelCall, ModelError, ModelEvent, ModelStream, Operation};
use smoother_tests::conformance::model::{self, Behaviour, Stand};
use std::sync::Arc;

/// One thing that a model does wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    /// It has retries of its own.
    CallsAgain,
    /// What a call used is not told.
    ForgetsTheUsage,
    /// A call runs on when nobody wants it any more.
    RunsOn,
}

struct Broken {
    model: Arc<dyn Model>,
    fault: Fault,
}

impl Model for Broken {
    fn call(&self, call: ModelCall) -> BoxFuture<'_, Result<ModelStream, ModelError>> {
        let (model, fault) = (Arc::clone(&self.model), self.fault);
        let made = async move {
            match (model.call(call.clone()).await, fault) {
                (Err(_), Fault::CallsAgain) => model.call(call).await,
                (Ok(answer), Fault::ForgetsTheUsage) => {
                    let told = |event: &Result<_, _>| !matches!(event, Ok(ModelEvent::Usage(_)));
                    Ok(ModelStream {
                        head: answer.head,
                        events: Box::pin(answer.events.filter(move |event| future::ready(told(event)))),
                    })
                }
                (made, _) => made,
            }
        };
        if fault == Fault::RunsOn {
            let detached = tokio::spawn(made);
            return Box::pin(async move { detached.await.expect("the call does not panic") });
        }
        Box::pin(made)
    }
}

struct BrokenStand(ModelStand, Fault);

impl Stand for BrokenStand {
    fn model(&self) -> Arc<dyn Model> {
        Arc::new(Broken {
            model: self.0.model(),
            fault: self.1,
        })
    }

    fn call(&mut self, operation: Operation, behaviour: Behaviour) -> ModelCall {
        self.0.call(operation, behaviour)
    }

    fn made(&self) -> usize {
        self.0.made()
    }

    fn dropped(&self, count: usize) -> BoxFuture<'_, ()> {
        self.0.dropped(count)
    }

    fn notices_dropped_bodies(&self) -> bool {
        self.0.notices_dropped_bodies()
    }
}

#[tokio::test(start_paused = true)]
async fn models_that_do_more_or_less_than_they_were_asked_fail() {
    let table = [
        (Fault::CallsAgain, "every_refusal_is_told_apart_and_made_once"),
        (Fault::ForgetsTheUsage, "every_operation_is_answered_and_counted"),
        (Fault::RunsOn, "dropping_a_call_that_was_not_accepted_stops_it"),
    ];
    for (fault, made_for_it) in table {
        let failed = failed(model::CASES, || {
            Box::new(BrokenStand(ModelStand::new(), fault)) as Box<dyn Stand>
        })
        .await;
        assert_bites(&fault, &failed, made_for_it, model::CASES.len());
    }
}
