//! `GET /v1/jobs/{id}`: where a job stands.

use super::timings::waits;
use super::view::JobView;
use crate::access::{Ask, Caller, JobId};
use crate::problem::Problem;
use crate::router::App;
use crate::service::Results;
use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use smoother_core::{Millis, Request};

/// How long to wait, and for what: for the end, or with `rev` for any change after that version.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Query {
    wait_ms: Option<u64>,
    rev: Option<u64>,
}

pub async fn handle(
    State(app): State<App>,
    Caller(tenant): Caller,
    JobId(id): JobId,
    Ask(query): Ask<Query>,
) -> Result<Json<JobView>, Problem> {
    let results = &app.results;
    let row = results.row(&tenant, id).await?;
    let most = Millis::new(query.wait_ms.unwrap_or(0));
    let row = results
        .once(row, most, |row| {
            row.state.is_terminal() || query.rev.is_some_and(|seen| row.rev.get() > seen)
        })
        .await?;
    results.describe(&row).await.map(Json)
}

impl Results {
    /// A job in full: its row, its calls, and while it waits its forecast.
    pub(crate) async fn describe(&self, row: &Request) -> Result<JobView, Problem> {
        let forecast = if waits(row) {
            self.ports.views.forecast(&row.lane, row.id).await
        } else {
            None
        };
        let calls = if row.calls_made == 0 {
            Vec::new()
        } else {
            self.ports.store.calls(row.id).await?
        };
        Ok(JobView::of(row, self.ports.clock.now())
            .expected(row, forecast)
            .with_calls(&calls))
    }
}
