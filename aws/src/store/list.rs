//! Listings, newest arrival first.
//!
//! An index says which requests there are, possibly late; each row is then read as it is, and only that counts. A
//! cursor is a place in the order of arrival, so rows that come or go meanwhile hide and repeat nothing.
//!
//! A tenant's listing costs a query for the days on which it sent something, and one for each of the days that the
//! page reaches into. Without a tenant it costs as much for every tenant there is: that is for operators.

use super::Shared;
use crate::fault::Fault;
use crate::table::Query;
use crate::table::condition::Expression;
use crate::table::item::{Item, Reading};
use crate::table::keys::{self, Place};
use crate::table::row::Row;
use crate::table::schema::{DEAD, Index, LISTING};
use smoother_core::ports::{LetterCount, ListFilter, ListPage, StoreError};
use smoother_core::{LaneId, Request, RequestId, TenantId};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Rows a page may have.
const MOST_LISTED: usize = 1_000;
/// Rows that are looked at for one page. A page that is cut short here has a cursor all the same.
const MOST_LOOKED_AT: usize = 2_000;
/// Rows looked at together.
const CHUNK: usize = 100;

impl Shared {
    pub(super) async fn list(
        &self,
        filter: &ListFilter,
        cursor: Option<&str>,
        limit: usize,
    ) -> Result<ListPage, StoreError> {
        let limit = limit.clamp(1, MOST_LISTED);
        let after = cursor.map(place).transpose()?;
        let mut line = self.line(filter, after).await?;
        let mut page = ListPage::default();
        let (mut last, mut looked_at, mut chunk) = (after, 0, 0);
        loop {
            chunk = (limit + 1 - page.requests.len()).max(chunk * 2).min(CHUNK);
            let places = self.next(&mut line, filter, chunk).await?;
            if places.is_empty() {
                return Ok(page);
            }
            looked_at += places.len();
            let mut rows = self.rows(&places).await?;
            for place in places {
                if let Some(row) = rows.remove(&place.id).filter(|row| filter.takes(row)) {
                    if page.requests.len() == limit {
                        page.next = last.map(Place::key);
                        return Ok(page);
                    }
                    page.requests.push(row);
                }
                // Up to a full page's last row, so that the next page begins with the one behind it.
                if page.requests.len() < limit || page.requests.last().is_some_and(|row| row.id == place.id) {
                    last = Some(place);
                }
            }
            if looked_at >= MOST_LOOKED_AT {
                page.next = last.map(Place::key);
                return Ok(page);
            }
        }
    }

    /// How many dead letters each lane has: a query of a bounded part of their index, as it shows them, however many
    /// there are.
    pub(super) async fn dead_letters(&self) -> Result<LetterCount, Fault> {
        let mut count = LetterCount::default();
        for shard in 0..keys::DEAD_SHARDS {
            let query = partition(&DEAD, keys::dead(shard), None);
            let most = LetterCount::AT_MOST / usize::from(keys::DEAD_SHARDS);
            let found = self.table.query(&query, most).await?;
            count.more |= found.rest.is_some();
            for item in found.items {
                if let Some(lane) = named(&item, "lane").and_then(|name| LaneId::new(name).ok()) {
                    *count.lanes.entry(lane).or_insert(0) += 1;
                }
            }
        }
        Ok(count)
    }

    /// Where the filter's requests stand, newest first.
    async fn line(&self, filter: &ListFilter, after: Option<Place>) -> Result<Line, Fault> {
        let mut line = Line {
            index: &LISTING,
            groups: Vec::new(),
            after,
        };
        if filter.dead {
            line.index = &DEAD;
            line.groups = vec![(0..keys::DEAD_SHARDS).map(keys::dead).collect()];
            return Ok(line);
        }
        let tenants = match &filter.tenant {
            Some(tenant) => vec![tenant.clone()],
            None => self.tenants().await?,
        };
        let latest = after.map_or(u64::MAX, |after| {
            keys::day_of(smoother_core::Timestamp::from_millis(after.at))
        });
        let mut days: BTreeMap<u64, Vec<String>> = BTreeMap::new();
        for tenant in &tenants {
            for day in self.days(tenant).await?.into_iter().filter(|day| *day <= latest) {
                let shards = (0..keys::LISTING_SHARDS).map(|shard| keys::listing(tenant, day, shard));
                days.entry(day).or_default().extend(shards);
            }
        }
        // The next group is taken from the end.
        line.groups = days.into_values().collect();
        Ok(line)
    }

