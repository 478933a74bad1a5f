//! The task that holds one lane.

use crate::carry_out::{FAILED_STORE_PAUSE, Hands};
use crate::desk::{Question, Questions};
use crate::drive::Drive;
use futures_util::FutureExt;
use smoother_core::call::CallEnding;
use smoother_core::config::{Config, LaneConfig};
use smoother_core::ports::{
    Clock, DayCount, Dispatch, LaneMemory, LaneQueue, Payloads, Pending, Recovered, Store, StoreError,
};
use smoother_core::scheduler::{Event, Scheduler, SchedulerConfig, Waiting};
use smoother_core::{Call, LaneId, Millis, Request, Timestamp};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// Charges older than this no longer count in any ledger: a minute, and what clocks may differ.
const CHARGES_COUNT_FOR: Millis = Millis::from_secs(65);
/// A day's counter is stored at most this often while it moves.
const DAY_STORED_EVERY: Millis = Millis::from_secs(1);
/// Events taken up before others get their turn.
const EVENTS_AT_ONCE: usize = 256;
/// Questions taken up in one turn.
const TURN: usize = 64;

/// What a lane needs of the world.
pub struct LanePorts {
    /// Requests and calls.
    pub store: Arc<dyn Store>,
    /// Results of requests that are answered without a call.
    pub payloads: Arc<dyn Payloads>,
    /// The way to the workers.
    pub dispatch: Arc<dyn Dispatch>,
    /// The way to other lanes, for requests that go on in them.
    pub lanes: Arc<dyn LaneQueue>,
    /// The time.
    pub clock: Arc<dyn Clock>,
}

/// A lane could not be taken up.
#[derive(Debug, thiserror::Error)]
#[error("lane {lane} could not be loaded: {cause}")]
pub struct LoadError {
    lane: LaneId,
    cause: StoreError,
}

/// What a person who runs this reads of a start: nothing, if nothing was left over.
fn tell_of(lane: &LaneId, recovered: &Recovered, now: Timestamp) {
    let lost_now = |call: &&Call| {
        let settled = call.settlement.as_ref();
        settled.is_some_and(|end| end.ending == CallEnding::Indeterminate && end.at >= now)
    };
    let indeterminate = recovered.calls.iter().filter(lost_now).count();
    let waiting = recovered.waiting.len();
    if indeterminate > 0 {
        tracing::warn!(
            %lane, waiting, indeterminate,
            "taken up from the store; the indeterminate calls were under way at the last stop, and each request's \
             policy says what follows"
        );
    } else if waiting > 0 {
        tracing::info!(%lane, waiting, "taken up from the store");
    }
}

/// One lane, loaded and ready to run.
pub struct Lane {
    drive: Drive,
    day: DayCount,
    day_stored_at: Timestamp,
    memory: LaneMemory,
    /// What was to be stored of the lane itself was not: it is stored anew.
    unkept: Arc<AtomicBool>,
}

impl Lane {
    /// Reads what waits and what still counts, and rebuilds the scheduler from it. Beside the lane: the rows
    /// that wait, for whoever has to do with their callers.
    pub async fn load(
        config: &Config,
        lane: &LaneConfig,
        ports: Arc<LanePorts>,
    ) -> Result<(Self, Vec<Request>), LoadError> {
        let now = ports.clock.now();
        let recovered = ports
            .store
            .recover(&lane.id, now.before(CHARGES_COUNT_FOR))
            .await
            .map_err(|cause| LoadError {
                lane: lane.id.clone(),
                cause,
            })?;
        tell_of(&lane.id, &recovered, now);
        let mut scheduler = Scheduler::new(SchedulerConfig::of(config, lane), now);
        let waiting = recovered
            .waiting
            .iter()
            .map(|row| Waiting::priced(row, lane.output_burndown))
            .collect();
        scheduler.remember(now, &recovered.memory);
        scheduler.restore(now, waiting, &recovered.calls, recovered.day);
        let day = scheduler.day_count();
        let memory = scheduler.memory();
        let hands = Hands {
            lane: lane.id.clone(),
            burndowns: Hands::burndowns_of(config),
            ports,
        };
        let lane = Self {
            drive: Drive::new(scheduler, hands, lane.clone()),
            day,
            day_stored_at: now,
            memory,
            unkept: Arc::default(),
        };
        Ok((lane, recovered.waiting))
    }

