//! What waits in a lane, as the indexes say.

use crate::fault::Fault;
use crate::table::condition::Expression;
use crate::table::item::{Item, Reading};
use crate::table::keys::{self, Place};
use crate::table::row::{Row, Terms};
use crate::table::schema::{DUE, Index, WAITING};
use crate::table::{Query, Table};
use metrics::counter;
use smoother_core::metrics::UNREADABLE;
use smoother_core::ports::{Backlogged, Counted, Heads};
use smoother_core::scheduler::Waiting;
use smoother_core::{LaneId, RequestId, State, Timestamp};
use std::sync::Arc;

/// Before every sort key, and after every one.
const FIRST: &str = "0";
const LAST: &str = ":";

/// Reads who waits in a lane.
pub(super) struct Waiters {
    pub(super) table: Table,
    pub(super) terms: Arc<Terms>,
    pub(super) lane: LaneId,
}

impl Waiters {
    /// The first of those who wait and may go.
    pub(super) async fn heads(
        &self,
        partitions: Vec<String>,
        after: Option<String>,
        limit: usize,
    ) -> Result<Heads, Fault> {
        self.read(&WAITING, partitions, after, LAST, limit).await
    }

    /// The first of those whose time comes by `until`.
    pub(super) async fn due(
        &self,
        partitions: Vec<String>,
        until: Timestamp,
        after: Option<String>,
        limit: usize,
    ) -> Result<Heads, Fault> {
        self.read(&DUE, partitions, after, &keys::after_moment(until), limit)
            .await
    }

    /// Reads partitions of an index side by side, in the order of their sort keys.
    async fn read(
        &self,
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
            let read = self.table.query(&query, limit.max(1)).await?;
            more |= read.rest.is_some();
            found.extend(read.items.iter().filter_map(|item| one(item, index)));
        }
        found.sort_unstable_by_key(|(place, _)| *place);
        more |= found.len() > limit;
        found.truncate(limit);
        let next = found.last().filter(|_| more).map(|(place, _)| place.key());
        let mut waiting = Vec::with_capacity(found.len());
        for (place, entry) in found {
            match entry {
                Some(entry) => waiting.push(entry),
                None => waiting.extend(self.by_its_row(place.id).await?),
            }
        }
        Ok(Heads { waiting, next })
    }

    /// One whose entry does not read, as its row says. A row that does not read either holds nobody else up: it is
    /// told of, each time it is met, and waits for a version that reads it.
    async fn by_its_row(&self, id: RequestId) -> Result<Option<Waiting>, Fault> {
        let Some(item) = self.table.get(&keys::row(id)).await? else {
            return Ok(None);
        };
        match Row::read(&item) {
            Ok(row) => {
                let waits = row.request.state == State::Queued && row.request.lane == self.lane;
                Ok(waits.then(|| self.terms.waiting(&row.request)))
            }
            Err(fault) => {
                counter!(UNREADABLE, "lane" => self.lane.to_string()).increment(1);
                tracing::error!(
                    lane = %self.lane, request = %id, %fault,
                    "a waiting request does not read: nobody can call it before a version that reads it is deployed"
                );
                Ok(None)
            }
        }
    }
}

/// How many wait in these partitions of the waiting index, and when the last of them is due.
pub(super) async fn count(table: &Table, partitions: Vec<String>) -> Result<Counted, Fault> {
    let mut counted = Counted::default();
    for pk in partitions {
        let query = Query {
            index: Some(WAITING.name),
            keys: Expression::new(format!("#{} = :pk", WAITING.keys.0)).text(":pk", pk),
            forward: false,
        };
        counted.requests += table.count(&query).await?;
        let last = table.query(&query, 1).await?.items;
        let due = last
            .first()
            .and_then(|item| one(item, &WAITING))
            .map(|(place, _)| place.at);
        counted.last_due = counted.last_due.max(due.map(Timestamp::from_millis));
    }
    Ok(counted)
}

/// Whether an index has anything in these partitions, whatever it is.
pub(super) async fn any(table: &Table, index: &Index, partitions: Vec<String>) -> Result<bool, Fault> {
    Ok(!firsts(table, index, partitions).await?.is_empty())
}

