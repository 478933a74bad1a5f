//! What whoever stores a request writes down so that others find it without a scan.
//!
//! Three notes: that its tenant may have requests waiting in its band of its lane (the lane's registry, from which a
//! holder reads what waits), that its tenant sent something on its day, and that there is such a tenant (both for
//! listings). They are durable before the request is, and written again only when a minute has passed since this
//! process wrote them last: a process puts them once a minute for each (lane, band, tenant), however many requests
//! pass through it.

use crate::fault::Fault;
use crate::table::Table;
use crate::table::item::{Item, Writing};
use crate::table::keys::{self, Key};
use crate::table::row::Lifetimes;
use futures_util::future::try_join_all;
use smoother_core::ports::Backlogged;
use smoother_core::{Request, Rev, State, Timestamp};
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

/// More than so many remembered, and all are forgotten: they are only written once more than needed.
const MOST: usize = 20_000;

/// What this process has written down lately.
#[derive(Debug, Default)]
pub(crate) struct Notes(Mutex<HashMap<Key, Timestamp>>);

impl Notes {
    /// Sees to it that a row which is about to be stored will be found.
    pub(crate) async fn write(
        &self,
        table: &Table,
        row: &Request,
        lifetimes: &Lifetimes,
        now: Timestamp,
    ) -> Result<(), Fault> {
        let due = self.due(row, lifetimes, now);
        if due.is_empty() {
            return Ok(());
        }
        let (keys, items): (Vec<_>, Vec<_>) = due.into_iter().unzip();
        try_join_all(items.iter().map(|item| table.put(item, None))).await?;
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() > MOST {
            known.clear();
        }
        known.extend(keys.into_iter().map(|key| (key, now)));
        Ok(())
    }

    /// The notes that are not known to be there.
    fn due(&self, row: &Request, lifetimes: &Lifetimes, now: Timestamp) -> Vec<(Key, Item)> {
        let wanted = notes(row, lifetimes, now);
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let fresh = |key: &Key| {
            known
                .get(key)
                .is_some_and(|at| now.since(*at) < Backlogged::HOLDS_FOR)
        };
        wanted.into_iter().filter(|(key, _)| !fresh(key)).collect()
    }
}

/// The notes that a version of a row needs: its backlog where it waits and may go, those for listings where it is new.
fn notes(row: &Request, lifetimes: &Lifetimes, now: Timestamp) -> Vec<(Key, Item)> {
    let ttl = lifetimes.of_parts(row, now);
    let listed = |key: Key| {
        let item = Writing::new(&key).number("ttl", ttl).done();
        (key, item)
    };
    let mut notes = Vec::with_capacity(3);
    if row.state == State::Queued && row.not_before.is_none() {
        let key = keys::backlog(&row.lane, row.priority, &row.tenant);
        let item = Writing::new(&key).number("at", now.as_millis()).done();
        notes.push((key, item));
    }
    if row.rev == Rev::FIRST {
        notes.push(listed(keys::day(&row.tenant, keys::day_of(row.arrived_at))));
        notes.push(listed(keys::tenant(&row.tenant)));
    }
    notes
}
