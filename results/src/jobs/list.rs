//! `GET /v1/jobs?status=…&lane=…&limit=…&cursor=…`: newest first.

use super::view::JobView;
use crate::access::{Ask, Caller};
use crate::lanes::unknown_lane;
use crate::problem::{Problem, quoted};
use crate::router::App;
use axum::Json;
use axum::extract::State as Shared;
use serde::{Deserialize, Serialize};
use smoother_core::ports::ListFilter;
use smoother_core::{LaneId, State, TenantId, listing};

pub const DEFAULT_LIMIT: usize = 100;
const MOST: usize = 1_000;

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
    let limit = limit(query.limit.as_deref())?;
    let filter = filter(tenant, &query)?;
    let cursor = match query.cursor.as_deref() {
        None => None,
        Some(sealed) => Some(listing::open(sealed, &filter).ok_or_else(bad_cursor)?),
    };
    let ports = &app.results.ports;
    let begins = cursor.is_none();
    let page = ports.store.list(filter.clone(), cursor, limit).await?;
    if begins && page.requests.is_empty() {
        lane_is_known(&app, &filter).await?;
    }
    let now = ports.clock.now();
    Ok(Json(Page {
        jobs: page.requests.iter().map(|row| JobView::of(row, now)).collect(),
        next_cursor: page.next.map(|inner| listing::seal(&inner, &filter)),
    }))
}

/// An empty list of a lane that never was would hide a slip of the pen. One that is gone still has the jobs it
/// served.
pub async fn lane_is_known(app: &App, filter: &ListFilter) -> Result<(), Problem> {
    let ports = &app.results.ports;
    let Some(lane) = filter
        .lane
        .as_ref()
        .filter(|lane| !ports.views.lanes().contains(lane))
    else {
        return Ok(());
    };
    let any = ListFilter {
        tenant: filter.tenant.clone(),
        lane: filter.lane.clone(),
        ..ListFilter::default()
    };
    if ports.store.list(any, None, 1).await?.requests.is_empty() {
        return Err(unknown_lane(app, lane));
    }
    Ok(())
}

pub fn bad_cursor() -> Problem {
    Problem::invalid(
        "cursor is not one that this listing gave out: take next_cursor as it was, with the same filter, \
         or leave it out to begin again.",
    )
}

pub fn limit(found: Option<&str>) -> Result<usize, Problem> {
    let Some(text) = found else {
        return Ok(DEFAULT_LIMIT);
    };
    text.parse()
        .ok()
        .filter(|n| (1..=MOST).contains(n))
        .ok_or_else(|| Problem::invalid(format!("limit is {:?}; allowed are 1 to {MOST}.", quoted(text))))
}

fn filter(tenant: TenantId, query: &Query) -> Result<ListFilter, Problem> {
    let mut states = Vec::new();
    for word in query.status.iter().flat_map(|text| text.split(',')) {
        states.extend(states_of(word.trim())?);
    }
    states.sort_unstable();
    states.dedup();
    let lane = query
        .lane
        .as_deref()
        .map(LaneId::new)
        .transpose()
        .map_err(|e| Problem::invalid(e.to_string()))?;
    Ok(ListFilter {
        tenant: Some(tenant),
        states,
        lane,
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
