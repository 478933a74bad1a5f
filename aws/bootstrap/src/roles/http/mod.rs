//! The function URL's function: every HTTP door, answered as a stream, and the calls of those who wait here.
//!
//! Whoever waits is its own runner: while the answer is awaited the row is watched, and once it is released this
//! process claims it and makes the call. So an invocation ends only when its caller is answered *and* no call is under
//! way here: what is left running would be frozen with the process.
//!
//! Lambda does not say that a caller has gone. A caller who gave up and sends the call again joins its request, in
//! this process or another; one who does not come back is not missed, and its request runs to its end.

mod ending;
mod hands;

use super::runtime_ended;
use crate::budget::Budget;
use crate::house::House;
use axum::Router;
use axum::body::Body;
use ending::Ending;
use hands::Hands;
use lambda_http::{RequestExt, service_fn};
use smoother_core::Millis;
use smoother_core::config::Config;
use smoother_core::request::Runner;
use smoother_ingest::Ingest;
use smoother_results::{Probes, Readiness, no_such_door, no_such_method};
use std::sync::Arc;
use tokio::sync::mpsc;
use tower::ServiceExt;

struct Porch {
    house: House,
    ingest: Arc<Ingest>,
    hands: Arc<Hands>,
    router: Router,
}

pub(crate) async fn serve(house: House) -> anyhow::Result<()> {
    let model = house.model().await?;
    let (to_worker, released) = mpsc::unbounded_channel();
    let live = house.live(Some(to_worker));
    let hands = Hands::new(house.worker(live.clone(), model.clone()), house.clock.clone());
    tokio::spawn(Arc::clone(&hands).take_up(released));
    let config = lasting(house.config.clone());
    let ingest = house.ingest(config, live.clone(), model, Runner::Caller);
    let probes = Probes {
        readiness: Arc::new(|| Readiness::Ready),
        metrics: Arc::new(|| {
            "# Metrics are in CloudWatch: the functions write them to their logs.\n".to_owned()
        }),
    };
    let router = ingest
        .router()
        .merge(house.results(live, Vec::new()).router(probes))
        .method_not_allowed_fallback(no_such_method)
        .fallback(no_such_door);
    let porch = Arc::new(Porch {
        house,
        ingest,
        hands,
        router,
    });
    let handler = move |request: lambda_http::Request| {
        let porch = Arc::clone(&porch);
        async move { porch.answer(request).await }
    };
    runtime_ended(lambda_http::run_with_streaming_response(service_fn(handler)).await)
}

/// Nobody is told that a caller has gone, so nobody's going may cancel what another process may be waiting for.
fn lasting(mut config: Config) -> Config {
    config.server.disconnect_grace = Millis::MAX;
    config
}

impl Porch {
    async fn answer(
        self: Arc<Self>,
        request: lambda_http::Request,
    ) -> Result<http::Response<Ending>, lambda_http::Error> {
        let context = request.lambda_context_ref();
        let budget = context.map_or(Budget::until(u64::MAX), |context| Budget::until(context.deadline));
        // Nobody is kept waiting longer than the function lives, whatever limit of its own a caller has.
        self.ingest.answer_by(budget.answers_end());
        self.hands.end_calls_by(budget.calls_end());
        let answered = self.router.clone().oneshot(request.map(Body::new)).await;
        // The router's error is uninhabited.
        let response = answered.unwrap_or_else(|never| match never {});
        let porch = Arc::clone(&self);
        Ok(response.map(|body| Ending::new(body, async move { porch.close().await })))
    }

    /// Before the invocation ends.
    async fn close(&self) {
        self.hands.at_rest().await;
        self.ingest.at_rest().await;
        self.house.finish().await;
    }
}