/// Whether the first entry in one of these partitions is one that does not read here.
pub(super) async fn unreadable(table: &Table, index: &Index, partitions: Vec<String>) -> Result<bool, Fault> {
    let firsts = firsts(table, index, partitions).await?;
    Ok(firsts
        .iter()
        .any(|item| matches!(one(item, index), Some((_, None)))))
}

/// The first entry of each of these partitions that has one.
async fn firsts(table: &Table, index: &Index, partitions: Vec<String>) -> Result<Vec<Item>, Fault> {
    let mut firsts = Vec::new();
    for pk in partitions {
        let query = Query {
            index: Some(index.name),
            keys: Expression::new(format!("#{} = :pk", index.keys.0)).text(":pk", pk),
            forward: true,
        };
        firsts.extend(table.query(&query, 1).await?.items);
    }
    Ok(firsts)
}

/// One that waits, and its place; `None` where its entry does not read.
fn one(item: &Item, index: &Index) -> Option<(Place, Option<Waiting>)> {
    let text = |name: &str| {
        item.get(name)
            .and_then(|value| value.as_s().ok())
            .map(String::as_str)
    };
    let key = text(index.keys.1).unwrap_or_default();
    let place = Place::parse(key);
    if place.is_none() {
        tracing::error!(
            index = index.name,
            key,
            "a place that names no request is passed over"
        );
    }
    Some((place?, text("w").and_then(|text| serde_json::from_str(text).ok())))
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hold::DynamoHold;
    use crate::script::{Answer, Script, chance};
    use crate::store::tests::{request, theirs};
    use serde_json::{Value, json};
    use smoother_core::ports::Hold;
    use smoother_core::{Priority, TenantId};

    fn hold(script: &Script) -> DynamoHold {
        let client = crate::clients::dynamodb(&script.environment());
        DynamoHold::new(client, "requests", chance())
    }

    /// An entry of the waiting index.
    fn entry(w: &str) -> Answer {
        let key = Place::new(request().arrived_at, request().id).key();
        let item = json!({"wsk": {"S": key}, "w": {"S": w}});
        Answer::Json(200, json!({ "Items": [item], "Count": 1 }))
    }

    async fn found(row: Value) -> (Vec<RequestId>, Vec<String>) {
        let script = Script::default()
            .then(entry(r#"{"of": "another version"}"#))
            .then(Answer::Json(200, json!({ "Item": row })));
        let (lane, tenant) = (request().lane, request().tenant);
        let heads = hold(&script)
            .heads(&lane, Priority::Normal, &tenant, None, 64)
            .await
            .unwrap();
        let found = heads.waiting.iter().map(|one| one.id).collect();
        (found, script.asked())
    }

    #[tokio::test(start_paused = true)]
    async fn one_whose_entry_does_not_read_is_found_by_its_row() {
        let (waiting, asked) = found(theirs()).await;
        assert_eq!(waiting, [request().id]);
        assert_eq!(asked, ["Query", "GetItem"]);
    }

    #[tokio::test(start_paused = true)]
    async fn one_whose_row_does_not_read_either_holds_nobody_up() {
        let mut later = theirs();
        later["v"] = json!({"N": "9"});
        assert_eq!(found(later).await.0, []);
    }

    #[tokio::test(start_paused = true)]
    async fn the_registry_keeps_whoever_has_something_that_does_not_read() {
        let entry_of = |tenant: TenantId| Backlogged {
            priority: Priority::Normal,
            tenant,
            at: Timestamp::EPOCH,
        };
        let nothing = || Answer::Json(200, json!({ "Items": [], "Count": 0 }));
        for (there, asked) in [
            (entry("?"), &["Query"][..]),
            (nothing(), &["Query", "DeleteItem"][..]),
        ] {
            let script = Script::default().then(there).then(Answer::done());
            let (lane, tenant) = (request().lane, request().tenant);
            hold(&script)
                .forget_backlog(&lane, entry_of(tenant))
                .await
                .unwrap();
            assert_eq!(script.asked(), asked);
        }
    }
}
