//! `GET /v1/jobs?status=…&lane=…&limit=…&cursor=…`.

use super::view::JobView;
use crate::access::{Ask, Caller};
use crate::listing;
use crate::problem::Problem;
use crate::router::App;
use axum::Json;
use axum::extract::State as Shared;
use serde::{Deserialize, Serialize};
use smoother_core::ports::ListFilter;
use smoother_core::{State, TenantId, quoted};

/// What a caller may ask; an unknown parameter is a mistake, not a wish to list everything.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Query {
    status: Option<String>,
    lane: Option<String>,
    limit: Option<String>,
    cursor: Option<String>,
}

#[derive(Debug, Serialize)]
pub struct Page {
    jobs: Vec<JobView>,
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
        .page(filter(tenant, &query)?, asked, JobView::of)
        .await?;
    Ok(Json(Page {
        jobs: page.rows,
        next_cursor: page.next_cursor,
    }))
}

fn filter(tenant: TenantId, query: &Query) -> Result<ListFilter, Problem> {
    let mut states = Vec::new();
    for word in query.status.iter().flat_map(|text| text.split(',')) {
        states.extend(states_of(word.trim())?);
    }
    states.sort_unstable();
    states.dedup();
    Ok(ListFilter {
        tenant: Some(tenant),
        states,
        lane: listing::lane(query.lane.as_deref())?,
        ..ListFilter::default()
    })
}

fn states_of(word: &str) -> Result<Vec<State>, Problem> {
    let states: Vec<State> = State::ALL
        .into_iter()
        .filter(|s| s.public().eq_ignore_ascii_case(word))
        .collect();
    if states.is_empty() {
        return Err(Problem::invalid(format!(
            "status is {:?}; allowed are RECEIVED, QUEUED, PROCESSING, COMPLETED, FAILED, CANCELLED and \
             EXPIRED, several separated by commas.",
            quoted(word)
        )));
    }
    Ok(states)
}
