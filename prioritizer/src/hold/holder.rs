//! The holder of a lane at work.

use super::arrivals::Arrivals;
use super::leaving::{LEAVE_WITHIN, Leaving};
use super::ledger::Ledger;
use super::polls::Polls;
use super::renewal::Renewal;
use super::steady::SteadyClock;
use super::sweep::{self, Book, Found, sweep};
use super::waiting::{Refills, WINDOW, take_in};
use super::{HoldEnd, HoldPorts, monotonic};
use crate::carry_out::Hands;
use crate::drive::Drive;
use futures_util::FutureExt;
use smoother_core::LaneId;
use smoother_core::config::{Config, LaneConfig};
use smoother_core::ports::{BoxFuture, HoldError, Received, StoreError};
use smoother_core::scheduler::{Event, Scheduler, SchedulerConfig};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep_until};

/// How often the lane is written down for those who ask elsewhere, and whom it has served for the next holder.
const REPORT_EVERY: Duration = Duration::from_secs(5);
/// The same, where something waits whose bound is judged by it.
const REPORT_OFTEN: Duration = Duration::from_secs(1);
/// How long a store that could not be read is left alone.
const FAILED_PAUSE: Duration = Duration::from_millis(500);
/// How often the last holder's ledger is asked for where the store fails.
const LOADS: u32 = 5;

/// A lane's holder.
pub(super) struct Holder {
    pub(super) drive: Drive,
    pub(super) ports: Arc<HoldPorts>,
    pub(super) clock: Arc<SteadyClock>,
    pub(super) lane: LaneId,
    pub(super) renewal: Renewal,
    pub(super) ledger: Ledger,
    pub(super) refills: Refills,
    pub(super) arrivals: Arrivals,
    pub(super) polls: Polls,
    sweeping: Option<BoxFuture<'static, Result<Found, StoreError>>>,
    book: Book,
    /// The book of one who has read nothing.
    pub(super) unread: Book,
    sweep_at: Instant,
    report_at: Instant,
    /// Steps that the last report knew of.
    reported: u64,
    pub(super) leaving: Option<Leaving>,
    pub(super) quiet_since: Option<Instant>,
    pub(super) until: Instant,
}

impl Holder {
    /// Takes up the lane where its last holder stopped, with what waits in it.
    pub(super) async fn load(
        config: &Config,
        lane: &LaneConfig,
        ports: Arc<HoldPorts>,
        clock: Arc<SteadyClock>,
        mut renewal: Renewal,
        until: Instant,
    ) -> Result<Self, HoldError> {
        let id = lane.id.clone();
        let mut settings = SchedulerConfig::of(config, lane);
        settings.window = Some(WINDOW);
        settings.handing = ports.handing;
        let book = Book::new(settings.is_bounded());
        let read = read(Arc::clone(&ports), id.clone(), renewal.epoch(), book.clone());
        let (held, found) = renewal.kept_while(&ports, &id, read).await?;
        let now = ports.lane.clock.now();
        let mut scheduler = Scheduler::new(settings, now);
        if let Some(tenants) = &held.tenants {
            scheduler.take_up_tenants(tenants);
        }
        if let Some(ledger) = &held.ledger {
            scheduler.resume(now, ledger);
        }
        scheduler.take_up(now, &found.waiting, &found.more);
        for ((priority, tenant), counted) in &found.counted {
            scheduler.counted(*priority, tenant, *counted);
        }
        let hands = Hands {
            lane: id.clone(),
            burndowns: Hands::burndowns_of(config),
            ports: Arc::clone(&ports.lane),
        };
        let began = monotonic();
        let arrivals = Arrivals::new(hands.clone(), began);
        let mut drive = Drive::new(scheduler, hands, lane.clone()).withholding(WINDOW);
        let mut ledger = Ledger::new(Arc::clone(&ports), id.clone(), renewal.epoch());
        ledger.stands_as(&drive);
        drive.step(Event::Tick);
        Ok(Self {
            drive,
            arrivals,
            renewal,
            ledger,
            refills: Refills::new(Arc::clone(&ports), id.clone()),
            polls: Polls::new(Arc::clone(&ports), id.clone()),
            sweeping: None,
            book: found.book,
            unread: book,
            sweep_at: began + sweep::EVERY,
            report_at: began,
            reported: 0,
            leaving: None,
            quiet_since: None,
            until,
            ports,
            clock,
            lane: id,
        })
    }

