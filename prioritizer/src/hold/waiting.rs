//! Reading on when a tenant's requests run low in the window.

use super::arrivals::{Arrivals, Shown};
use super::{HoldPorts, monotonic};
use crate::drive::Drive;
use futures_util::FutureExt;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use smoother_core::ports::{BoxFuture, Heads, StoreError};
use smoother_core::scheduler::{Event, Waiting};
use smoother_core::{LaneId, Priority, TenantId};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::sleep;

/// How many of a tenant's requests in a band are read at once, and kept.
pub(super) const WINDOW: usize = 64;
/// Pages that are read for one refill: the index may be full of requests that are known or gone.
const PAGES: u32 = 8;
/// How long a refill that brought nothing new, although there is more, is left alone.
const FUTILE: Duration = Duration::from_millis(250);

/// One refill on its way.
#[derive(Debug)]
struct Refill {
    priority: Priority,
    tenant: TenantId,
    pages: u32,
    fresh: usize,
}

/// A page of it that was read, or the news that it is over.
enum Read {
    Page(Refill, Result<Heads, StoreError>),
    Over(Refill),
}

/// The refills under way.
pub(super) struct Refills {
    ports: Arc<HoldPorts>,
    lane: LaneId,
    reading: FuturesUnordered<BoxFuture<'static, Read>>,
}

/// What a refill brought, for [`Refills::take_in`].
pub(super) struct Brought(Read);

impl Refills {
    pub(super) fn new(ports: Arc<HoldPorts>, lane: LaneId) -> Self {
        Self {
            ports,
            lane,
            reading: FuturesUnordered::new(),
        }
    }

    pub(super) fn is_reading(&self) -> bool {
        !self.reading.is_empty()
    }

    /// Begins the refills that were asked for.
    pub(super) fn begin(&self, drive: &mut Drive) {
        for (priority, tenant) in drive.take_refills() {
            let refill = Refill {
                priority,
                tenant,
                pages: 0,
                fresh: 0,
            };
            self.read(refill, None);
        }
    }

    fn read(&self, mut refill: Refill, after: Option<String>) {
        refill.pages += 1;
        let (ports, lane) = (Arc::clone(&self.ports), self.lane.clone());
        let page = async move {
            let Refill { priority, tenant, .. } = &refill;
            let read = ports.hold.heads(&lane, *priority, tenant, after, WINDOW).await;
            Read::Page(refill, read)
        };
        self.reading.push(page.boxed());
    }

    /// The next thing that was read; only where [`Refills::is_reading`].
    pub(super) async fn brought(&mut self) -> Brought {
        match self.reading.next().await {
            Some(read) => Brought(read),
            None => std::future::pending().await,
        }
    }

    pub(super) fn take_in(&self, drive: &mut Drive, arrivals: &mut Arrivals, Brought(read): Brought) {
        match read {
            Read::Over(refill) => drive.step(refilled(refill, true)),
            Read::Page(mut refill, Ok(heads)) => {
                refill.fresh += take_in(drive, arrivals, heads.waiting);
                match heads.next {
                    None => drive.step(refilled(refill, false)),
                    Some(_) if refill.fresh >= WINDOW / 2 => drive.step(refilled(refill, true)),
                    Some(after) if refill.pages < PAGES => self.read(refill, Some(after)),
                    Some(_) => self.pause(refill),
                }
            }
            Read::Page(refill, Err(error)) => {
                tracing::warn!(lane = %self.lane, tenant = %refill.tenant, %error, "what waits could not be read");
                self.pause(refill);
            }
        }
    }

    fn pause(&self, refill: Refill) {
        let pause = async move {
            sleep(FUTILE).await;
            Read::Over(refill)
        };
        self.reading.push(pause.boxed());
    }
}

fn refilled(refill: Refill, more: bool) -> Event {
    let Refill { priority, tenant, .. } = refill;
    Event::Refilled {
        priority,
        tenant,
        more,
    }
}

/// Tells the scheduler of those that it does not know, passes over those that have left just now, and has the rows read of
/// those that may have; how many it was told of.
pub(super) fn take_in(drive: &mut Drive, arrivals: &mut Arrivals, waiting: Vec<Waiting>) -> usize {
    let (now, mut fresh) = (monotonic(), 0);
    for one in waiting {
        if drive.scheduler.knows(one.id) {
            continue;
        }
        match arrivals.shown(one.id, now) {
            Shown::Left => {}
            Shown::Doubted => arrivals.check_shown(one.id),
            Shown::Waits => {
                fresh += 1;
                drive
                    .scheduler
                    .comes_from_beyond(one.priority, &one.tenant, one.reserve);
                drive.step(Event::Arrived(one));
            }
        }
    }
    fresh
}