    /// The next places in line, as many as asked for unless the line ends before.
    async fn next(&self, line: &mut Line, filter: &ListFilter, wanted: usize) -> Result<Vec<Place>, Fault> {
        let mut found = Vec::new();
        while let Some(group) = line.groups.last().filter(|_| found.len() < wanted) {
            let (mut places, mut is_over) = (BTreeSet::new(), true);
            for pk in group {
                let query = partition(line.index, pk.clone(), line.after);
                let read = self.table.query(&query, wanted).await?;
                is_over &= read.rest.is_none();
                for item in &read.items {
                    places.insert((Reverse(place_of(item, line.index)?), fits(item, filter)));
                }
            }
            // Behind these, a partition may have some that were not read.
            is_over &= places.len() <= wanted;
            for (Reverse(place), fits) in places.into_iter().take(wanted) {
                if found.len() == wanted {
                    is_over = false;
                    break;
                }
                line.after = Some(place);
                found.extend(fits.then_some(place));
            }
            if is_over {
                line.groups.pop();
            }
        }
        Ok(found)
    }

    async fn rows(&self, places: &[Place]) -> Result<HashMap<RequestId, Request>, Fault> {
        let keys: Vec<_> = places.iter().map(|place| keys::row(place.id)).collect();
        let items = self.table.get_many(&keys).await?;
        let row = |item: &Item| Row::read(item).map(|row| (row.request.id, row.request));
        items.iter().map(row).collect()
    }

    /// The days on which a tenant sent something.
    async fn days(&self, tenant: &TenantId) -> Result<Vec<u64>, Fault> {
        let found = self.sort_keys(keys::days(tenant)).await?;
        Ok(found.iter().filter_map(|day| day.parse().ok()).collect())
    }

    async fn tenants(&self) -> Result<Vec<TenantId>, Fault> {
        let found = self.sort_keys(keys::EVERY_TENANT.to_owned()).await?;
        Ok(found.iter().filter_map(|name| TenantId::new(name).ok()).collect())
    }

    async fn sort_keys(&self, pk: String) -> Result<Vec<String>, Fault> {
        let query = Query {
            index: None,
            keys: Expression::new("#pk = :pk").text(":pk", pk),
            forward: true,
        };
        let found = self.table.query(&query, usize::MAX).await?;
        found
            .items
            .iter()
            .map(|item| Ok(Reading::new(item)?.text("sk")?.to_owned()))
            .collect()
    }
}

/// Partitions of an index, those read together in one group, the group to be read first at the end.
struct Line {
    index: &'static Index,
    groups: Vec<Vec<String>>,
    after: Option<Place>,
}

fn place(cursor: &str) -> Result<Place, StoreError> {
    Place::parse(cursor).ok_or_else(|| {
        StoreError::Failed("the cursor is none that a listing gave out; begin again without one".to_owned())
    })
}

/// What stands in a partition behind a place, newest first.
fn partition(index: &Index, pk: String, after: Option<Place>) -> Query {
    let (partition, sort) = index.keys;
    let keys = match after {
        None => Expression::new(format!("#{partition} = :pk")),
        Some(after) => {
            Expression::new(format!("#{partition} = :pk AND #{sort} < :after")).text(":after", after.key())
        }
    };
    Query {
        index: Some(index.name),
        keys: keys.text(":pk", pk),
        forward: false,
    }
}

fn named<'a>(item: &'a Item, name: &str) -> Option<&'a str> {
    item.get(name)
        .and_then(|value| value.as_s().ok())
        .map(String::as_str)
}

fn place_of(item: &Item, index: &Index) -> Result<Place, Fault> {
    let key = named(item, index.keys.1).unwrap_or_default();
    Place::parse(key).ok_or_else(|| Fault::Damaged(format!("index {} has the sort key {key:?}", index.name)))
}

/// Whether what an index carries lets a row pass; the row itself decides.
fn fits(item: &Item, filter: &ListFilter) -> bool {
    let same = |name: &str, wanted: Option<&str>| match (named(item, name), wanted) {
        (Some(found), Some(wanted)) => found == wanted,
        _ => true,
    };
    same("tenant", filter.tenant.as_ref().map(TenantId::as_str))
        && same("lane", filter.lane.as_ref().map(LaneId::as_str))
}
