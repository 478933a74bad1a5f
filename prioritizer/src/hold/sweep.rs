//! Reading what waits, whoever told of it or did not: when a lane is taken up, now and then while it is held, and
//! once more before it is left.
//!
//! The registry says who may have something waiting. Everybody in it is read when their entry is new to this holder,
//! was put again since, or was read a minute ago; so a request whose producer died before telling the lane is found
//! within about a minute, and a lane with ten thousand tenants is not read over and over.

use super::waiting::WINDOW;
use super::{HoldPorts, monotonic};
use futures_util::StreamExt;
use futures_util::stream;
use smoother_core::ports::{Backlogged, Counted, Heads, StoreError};
use smoother_core::scheduler::Waiting;
use smoother_core::{LaneId, Millis, Priority, TenantId, Timestamp};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// How often the registry is read.
pub(super) const EVERY: Duration = Duration::from_secs(10);
/// Who is in it is read at least so often.
const AT_LEAST: Duration = Duration::from_secs(60);
/// Requests whose time comes within this are read ahead.
const AHEAD: Millis = Millis::from_secs(20);
/// Tenants that are read at once.
const AT_ONCE: usize = 16;
/// Requests that wait for their time, a page of them, and pages that are read at the most.
const DUE: usize = 100;
const DUE_PAGES: usize = 50;

/// One tenant in one band.
pub(super) type Flow = (Priority, TenantId);

/// When a tenant was read, and what its entry said then.
#[derive(Debug, Clone)]
struct LastRead {
    put: Timestamp,
    at: Instant,
}

/// What was read so far.
#[derive(Debug, Clone, Default)]
pub(super) struct Book {
    flows: BTreeMap<Flow, LastRead>,
    due: Option<Instant>,
    /// Where the reading of those that wait for their time has come.
    due_after: Option<String>,
    /// Whether those of whom there are more than are read are counted.
    counts: bool,
}

/// What a sweep found.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) waiting: Vec<Waiting>,
    /// Who has more than that.
    pub(super) more: Vec<Flow>,
    /// How many those have.
    pub(super) counted: Vec<(Flow, Counted)>,
    pub(super) book: Book,
}

impl Book {
    /// The book of one who has read nothing.
    pub(super) fn new(counts: bool) -> Self {
        Self {
            counts,
            ..Self::default()
        }
    }

    pub(super) const fn counts(&self) -> bool {
        self.counts
    }

    fn is_news(&self, entry: &Backlogged, now: Instant) -> bool {
        let read = self.flows.get(&flow_of(entry));
        read.is_none_or(|read| read.put != entry.at || now.duration_since(read.at) >= AT_LEAST)
    }
}

/// Reads what may be new since what is in `book`; all of it, where that is empty.
pub(super) async fn sweep(ports: Arc<HoldPorts>, lane: LaneId, book: Book) -> Result<Found, StoreError> {
    let began = monotonic();
    let mut found = Found {
        book,
        ..Found::default()
    };
    let entries = ports.hold.backlog(&lane).await?;
    if found.book.flows.len() > 2 * entries.len() + 64 {
        let known: BTreeSet<Flow> = entries.iter().map(flow_of).collect();
        found.book.flows.retain(|flow, _| known.contains(flow));
    }
    let news: Vec<&Backlogged> = entries
        .iter()
        .filter(|entry| found.book.is_news(entry, began))
        .collect();
    let counts = found.book.counts;
    let read = |entry: Backlogged| {
        let (ports, lane) = (&ports, &lane);
        async move {
            let hold = &ports.hold;
            let heads = hold
                .heads(lane, entry.priority, &entry.tenant, None, WINDOW)
                .await;
            let counted = match &heads {
                Ok(heads) if counts && heads.next.is_some() => {
                    let counted = hold.count(lane, entry.priority, &entry.tenant).await;
                    counted.map(Some)
                }
                _ => Ok(None),
            };
            (entry, heads, counted)
        }
    };
    let mut reading = stream::iter(news.into_iter().cloned().map(read)).buffer_unordered(AT_ONCE);
    let mut empty = Vec::new();
    while let Some((entry, heads, counted)) = reading.next().await {
        let Heads { waiting, next } = heads?;
        let flow = flow_of(&entry);
        let read = LastRead {
            put: entry.at,
            at: began,
        };
        found.book.flows.insert(flow.clone(), read);
        if waiting.is_empty() {
            empty.push(entry);
        }
        found.waiting.extend(waiting);
        if let Some(counted) = counted? {
            found.counted.push((flow.clone(), counted));
        }
        if next.is_some() {
            found.more.push(flow);
        }
    }
    drop(reading);
    forget_the_long_gone(&ports, &lane, empty).await;
    read_due(&ports, &lane, began, &mut found).await?;
    Ok(found)
}

fn flow_of(entry: &Backlogged) -> Flow {
    (entry.priority, entry.tenant.clone())
}

/// Takes out of the registry whoever has had nothing waiting for long.
async fn forget_the_long_gone(ports: &HoldPorts, lane: &LaneId, empty: Vec<Backlogged>) {
    let now = ports.lane.clock.now();
    for entry in empty {
        if entry.at + Backlogged::KEPT_FOR < now
            && let Err(error) = ports.hold.forget_backlog(lane, entry).await
        {
            tracing::debug!(%lane, %error, "an old entry of the lane's registry stays");
        }
    }
}

/// Reads on among those that wait for their time, and from the beginning once a minute: what was missed by then is
/// what nobody told of.
async fn read_due(
    ports: &HoldPorts,
    lane: &LaneId,
    began: Instant,
    found: &mut Found,
) -> Result<(), StoreError> {
    let book = &mut found.book;
    if book.due.is_none_or(|at| began.duration_since(at) >= AT_LEAST) {
        book.due = Some(began);
        book.due_after = None;
    }
    let until = ports.lane.clock.now() + AHEAD;
    for _ in 0..DUE_PAGES {
        let page = ports.hold.due(lane, until, book.due_after.clone(), DUE).await?;
        found.waiting.extend(page.waiting);
        match page.next {
            Some(next) => book.due_after = Some(next),
            None => break,
        }
    }
    Ok(())
}
