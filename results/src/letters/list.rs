//! `GET /v1/dlq?lane=…&error=…&after=…&before=…&limit=…&cursor=…`: newest arrival first.

use super::view::LetterView;
use crate::access::{Ask, Caller};
use crate::jobs::list::{bad_cursor, lane_is_known, limit};
use crate::problem::Problem;
use crate::rfc3339;
use crate::router::App;
use axum::Json;
use axum::extract::State as Shared;
use serde::{Deserialize, Serialize};
use smoother_core::model::ErrorFilter;
use smoother_core::ports::ListFilter;
use smoother_core::{LaneId, TenantId, Timestamp, listing};

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
        letters: page.requests.iter().map(|row| LetterView::of(row, now)).collect(),
        next_cursor: page.next.map(|inner| listing::seal(&inner, &filter)),
    }))
}

fn filter(tenant: TenantId, query: &Query) -> Result<ListFilter, Problem> {
    let invalid = |error: &dyn std::fmt::Display| Problem::invalid(error.to_string());
    let lane = query.lane.as_deref().map(LaneId::new).transpose();
    let error = query.error.as_deref().map(ErrorFilter::parse).transpose();
    Ok(ListFilter {
        tenant: Some(tenant),
        lane: lane.map_err(|e| invalid(&e))?,
        dead: true,
        error: error.map_err(|e| invalid(&e))?,
        ended_from: moment("after", query.after.as_deref())?,
        ended_before: moment("before", query.before.as_deref())?,
        ..ListFilter::default()
    })
}

fn moment(name: &str, text: Option<&str>) -> Result<Option<Timestamp>, Problem> {
    let Some(text) = text else { return Ok(None) };
    rfc3339::parse(text).map(Some).ok_or_else(|| {
        Problem::invalid(format!(
            "{name} is no moment; give it as 2026-01-31T12:00:00Z (a + of an offset is written %2B in a query)."
        ))
    })
}
