//! The task that holds one lane.

use crate::carry_out::{FAILED_STORE_PAUSE, Feedback, Hands};
use crate::desk::{Question, Questions};
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, StreamExt};
use metrics::histogram;
use smoother_core::call::CallEnding;
use smoother_core::config::{Config, LaneConfig};
use smoother_core::ports::{
    Clock, DayCount, Dispatch, LaneMemory, LaneQueue, Payloads, Pending, Recovered, Store, StoreError,
};
use smoother_core::scheduler::{Command, Event, Scheduler, SchedulerConfig, Waiting};
use smoother_core::{Call, LaneId, Millis, Request, Timestamp, metrics as names};
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
/// Outcomes, and questions, taken up in one turn.
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
    scheduler: Scheduler,
    hands: Hands,
    doing: FuturesUnordered<Feedback>,
    commands: Vec<Command>,
    wake_at: Option<Timestamp>,
    day: DayCount,
    day_stored_at: Timestamp,
    memory: LaneMemory,
    /// What was to be stored of the lane itself was not: it is stored anew.
    unkept: Arc<AtomicBool>,
    /// As last configured.
    settings: LaneConfig,
    decision: metrics::Histogram,
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
        let mut commands = Vec::new();
        scheduler.remember(now, &recovered.memory);
        scheduler.restore(now, waiting, &recovered.calls, recovered.day);
        scheduler.step_into(now, Event::Tick, &mut commands);
        let day = scheduler.day_count();
        let memory = scheduler.memory();
        let hands_lane = lane.id.to_string();
        let hands = Hands {
            lane: lane.id.clone(),
            burndowns: Hands::burndowns_of(config),
            ports,
        };
        let lane = Self {
            scheduler,
            hands,
            doing: FuturesUnordered::new(),
            commands,
            wake_at: None,
            day,
            day_stored_at: now,
            memory,
            unkept: Arc::default(),
            settings: lane.clone(),
            decision: histogram!(names::DECISION_SECONDS, "lane" => hands_lane),
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
        // What loading it has brought up: only now may others hear of it.
        self.carry_out(self.hands.ports.clock.now());
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
                        self.step(event);
                    }
                }
                Some(feedback) = self.doing.next(), if !self.doing.is_empty() => self.hear(feedback),
                question = questions.recv(), if asking => match question {
                    Some(question) => self.answer(question),
                    None => asking = false,
                },
                () = alarm => self.step(Event::Tick),
            }
            self.take_turns(&mut questions);
            self.keep_what_it_knows();
        }
        self.keep_day(true, false);
        tracing::debug!(lane = %self.hands.lane, "the lane's task has ended");
    }

    /// What is ready beside the events, a bounded part of it: a stream of them that never pauses would otherwise
    /// leave outcomes unheard and questions without an answer. Every step looks at the time by itself.
    fn take_turns(&mut self, questions: &mut Questions) {
        for _ in 0..TURN {
            let Some(Some(feedback)) = self.doing.next().now_or_never() else {
                break;
            };
            self.hear(feedback);
        }
        for _ in 0..TURN {
            let Ok(question) = questions.try_recv() else { break };
            self.answer(question);
        }
    }

    fn hear(&mut self, feedback: Vec<Event>) {
        for event in feedback {
            self.step(event);
        }
    }

    fn step(&mut self, event: Event) {
        let now = self.hands.ports.clock.now();
        let began = self.hands.ports.clock.elapsed();
        // Every step says anew when it wants to be woken.
        self.wake_at = None;
        self.scheduler.step_into(now, event, &mut self.commands);
        let took = self.hands.ports.clock.elapsed().saturating_sub(began);
        self.decision.record(took.as_secs_f64());
        self.carry_out(now);
    }

    fn carry_out(&mut self, now: Timestamp) {
        for command in self.commands.drain(..) {
            if let Command::WakeAt(at) = command {
                self.wake_at = Some(at);
            } else if let Some(feedback) = self.hands.begin(command, now) {
                self.doing.push(feedback);
            }
        }
    }

    /// Resolves when the scheduler wants to be woken; never, if it does not.
    fn alarm(&self) -> impl Future<Output = ()> + use<> {
        let wait = self.wake_at.map(|at| at.since(self.hands.ports.clock.now()));
        async move {
            match wait {
                Some(wait) => tokio::time::sleep(wait.into()).await,
                None => std::future::pending().await,
            }
        }
    }

    fn answer(&mut self, question: Question) {
        let now = self.hands.ports.clock.now();
        // Whoever asked may have gone away; that is theirs to know.
        match question {
            Question::View(to) => drop(to.send(self.scheduler.view(now))),
            Question::Forecast(id, to) => drop(to.send(self.scheduler.forecast(now, id))),
            Question::Configure(config, done) => {
                self.configure(&config);
                // Whoever asked may be stopping.
                let _ = done.send(());
            }
        }
    }

    /// Goes on by another configuration. One that no longer names the lane leaves it the settings it has: what is in
    /// it is brought to its end by them.
    fn configure(&mut self, config: &Config) {
        if let Some(settings) = config.lanes.get(&self.hands.lane) {
            self.settings.clone_from(settings);
        }
        self.hands.burndowns = Hands::burndowns_of(config);
        let now = self.hands.ports.clock.now();
        let settings = SchedulerConfig::of(config, &self.settings);
        self.scheduler.reconfigure(now, settings);
        // What may go now goes now.
        self.step(Event::Tick);
    }

    /// Stores what is to outlive the lane's task, where it has changed or was not stored.
    fn keep_what_it_knows(&mut self) {
        let anew = self.unkept.swap(false, Ordering::Relaxed);
        self.keep_memory(anew);
        self.keep_day(false, anew);
    }

    fn keep_memory(&mut self, anew: bool) {
        let memory = self.scheduler.memory();
        if memory != self.memory || anew {
            self.memory = memory;
            let kept = self.hands.ports.store.keep_memory(&self.hands.lane, memory);
            self.await_kept("its circuit breaker's state", kept);
        }
    }

    fn keep_day(&mut self, last: bool, anew: bool) {
        let count = self.scheduler.day_count();
        let now = self.hands.ports.clock.now();
        let soon = now.since(self.day_stored_at) < DAY_STORED_EVERY;
        if !anew && (count == self.day || (soon && !last)) {
            return;
        }
        self.day = count;
        self.day_stored_at = now;
        let kept = self.hands.ports.store.keep_day(&self.hands.lane, count);
        self.await_kept("its day's counter", kept);
    }

    /// Hears what became of such a write; a store that is full may take it a second later.
    fn await_kept(&self, what: &'static str, kept: Pending<Result<(), StoreError>>) {
        let (unkept, lane) = (Arc::clone(&self.unkept), self.hands.lane.clone());
        let hear = async move {
            if let Err(error) = kept.await {
                tracing::error!(%lane, %error, what, "what the lane knows could not be stored; it is tried again");
                tokio::time::sleep(FAILED_STORE_PAUSE).await;
                unkept.store(true, Ordering::Relaxed);
            }
            Vec::new()
        };
        self.doing.push(hear.boxed());
    }
}