    pub(super) async fn run(mut self) -> HoldEnd {
        loop {
            if self.renewal.is_over() {
                tracing::warn!(lane = %self.lane, "the lane's lease could not be renewed in time; it is given up");
                return HoldEnd::Lost;
            }
            self.drive.hear_what_is_ready();
            self.arrivals.have_left(self.drive.take_given_up(), monotonic());
            self.refills.begin(&mut self.drive);
            self.ledger.write(&mut self.drive, false);
            if let Some(end) = self.leave_when_done().await {
                return end;
            }
            self.renewal.keep(&self.ports, &self.lane);
            self.keep_reading();
            self.report_when_due();
            if let Err(HoldError::Stale { epoch, .. }) = self.next().await {
                tracing::info!(lane = %self.lane, %epoch, "somebody else has taken the lane");
                return HoldEnd::Lost;
            }
        }
    }

    /// Waits for the next thing to happen, and takes it in.
    async fn next(&mut self) -> Result<(), HoldError> {
        let wake = self.next_moment();
        tokio::select! {
            biased;
            outcome = self.renewal.renewed() => {
                self.renewal.heard(&outcome);
                stale(outcome)
            }
            outcome = self.ledger.written() => {
                // Asleep meanwhile: what is covered is for the next holder to find out about.
                if !self.renewal.is_over() {
                    self.ledger.heard(&mut self.drive, &outcome);
                }
                stale(outcome)
            }
            events = self.polls.polled(), if self.polls.any() => {
                self.take_in(events);
                Ok(())
            }
            events = self.drive.outcome(), if self.drive.is_doing() => {
                self.drive.hear(events);
                Ok(())
            }
            brought = self.refills.brought(), if self.refills.is_reading() => {
                self.refills.take_in(&mut self.drive, &mut self.arrivals, brought);
                Ok(())
            }
            read = self.arrivals.read(), if self.arrivals.is_reading() => {
                if let Some(receipt) = self.arrivals.take_in(&mut self.drive, read) {
                    self.ledger.took_in(receipt);
                }
                Ok(())
            }
            found = swept(&mut self.sweeping), if self.sweeping.is_some() => {
                self.sweeping = None;
                self.take_in_swept(found);
                Ok(())
            }
            () = self.ports.relieved.cancelled(), if self.leaving.is_none() => Ok(()),
            () = sleep_until(wake) => {
                self.wake_the_scheduler();
                Ok(())
            }
        }
    }

    fn take_in(&mut self, events: Vec<Received>) {
        for Received {
            event,
            receipt,
            again,
        } in events
        {
            self.arrivals.hear(&event, monotonic());
            match event {
                Event::Arrived(arrived) if self.arrivals.doubts(&self.drive, &arrived, again) => {
                    self.arrivals.check_told(arrived.id, receipt);
                }
                event => {
                    self.drive.step(event);
                    self.ledger.took_in(receipt);
                }
            }
        }
    }

    fn wake_the_scheduler(&mut self) {
        if !self.is_closing() && self.drive.wakes_in().is_some_and(|wait| wait.is_zero()) {
            self.drive.step(Event::Tick);
        }
    }

    fn next_moment(&self) -> Instant {
        let now = monotonic();
        let mut moments = vec![self.renewal.looks_at(), self.report_at];
        moments.extend(self.ledger.looks_at());
        if !self.is_closing() {
            moments.extend(self.drive.wakes_in().map(|wait| now + wait));
        }
        if self.sweeping.is_none() && self.sweeps() {
            moments.push(self.sweep_at);
        }
        moments.push(match &self.leaving {
            Some(leaving) => leaving.looks_at(self),
            None => self.until.checked_sub(LEAVE_WITHIN).unwrap_or(now),
        });
        moments.into_iter().min().unwrap_or(now)
    }

    fn is_closing(&self) -> bool {
        self.leaving.as_ref().is_some_and(Leaving::is_closing)
    }

    fn sweeps(&self) -> bool {
        let leaving = self.leaving.as_ref();
        leaving.is_none_or(|leaving| leaving.still_reads() || leaving.has_to_read())
    }

