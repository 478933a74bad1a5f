//! Whether what is said of an arrival still holds.
//!
//! Messages come late, twice and out of order, and indexes lag. So an arrival may be told of a request that has ended
//! since: by a message that an earlier holder was given and died with, by one that was sent twice, or that the news of
//! the end has overtaken, or by an index that does not show the end yet. Taken at its word, it would count among those
//! that wait until its turn comes, and others would make room for it. Where that is possible, and whenever somebody is to
//! make room, the row is read first.

use crate::carry_out::Hands;
use crate::drive::Drive;
use crate::resync;
use futures_util::FutureExt;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use smoother_core::ports::BoxFuture;
use smoother_core::scheduler::{Again, Event, Waiting};
use smoother_core::{CallNo, RequestId, State};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use tokio::time::Instant;

/// Who has left is known at least so long: news are overtaken by less.
const KNOWN_FOR: Duration = Duration::from_secs(60);
/// How many of them are known; of more, the older ones are forgotten sooner.
const MOST: usize = 20_000;
/// Whom an index shows that has left just now is passed over: it does not show that yet.
const INDEX_LAGS: Duration = Duration::from_secs(5);

/// When it was heard that one has left, and how many had by then.
#[derive(Debug, Clone, Copy)]
struct Departure {
    heard: u64,
    at: Instant,
}

/// Who has left.
#[derive(Debug)]
struct Departed {
    /// Heard of since `since`, and in the time before that.
    by_age: [BTreeMap<RequestId, Departure>; 2],
    since: Instant,
    heard: u64,
}

impl Departed {
    fn note(&mut self, id: RequestId, at: Instant) {
        if at.duration_since(self.since) >= KNOWN_FOR || self.by_age[0].len() >= MOST / 2 {
            self.by_age[1] = std::mem::take(&mut self.by_age[0]);
            self.since = at;
        }
        self.heard += 1;
        let heard = self.heard;
        self.by_age[0].insert(id, Departure { heard, at });
    }

    fn forget(&mut self, id: RequestId) {
        for some in &mut self.by_age {
            some.remove(&id);
        }
    }

    /// The last time that it was heard of this one.
    fn of(&self, id: RequestId) -> Option<Departure> {
        self.by_age.iter().find_map(|some| some.get(&id)).copied()
    }
}

/// What to do about a request that an index shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shown {
    /// It waits.
    Waits,
    /// It may have left: its row says.
    Doubted,
    /// It has left just now.
    Left,
}

/// A row that is being read.
struct Reading {
    id: RequestId,
    receipt: Option<String>,
    /// How many departures had been heard of when it began.
    heard: u64,
    row: Option<Waiting>,
}

/// What a row said, for [`Arrivals::take_in`].
pub(super) struct Read(Reading);

/// Who has left, and the rows that are being read.
pub(super) struct Arrivals {
    hands: Hands,
    departed: Departed,
    reading: FuturesUnordered<BoxFuture<'static, Reading>>,
    /// Of these an index has been doubted.
    doubted: BTreeSet<RequestId>,
}

impl Arrivals {
    pub(super) fn new(hands: Hands, now: Instant) -> Self {
        Self {
            hands,
            departed: Departed {
                by_age: Default::default(),
                since: now,
                heard: 0,
            },
            reading: FuturesUnordered::new(),
            doubted: BTreeSet::new(),
        }
    }

    /// Takes note of who has left, as somebody tells.
    pub(super) fn hear(&mut self, event: &Event, now: Instant) {
        if let Event::Left { request, .. }
        | Event::Ended {
            request,
            again: Again::No,
            ..
        } = event
        {
            self.departed.note(*request, now);
        }
    }

    /// The same of those that the lane itself has given up.
    pub(super) fn have_left(&mut self, requests: Vec<RequestId>, now: Instant) {
        for request in requests {
            self.departed.note(request, now);
        }
    }

    /// Whether an arrival is to be believed only once its row was read; `again`, if somebody was given the news before.
    pub(super) fn doubts(&self, drive: &Drive, arrived: &Waiting, again: bool) -> bool {
        let is_news = !drive.scheduler.knows(arrived.id);
        let may_be_old = again || self.departed.of(arrived.id).is_some();
        (is_news && may_be_old) || (is_newcomer(arrived) && drive.scheduler.wants_room(drive.now(), arrived))
    }

    /// Whether a request that an index shows as waiting does.
    pub(super) fn shown(&self, id: RequestId, now: Instant) -> Shown {
        match self.departed.of(id) {
            None => Shown::Waits,
            Some(left) if now.duration_since(left.at) < INDEX_LAGS => Shown::Left,
            Some(_) => Shown::Doubted,
        }
    }

    /// Begins to read the row of one that an index shows, unless that is under way.
    pub(super) fn check_shown(&mut self, id: RequestId) {
        if self.doubted.insert(id) {
            self.check(id, None);
        }
    }

    /// Begins to read the row of one that a message tells of.
    pub(super) fn check_told(&self, id: RequestId, receipt: String) {
        self.check(id, Some(receipt));
    }

    fn check(&self, id: RequestId, receipt: Option<String>) {
        let (hands, heard) = (self.hands.clone(), self.departed.heard);
        let reading = async move {
            Reading {
                row: read(&hands, id).await,
                id,
                receipt,
                heard,
            }
        };
        self.reading.push(reading.boxed());
    }

    pub(super) fn is_reading(&self) -> bool {
        !self.reading.is_empty()
    }

    /// The next row that was read; only where [`Arrivals::is_reading`].
    pub(super) async fn read(&mut self) -> Read {
        match self.reading.next().await {
            Some(reading) => Read(reading),
            None => std::future::pending().await,
        }
    }

    /// Tells the scheduler of a request whose row says that it waits. The receipt of the message that told of it, which
    /// is done with.
    pub(super) fn take_in(&mut self, drive: &mut Drive, Read(reading): Read) -> Option<String> {
        let Reading {
            id,
            receipt,
            heard,
            row,
        } = reading;
        if receipt.is_none() {
            self.doubted.remove(&id);
        }
        let Some(waiting) = row else { return receipt };
        if self.departed.of(id).is_some_and(|left| left.heard > heard) {
            // It left while its row was read, or just before.
            match receipt {
                Some(receipt) => self.check_told(id, receipt),
                None => self.check_shown(id),
            }
            return None;
        }
        self.departed.forget(id);
        drive.step(Event::Arrived(waiting.clone()));
        if is_newcomer(&waiting) {
            drive.make_room_for_arrived(&waiting);
        }
        receipt
    }
}

/// Whether it was never called: whoever comes back was let in long ago, and nobody makes room for it.
fn is_newcomer(arrived: &Waiting) -> bool {
    arrived.last_call == CallNo::NONE
}

/// The request, if it waits in this lane by its row.
async fn read(hands: &Hands, id: RequestId) -> Option<Waiting> {
    // One that cannot be read is told in the log, and met again where the index shows it.
    let row = resync::row(hands, id).await.ok().flatten()?;
    let waits = matches!(row.state, State::Received | State::Queued) && row.lane == hands.lane;
    waits.then(|| hands.priced(&row))
}