    /// Runs until told to stop, or until nobody can send it events any more.
    pub async fn run(
        mut self,
        mut events: mpsc::UnboundedReceiver<Event>,
        mut questions: Questions,
        stop: CancellationToken,
    ) {
        let mut batch = Vec::with_capacity(EVENTS_AT_ONCE);
        let mut asking = true;
        // What loading it has brought up goes only now: others may hear of it.
        self.drive.step(Event::Tick);
        loop {
            let alarm = self.alarm();
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                count = events.recv_many(&mut batch, EVENTS_AT_ONCE) => {
                    if count == 0 {
                        break;
                    }
                    for event in batch.drain(..) {
                        self.drive.step(event);
                    }
                }
                feedback = self.drive.outcome(), if self.drive.is_doing() => self.drive.hear(feedback),
                question = questions.recv(), if asking => match question {
                    Some(question) => self.answer(question),
                    None => asking = false,
                },
                () = alarm => self.drive.step(Event::Tick),
            }
            self.take_turns(&mut questions);
            self.keep_what_it_knows();
        }
        self.keep_day(true, false);
        tracing::debug!(lane = %self.drive.hands.lane, "the lane's task has ended");
    }

    /// What is ready beside the events, a bounded part of it: a stream of them that never pauses would otherwise
    /// leave outcomes unheard and questions without an answer. Every step looks at the time by itself.
    fn take_turns(&mut self, questions: &mut Questions) {
        self.drive.hear_what_is_ready();
        for _ in 0..TURN {
            let Ok(question) = questions.try_recv() else { break };
            self.answer(question);
        }
    }

    /// Resolves when the scheduler wants to be woken; never, if it does not.
    fn alarm(&self) -> impl Future<Output = ()> + use<> {
        let wait = self.drive.wakes_in();
        async move {
            match wait {
                Some(wait) => tokio::time::sleep(wait).await,
                None => std::future::pending().await,
            }
        }
    }

    fn answer(&mut self, question: Question) {
        let (now, scheduler) = (self.drive.now(), &self.drive.scheduler);
        // Whoever asked may have gone away; that is theirs to know.
        match question {
            Question::View(to) => drop(to.send(scheduler.view(now))),
            Question::Forecast(id, to) => drop(to.send(scheduler.forecast(now, id))),
            Question::Admit(newcomer, to) => drop(to.send(self.drive.admit(&newcomer))),
            Question::Configure(config, done) => {
                self.drive.configure(&config);
                // Whoever asked may be stopping.
                let _ = done.send(());
            }
        }
    }

    /// Stores what is to outlive the lane's task, where it has changed or was not stored.
    fn keep_what_it_knows(&mut self) {
        let anew = self.unkept.swap(false, Ordering::Relaxed);
        self.keep_memory(anew);
        self.keep_day(false, anew);
    }

    fn keep_memory(&mut self, anew: bool) {
        let memory = self.drive.scheduler.memory();
        if memory != self.memory || anew {
            self.memory = memory;
            let kept = self
                .drive
                .hands
                .ports
                .store
                .keep_memory(&self.drive.hands.lane, memory);
            self.await_kept("what its breaker and its pacing have learned", kept);
        }
    }

    fn keep_day(&mut self, last: bool, anew: bool) {
        let count = self.drive.scheduler.day_count();
        let now = self.drive.now();
        let soon = now.since(self.day_stored_at) < DAY_STORED_EVERY;
        if !anew && (count == self.day || (soon && !last)) {
            return;
        }
        self.day = count;
        self.day_stored_at = now;
        let kept = self
            .drive
            .hands
            .ports
            .store
            .keep_day(&self.drive.hands.lane, count);
        self.await_kept("its day's counter", kept);
    }

    /// Hears what became of such a write; a store that is full may take it a second later.
    fn await_kept(&self, what: &'static str, kept: Pending<Result<(), StoreError>>) {
        let (unkept, lane) = (Arc::clone(&self.unkept), self.drive.hands.lane.clone());
        let hear = async move {
            if let Err(error) = kept.await {
                tracing::error!(%lane, %error, what, "what the lane knows could not be stored; it is tried again");
                tokio::time::sleep(FAILED_STORE_PAUSE).await;
                unkept.store(true, Ordering::Relaxed);
            }
            Vec::new()
        };
        self.drive.await_also(hear.boxed());
    }
}
