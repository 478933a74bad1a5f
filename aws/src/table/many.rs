//! Many items at once: queries page by page, reads in batches.

use super::condition::{Expression, names, values};
use super::item::Item;
use super::keys::Key;
use super::{Table, attributes};
use crate::fault::Fault;
use aws_sdk_dynamodb::operation::query::builders::QueryFluentBuilder;
use aws_sdk_dynamodb::types::{KeysAndAttributes, Select};

/// The most that DynamoDB reads in one batch.
const MOST_READ: usize = 100;
const BATCH: &str = "dynamodb:BatchGetItem";

/// What to look for in the table or in an index of it.
#[derive(Debug, Clone)]
pub(crate) struct Query {
    /// Which index; the table itself where there is none, read consistently.
    pub(crate) index: Option<&'static str>,
    /// The keys.
    pub(crate) keys: Expression,
    /// Whether from the smallest sort key on.
    pub(crate) forward: bool,
}

/// Some of what was looked for.
#[derive(Debug, Clone, Default)]
pub(crate) struct Found {
    pub(crate) items: Vec<Item>,
    /// Where the rest begins; `None` where this was all.
    pub(crate) rest: Option<Item>,
}

impl Table {
    /// Up to `limit` items.
    pub(crate) async fn query(&self, query: &Query, limit: usize) -> Result<Found, Fault> {
        let mut found = Found::default();
        loop {
            let left = limit - found.items.len();
            let page = self.page(query, left, found.rest.take()).await?;
            found.items.extend(page.items);
            // A page ends at a megabyte, too.
            if page.rest.is_none() || found.items.len() >= limit {
                return Ok(Found {
                    rest: page.rest,
                    ..found
                });
            }
            found.rest = page.rest;
        }
    }

    /// How many items there are.
    pub(crate) async fn count(&self, query: &Query) -> Result<u64, Fault> {
        let (mut count, mut from) = (0, None);
        loop {
            let (some, rest) = self.count_page(query, from.take()).await?;
            count += some;
            if rest.is_none() {
                return Ok(count);
            }
            from = rest;
        }
    }

    async fn count_page(&self, query: &Query, from: Option<Item>) -> Result<(u64, Option<Item>), Fault> {
        self.ask(|| async {
            let asked = self.asking(query).select(Select::Count);
            let found = asked.set_exclusive_start_key(from.clone()).send().await;
            let found = found.map_err(|error| self.asked("dynamodb:Query").failed(&error))?;
            let count = u64::try_from(found.count).unwrap_or(0);
            Ok((count, found.last_evaluated_key.filter(|key| !key.is_empty())))
        })
        .await
    }

    fn asking(&self, query: &Query) -> QueryFluentBuilder {
        self.client
            .query()
            .table_name(&*self.name)
            .set_index_name(query.index.map(str::to_owned))
            .consistent_read(query.index.is_none())
            .key_condition_expression(&query.keys.text)
            .set_expression_attribute_names(names(&[&query.keys.text]))
            .set_expression_attribute_values(values(&[&query.keys]))
            .scan_index_forward(query.forward)
    }

    async fn page(&self, query: &Query, limit: usize, from: Option<Item>) -> Result<Found, Fault> {
        self.ask(|| async {
            let asked = self
                .asking(query)
                .limit(i32::try_from(limit.max(1)).unwrap_or(i32::MAX))
                .set_exclusive_start_key(from.clone());
            let found = asked.send().await;
            let found = found.map_err(|error| self.asked("dynamodb:Query").failed(&error))?;
            Ok(Found {
                items: found.items.unwrap_or_default(),
                rest: found.last_evaluated_key.filter(|key| !key.is_empty()),
            })
        })
        .await
    }

    /// Reads these items as they are now, in no order; those that are not there are left out.
    pub(crate) async fn get_many(&self, keys: &[Key]) -> Result<Vec<Item>, Fault> {
        let mut found = Vec::with_capacity(keys.len());
        for keys in keys.chunks(MOST_READ) {
            let mut left: Vec<Item> = keys.iter().map(attributes).collect();
            let mut made = 0;
            while !left.is_empty() {
                let before = left.len();
                let (read, unread) = self.get_batch(&left).await?;
                found.extend(read);
                left = unread;
                made = self.pause_if_stuck(made, left.len() == before).await?;
            }
        }
        Ok(found)
    }

    async fn get_batch(&self, keys: &[Item]) -> Result<(Vec<Item>, Vec<Item>), Fault> {
        self.ask(|| async {
            let wanted = KeysAndAttributes::builder()
                .set_keys(Some(keys.to_vec()))
                .consistent_read(true);
            let wanted = wanted.build();
            let wanted = wanted.map_err(|error| Fault::Lasting(self.asked(BATCH).because(&error)))?;
            let read = self
                .client
                .batch_get_item()
                .request_items(&*self.name, wanted)
                .send()
                .await;
            let read = read.map_err(|error| self.asked(BATCH).failed(&error))?;
            let items = read.responses.and_then(|mut all| all.remove(&*self.name));
            let unread = read.unprocessed_keys.and_then(|mut all| all.remove(&*self.name));
            Ok((
                items.unwrap_or_default(),
                unread.map(|unread| unread.keys).unwrap_or_default(),
            ))
        })
        .await
    }

    /// What a batch leaves is asked for again at once as long as it gets on, else after pauses, as long as patience
    /// lasts. Gives how often it was stuck.
    async fn pause_if_stuck(&self, made: u32, stuck: bool) -> Result<u32, Fault> {
        if !stuck {
            return Ok(0);
        }
        let made = made + 1;
        if made >= self.patience.tries {
            let why = format!("nothing of a batch was processed in {made} tries; the table is throttled");
            return Err(Fault::Busy(self.asked(BATCH).because(&why)));
        }
        tokio::time::sleep(self.patience.pause(&*self.chance, made)).await;
        Ok(made)
    }
}
