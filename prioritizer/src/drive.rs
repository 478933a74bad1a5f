//! A lane's scheduler at work: events go in, commands are carried out, and what comes of them is heard as events.
//!
//! The one task of a single machine and the holder of a lease drive their lane alike. What differs is when a release
//! may be recorded: at once, or only after the lane's ledger that covers it was written. In the second case releases
//! are withheld here until their holder says so.

use crate::carry_out::{Feedback, Hands};
use futures_util::FutureExt;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use metrics::histogram;
use smoother_core::config::{Config, LaneConfig};
use smoother_core::scheduler::{Command, Event, Forecast, Scheduler, SchedulerConfig, TurnedAway, Waiting};
use smoother_core::{CallNo, Priority, RequestId, TenantId, Timestamp, metrics as names};
use std::time::Duration;

/// Outcomes that are heard in one turn.
const TURN: usize = 64;

/// What a holder has to see to itself before, or beside, its lane's commands.
#[derive(Debug, Default)]
pub(crate) struct Withheld {
    /// Releases that no written ledger covers yet, and when they were decided.
    pub(crate) releases: Vec<(Command, Timestamp)>,
    /// Whose requests run low in the window.
    pub(crate) refills: Vec<(Priority, TenantId)>,
    /// Requests that were given up: what an index shows of them is old from now on.
    pub(crate) given_up: Vec<RequestId>,
}

/// One lane's scheduler and what it has under way.
pub(crate) struct Drive {
    pub(crate) scheduler: Scheduler,
    pub(crate) hands: Hands,
    /// As last configured.
    settings: LaneConfig,
    window: Option<usize>,
    doing: FuturesUnordered<Feedback>,
    commands: Vec<Command>,
    wake_at: Option<Timestamp>,
    steps: u64,
    withheld: Option<Withheld>,
    decision: metrics::Histogram,
}

impl Drive {
    /// A lane whose releases are recorded as soon as they are decided.
    pub(crate) fn new(scheduler: Scheduler, hands: Hands, settings: LaneConfig) -> Self {
        let lane = hands.lane.to_string();
        Self {
            scheduler,
            hands,
            settings,
            window: None,
            doing: FuturesUnordered::new(),
            commands: Vec::new(),
            wake_at: None,
            steps: 0,
            withheld: None,
            decision: histogram!(names::DECISION_SECONDS, "lane" => lane),
        }
    }

    /// The same with a window of each tenant's requests, whose releases wait for [`Drive::begin`].
    pub(crate) fn withholding(self, window: usize) -> Self {
        Self {
            window: Some(window),
            withheld: Some(Withheld::default()),
            ..self
        }
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.hands.ports.clock.now()
    }

    /// Takes in one event and carries out what follows from it.
    ///
    /// Where other machines tell of it, a call's start is dated to the moment at which it is heard of: no earlier than
    /// it was, whatever their clocks say. Until then its reservation counts in full, so nothing is spent twice.
    pub(crate) fn step(&mut self, mut event: Event) {
        let now = self.now();
        if let (Event::Started { at, .. }, Some(_)) = (&mut event, &self.withheld) {
            *at = now;
        }
        if let Event::Started { request, call, at } = &event {
            self.hear_start(*request, *call, *at);
        }
        self.steps += 1;
        let clock = &self.hands.ports.clock;
        let began = clock.elapsed();
        // Every step says anew when it wants to be woken.
        self.wake_at = None;
        self.scheduler.step_into(now, event, &mut self.commands);
        let took = clock.elapsed().saturating_sub(began);
        self.decision.record(took.as_secs_f64());
        self.carry_out(now);
    }

    /// Lets a new request in, or says why not. What makes room for it goes at once.
    pub(crate) fn admit(&mut self, newcomer: &Waiting) -> Result<Forecast, TurnedAway> {
        let now = self.now();
        let said = self.scheduler.admit(now, newcomer, &mut self.commands);
        if !self.commands.is_empty() {
            self.carry_out(now);
            self.step(Event::Tick);
        }
        said
    }

    /// Makes room for a request that was let in elsewhere, where a bound leaves it none and others may go for it.
    pub(crate) fn make_room_for_arrived(&mut self, arrived: &Waiting) {
        let now = self.now();
        self.scheduler
            .make_room_for_arrived(now, arrived, &mut self.commands);
        if !self.commands.is_empty() {
            self.carry_out(now);
            self.step(Event::Tick);
        }
    }

