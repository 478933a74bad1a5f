//! What waits in a lane, as the indexes say.

use crate::fault::Fault;
use crate::table::condition::Expression;
use crate::table::item::{Item, Reading};
use crate::table::keys::{self, Place};
use crate::table::schema::{DUE, Index, WAITING};
use crate::table::{Query, Table};
use smoother_core::Timestamp;
use smoother_core::ports::{Backlogged, Heads};
use smoother_core::scheduler::Waiting;

/// Before every sort key, and after every one.
const FIRST: &str = "0";
const LAST: &str = ":";

/// The first of those who wait and may go.
pub(super) async fn heads(
    table: &Table,
    partitions: Vec<String>,
    after: Option<String>,
    limit: usize,
) -> Result<Heads, Fault> {
    read(table, &WAITING, partitions, after, LAST, limit).await
}

/// The first of those whose time comes by `until`.
pub(super) async fn due(
    table: &Table,
    partitions: Vec<String>,
    until: Timestamp,
    after: Option<String>,
    limit: usize,
) -> Result<Heads, Fault> {
    read(table, &DUE, partitions, after, &keys::after_moment(until), limit).await
}

/// Reads partitions of an index side by side, in the order of their sort keys.
async fn read(
    table: &Table,
    index: &Index,
    partitions: Vec<String>,
    after: Option<String>,
    end: &str,
    limit: usize,
) -> Result<Heads, Fault> {
    let (partition, sort) = index.keys;
    // No sort key is the beginning of another, so whatever is longer than one is behind it.
    let begin = after.map_or_else(|| FIRST.to_owned(), |place| place + LAST);
    let (mut found, mut more) = (Vec::new(), false);
    for pk in partitions {
        let query = Query {
            index: Some(index.name),
            keys: Expression::new(format!("#{partition} = :pk AND #{sort} BETWEEN :begin AND :end"))
                .text(":pk", pk)
                .text(":begin", &begin)
                .text(":end", end),
            forward: true,
        };
        let read = table.query(&query, limit.max(1)).await?;
        more |= read.rest.is_some();
        found.extend(read.items.iter().filter_map(|item| one(item, index)));
    }
    found.sort_unstable_by_key(|(place, _)| *place);
    more |= found.len() > limit;
    found.truncate(limit);
    let next = found.last().filter(|_| more).map(|(place, _)| place.key());
    let waiting = found.into_iter().filter_map(|(_, waiting)| waiting).collect();
    Ok(Heads { waiting, next })
}

/// One that waits, and its place. Where its entry does not read it holds nobody else up.
fn one(item: &Item, index: &Index) -> Option<(Place, Option<Waiting>)> {
    let text = |name: &str| {
        item.get(name)
            .and_then(|value| value.as_s().ok())
            .map(String::as_str)
    };
    let key = text(index.keys.1).unwrap_or_default();
    let waiting = text("w").and_then(|text| serde_json::from_str(text).ok());
    if waiting.is_none() {
        tracing::error!(
            index = index.name,
            key,
            "what waits here does not read: it is passed over"
        );
    }
    Some((Place::parse(key)?, waiting))
}

/// The lane's registry.
pub(super) async fn backlog(table: &Table, pk: String) -> Result<Vec<Backlogged>, Fault> {
    let query = Query {
        index: None,
        keys: Expression::new("#pk = :pk AND begins_with(#sk, :sk)")
            .text(":pk", pk)
            .text(":sk", "B#"),
        forward: true,
    };
    let entry = |item: &Item| {
        let reading = Reading::new(item)?;
        let sk = reading.text("sk")?;
        let (priority, tenant) =
            keys::backlog_of(sk).ok_or_else(|| reading.damaged("sk", "names no backlog"))?;
        Ok(Backlogged {
            priority,
            tenant,
            at: Timestamp::from_millis(reading.number("at")?),
        })
    };
    table
        .query(&query, usize::MAX)
        .await?
        .items
        .iter()
        .map(entry)
        .collect()
}
