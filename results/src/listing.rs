//! Listings in pages, newest arrival first: what `GET /v1/jobs` and `GET /v1/dlq` have in common.

use crate::problem::Problem;
use crate::rfc3339;
use crate::service::Results;
use smoother_core::ports::ListFilter;
use smoother_core::{LaneId, Request, Timestamp, listing, quoted};

const DEFAULT_LIMIT: usize = 100;
const MOST: usize = 1_000;

/// Rows as a listing shows them, and the cursor of the next page; none on the last.
pub struct Page<T> {
    pub rows: Vec<T>,
    pub next_cursor: Option<String>,
}

impl Results {
    /// The page of `filter` that `limit` and `cursor` ask for, as they were written; each row as `show` has it now.
    pub(crate) async fn page<T>(
        &self,
        filter: ListFilter,
        (limit, cursor): (Option<&str>, Option<&str>),
        show: impl Fn(&Request, Timestamp) -> T,
    ) -> Result<Page<T>, Problem> {
        let limit = size(limit)?;
        let cursor = match cursor {
            None => None,
            Some(sealed) => Some(listing::open(sealed, &filter).ok_or_else(bad_cursor)?),
        };
        let begins = cursor.is_none();
        let page = self.ports.store.list(filter.clone(), cursor, limit).await?;
        if begins && page.requests.is_empty() {
            self.lane_is_known(&filter).await?;
        }
        let now = self.ports.clock.now();
        Ok(Page {
            rows: page.requests.iter().map(|row| show(row, now)).collect(),
            next_cursor: page.next.map(|inner| listing::seal(&inner, &filter)),
        })
    }

    /// An empty list of a lane that never was would hide a slip of the pen. One that is gone still has the jobs it
    /// served.
    async fn lane_is_known(&self, filter: &ListFilter) -> Result<(), Problem> {
        let known = self.ports.views.lanes();
        let Some(lane) = filter.lane.as_ref().filter(|lane| !known.contains(lane)) else {
            return Ok(());
        };
        let any = ListFilter {
            tenant: filter.tenant.clone(),
            lane: filter.lane.clone(),
            ..ListFilter::default()
        };
        if self.ports.store.list(any, None, 1).await?.requests.is_empty() {
            return Err(self.unknown_lane(lane));
        }
        Ok(())
    }
}

fn size(limit: Option<&str>) -> Result<usize, Problem> {
    let Some(text) = limit else {
        return Ok(DEFAULT_LIMIT);
    };
    text.parse()
        .ok()
        .filter(|n| (1..=MOST).contains(n))
        .ok_or_else(|| Problem::invalid(format!("limit is {:?}; allowed are 1 to {MOST}.", quoted(text))))
}

fn bad_cursor() -> Problem {
    Problem::invalid(
        "cursor is not one that this listing gave out: take next_cursor as it was, with the same filter, \
         or leave it out to begin again.",
    )
}

/// The lane that `lane` names.
pub fn lane(text: Option<&str>) -> Result<Option<LaneId>, Problem> {
    let lane = text.map(LaneId::new).transpose();
    lane.map_err(|error| Problem::invalid(format!("{error}.")))
}

/// The moment that the parameter `name` gives.
pub fn moment(name: &str, text: Option<&str>) -> Result<Option<Timestamp>, Problem> {
    let Some(text) = text else { return Ok(None) };
    rfc3339::parse(text).map(Some).ok_or_else(|| {
        Problem::invalid(format!(
            "{name} is {:?}, which is no moment; give it as 2026-01-31T12:00:00Z (a + of an offset is written %2B in \
             a query).",
            quoted(text)
        ))
    })
}