    /// How good the forecast was that its request had when it came.
    fn hear_start(&self, request: RequestId, call: CallNo, at: Timestamp) {
        let Some((priority, expected)) = self.scheduler.foretold(request, call) else {
            return;
        };
        let (side, off) = if at >= expected {
            ("late", at.since(expected))
        } else {
            ("early", expected.since(at))
        };
        let lane = self.hands.lane.to_string();
        histogram!(names::START_ERROR, "lane" => lane, "priority" => priority.as_str(), "side" => side)
            .record(off.get() as f64 / 1_000.0);
    }

    fn carry_out(&mut self, now: Timestamp) {
        let mut commands = std::mem::take(&mut self.commands);
        for command in commands.drain(..) {
            match (command, &mut self.withheld) {
                (Command::WakeAt(at), _) => self.wake_at = Some(at),
                (command @ Command::Release { .. }, Some(withheld)) => withheld.releases.push((command, now)),
                (Command::Refill { priority, tenant }, Some(withheld)) => {
                    withheld.refills.push((priority, tenant));
                }
                (command, withheld) => {
                    if let Some(withheld) = withheld {
                        withheld.given_up.extend(command.gives_up());
                    }
                    self.begin(command, now);
                }
            }
        }
        self.commands = commands;
    }

    /// Begins a command that was decided at `at`.
    pub(crate) fn begin(&mut self, command: Command, at: Timestamp) {
        if let Some(feedback) = self.hands.begin(command, at) {
            self.doing.push(feedback);
        }
    }

    /// Has something awaited beside the commands; what it brings is heard.
    pub(crate) fn await_also(&self, feedback: Feedback) {
        self.doing.push(feedback);
    }

    /// The releases that wait for the ledger; they are the caller's now.
    pub(crate) fn take_releases(&mut self) -> Vec<(Command, Timestamp)> {
        let withheld = self.withheld.as_mut();
        withheld.map_or_else(Vec::new, |withheld| std::mem::take(&mut withheld.releases))
    }

    /// Whether releases wait for the ledger.
    pub(crate) fn withholds(&self) -> bool {
        self.withheld
            .as_ref()
            .is_some_and(|withheld| !withheld.releases.is_empty())
    }

    /// The refills that were asked for; they are the caller's now.
    pub(crate) fn take_refills(&mut self) -> Vec<(Priority, TenantId)> {
        let withheld = self.withheld.as_mut();
        withheld.map_or_else(Vec::new, |withheld| std::mem::take(&mut withheld.refills))
    }

    /// The requests that were given up; they are the caller's now.
    pub(crate) fn take_given_up(&mut self) -> Vec<RequestId> {
        let withheld = self.withheld.as_mut();
        withheld.map_or_else(Vec::new, |withheld| std::mem::take(&mut withheld.given_up))
    }

    /// Whether anything that was begun is not over.
    pub(crate) fn is_doing(&self) -> bool {
        !self.doing.is_empty()
    }

    /// What came of something that was begun; only where [`Drive::is_doing`].
    pub(crate) async fn outcome(&mut self) -> Vec<Event> {
        match self.doing.next().await {
            Some(feedback) => feedback,
            None => std::future::pending().await,
        }
    }

    pub(crate) fn hear(&mut self, feedback: Vec<Event>) {
        for event in feedback {
            self.step(event);
        }
    }

    /// Hears what is ready by now, a bounded part of it: a stream of events that never pauses would otherwise leave
    /// outcomes unheard.
    pub(crate) fn hear_what_is_ready(&mut self) {
        for _ in 0..TURN {
            let Some(Some(feedback)) = self.doing.next().now_or_never() else {
                break;
            };
            self.hear(feedback);
        }
    }

    /// Steps taken so far.
    pub(crate) fn steps(&self) -> u64 {
        self.steps
    }

    /// How long until the scheduler wants to be woken, if it does.
    pub(crate) fn wakes_in(&self) -> Option<Duration> {
        Some(self.wake_at?.since(self.now()).into())
    }

    /// Goes on by another configuration. One that no longer names the lane leaves it the settings it has: what is in
    /// it is brought to its end by them.
    pub(crate) fn configure(&mut self, config: &Config) {
        if let Some(settings) = config.lanes.get(&self.hands.lane) {
            self.settings.clone_from(settings);
        }
        self.hands.burndowns = Hands::burndowns_of(config);
        let now = self.now();
        let mut settings = SchedulerConfig::of(config, &self.settings);
        settings.window = self.window;
        self.scheduler.reconfigure(now, settings);
        // What may go now goes now.
        self.step(Event::Tick);
    }
}