    fn keep_reading(&mut self) {
        if self.leaving.as_ref().is_none_or(Leaving::still_reads) {
            self.polls.keep();
        }
        if self.sweeps() && monotonic() >= self.sweep_at {
            let anew = self.leaving.as_ref().is_some_and(Leaving::has_to_read);
            self.sweep(if anew {
                self.unread.clone()
            } else {
                self.book.clone()
            });
        }
    }

    pub(super) fn sweep(&mut self, book: Book) {
        if self.sweeping.is_none() {
            self.sweep_at = monotonic() + sweep::EVERY;
            let sweep = sweep(Arc::clone(&self.ports), self.lane.clone(), book);
            self.sweeping = Some(sweep.boxed());
        }
    }

    pub(super) fn is_sweeping(&self) -> bool {
        self.sweeping.is_some()
    }

    fn take_in_swept(&mut self, found: Result<Found, StoreError>) {
        let failed = found.is_err();
        match found {
            Ok(Found {
                waiting,
                more,
                counted,
                book,
            }) => {
                self.book = book;
                take_in(&mut self.drive, &mut self.arrivals, waiting);
                for (priority, tenant) in more {
                    self.drive.step(Event::Refilled {
                        priority,
                        tenant,
                        more: true,
                    });
                }
                for ((priority, tenant), counted) in counted {
                    self.drive.scheduler.counted(priority, &tenant, counted);
                }
            }
            Err(error) => {
                tracing::warn!(lane = %self.lane, %error, "what waits could not be read");
                self.sweep_at = monotonic() + FAILED_PAUSE;
            }
        }
        if let Some(leaving) = &mut self.leaving {
            leaving.swept(failed);
        }
    }

    /// Writes down how the lane stands, where anything has happened.
    fn report_when_due(&mut self) {
        let now = monotonic();
        if now < self.report_at {
            return;
        }
        let often = self.unread.counts() && self.drive.scheduler.has_waiting();
        self.report_at = now + if often { REPORT_OFTEN } else { REPORT_EVERY };
        if self.drive.steps() == self.reported {
            return;
        }
        self.reported = self.drive.steps();
        let (scheduler, hold, epoch) = (&self.drive.scheduler, &self.ports.hold, self.renewal.epoch());
        let report = hold.write_report(&self.lane, epoch, scheduler.report(self.drive.now()));
        let tenants = hold.write_tenants(&self.lane, epoch, scheduler.tenants());
        let lane = self.lane.clone();
        let written = async move {
            for written in [report.await, tenants.await] {
                if let Err(error) = written {
                    tracing::debug!(%lane, %error, "how the lane stands could not be written down");
                }
            }
            Vec::new()
        };
        self.drive.await_also(written.boxed());
    }
}

/// What the last holder left, and what waits.
async fn read(
    ports: Arc<HoldPorts>,
    lane: LaneId,
    epoch: smoother_core::hold::Epoch,
    book: Book,
) -> Result<(smoother_core::ports::Held, Found), HoldError> {
    let mut tries = 0;
    let held = loop {
        match ports.hold.load(&lane, epoch).await {
            Err(HoldError::Store(error)) if tries + 1 < LOADS && !matches!(error, StoreError::Damaged(_)) => {
                tries += 1;
                tracing::warn!(%lane, %error, "the lane's ledger could not be read");
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
            Err(error) => return Err(error),
            Ok(held) => break held,
        }
    };
    let found = loop {
        match sweep(Arc::clone(&ports), lane.clone(), book.clone()).await {
            Err(error) if tries + 1 < LOADS => {
                tries += 1;
                tracing::warn!(%lane, %error, "what waits could not be read");
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
            Err(error) => return Err(error.into()),
            Ok(found) => break found,
        }
    };
    Ok((held, found))
}

async fn swept(
    sweeping: &mut Option<BoxFuture<'static, Result<Found, StoreError>>>,
) -> Result<Found, StoreError> {
    match sweeping {
        Some(sweep) => sweep.await,
        None => std::future::pending().await,
    }
}

/// Of an outcome, only that the lane is somebody else's; anything else is tried again.
fn stale(outcome: Result<(), HoldError>) -> Result<(), HoldError> {
    match outcome {
        Err(error @ HoldError::Stale { .. }) => Err(error),
        _ => Ok(()),
    }
}
