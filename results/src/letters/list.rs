//! `GET /v1/dlq?lane=…&error=…&after=…&before=…&limit=…&cursor=…`.

use super::view::LetterView;
use crate::access::{Ask, Caller};
use crate::listing::{self, moment};
use crate::problem::Problem;
use crate::router::App;
use axum::Json;
use axum::extract::State as Shared;
use serde::{Deserialize, Serialize};
use smoother_core::TenantId;
use smoother_core::model::ErrorFilter;
use smoother_core::ports::ListFilter;

/// What a caller may ask; moments are of the failure.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Query {
    lane: Option<String>,
    error: Option<String>,
    after: Option<String>,
    before: Option<String>,
    limit: Option<String>,
    cursor: Option<String>,
}

#[derive(Debug, Serialize)]
pub struct Page {
    letters: Vec<LetterView>,
    /// For the next page; null on the last.
    next_cursor: Option<String>,
}

pub async fn handle(
    Shared(app): Shared<App>,
    Caller(tenant): Caller,
    Ask(query): Ask<Query>,
) -> Result<Json<Page>, Problem> {
    let asked = (query.limit.as_deref(), query.cursor.as_deref());
    let page = app
        .results
        .page(filter(tenant, &query)?, asked, LetterView::of)
        .await?;
    Ok(Json(Page {
        letters: page.rows,
        next_cursor: page.next_cursor,
    }))
}

fn filter(tenant: TenantId, query: &Query) -> Result<ListFilter, Problem> {
    let error = query.error.as_deref().map(ErrorFilter::parse).transpose();
    Ok(ListFilter {
        tenant: Some(tenant),
        lane: listing::lane(query.lane.as_deref())?,
        dead: true,
        error: error.map_err(|error| Problem::invalid(format!("{error}.")))?,
        ended_from: moment("after", query.after.as_deref())?,
        ended_before: moment("before", query.before.as_deref())?,
        ..ListFilter::default()
    })
}
