//! A lane's circuit breaker: stops calling an upstream that mostly fails, and finds out when it is well again.
//!
//! ```text
//!            failure or slow rate over the window
//!   closed ──────────────────────────────────────▶ open ◀───────────┐
//!      ▲                                            │ its time is up │ a probe fails or is slow;
//!      │  every probe succeeds                      ▼                │ open twice as long, up to four times
//!      └──────────────────────────────────────── half-open ──────────┘
//! ```
//!
//! Half-open, a bounded number of calls go as probes and everything else waits or falls back as while it is open.
//! What counts is the upstream's health: a throttle is the quota's word and says nothing about it, nor does an
//! error that is the request's own fault. Calls that were under way when the breaker changed say nothing about
//! what came after and are left out.
//!
//! The pattern is M. Nygard's (Release It!, 2nd ed., "Circuit Breaker"); rates over a window and slow calls follow
//! resilience4j (resilience4j.readme.io/docs/circuitbreaker). Time is an argument; all of it is integers.

mod health;
mod memory;
mod rates;
#[cfg(test)]
mod tests;

pub use health::{CallHealth, health_of};
pub use memory::{BreakerMemory, Hand};

use crate::ledger::CallKey;
use crate::units::{Millis, Timestamp};
use rates::Rates;
use serde::{Deserialize, Serialize};

/// When a breaker opens, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BreakerConfig {
    /// Calls of this time back count.
    pub window: Millis,
    /// With fewer calls in the window it stays closed.
    pub least_calls: u32,
    /// Opens when at least this share of the window's calls failed, in percent.
    pub failure_percent: u32,
    /// Opens when at least this share of the window's calls were slow, in percent.
    pub slow_percent: u32,
    /// A call that took longer is slow.
    pub slow_call: Millis,
    /// How long it stays open the first time.
    pub open_for: Millis,
    /// Calls that probe at once; as many must succeed.
    pub probes: u32,
}

impl Default for BreakerConfig {
    fn default() -> Self {
        Self {
            window: Millis::from_secs(30),
            least_calls: 20,
            failure_percent: 50,
            slow_percent: 80,
            slow_call: Millis::from_secs(120),
            open_for: Millis::from_secs(5),
            probes: 3,
        }
    }
}

/// Open once more, it stays open twice as long, up to this many times the first.
const LONGEST: u64 = 4;

/// Where a breaker stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Calls go.
    Closed,
    /// No call goes.
    Open,
    /// A few calls go to see.
    HalfOpen,
}

impl Phase {
    /// The word in JSON, metrics and on the command line.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open => "open",
            Self::HalfOpen => "half_open",
        }
    }
}

/// Whether another call may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gate {
    /// It may.
    Go,
    /// It may, as a probe.
    Probe,
    /// Not now; not before the moment given, or not before a probe ends or somebody closes it by hand.
    Shut(Option<Timestamp>),
}

/// What a breaker shows of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BreakerView {
    /// Where it stands.
    pub state: Phase,
    /// When it lets probes go, while it is open by itself.
    pub until: Option<Timestamp>,
    /// Whether a call could go now, if only as a probe.
    pub admits: bool,
    /// Whether somebody set it by hand.
    pub by_hand: bool,
    /// Calls in the window.
    pub calls: u64,
    /// Of these, failed.
    pub failed: u64,
    /// Of these, slow.
    pub slow: u64,
    /// How often it has opened since the process started.
    pub opened: u64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Stand {
    Closed,
    Open { until: Timestamp },
    HalfOpen { probing: Vec<CallKey>, succeeded: u32 },
}

/// The breaker.
#[derive(Debug, Clone)]
pub struct Breaker {
    config: BreakerConfig,
    stand: Stand,
    hand: Option<Hand>,
    /// Openings in a row, without a closing between them.
    row: u32,
    rates: Rates,
    /// Calls started before this say nothing any more.
    since: Timestamp,
    opened: u64,
}

impl Breaker {
    /// Closed, with no call seen.
    pub fn new(config: BreakerConfig) -> Self {
        Self {
            config,
            stand: Stand::Closed,
            hand: None,
            row: 0,
            rates: Rates::default(),
            since: Timestamp::EPOCH,
            opened: 0,
        }
    }

    /// Takes new settings; it stays where it stands.
    pub fn reconfigure(&mut self, config: BreakerConfig) {
        self.config = config;
    }

    /// Whether a call may go now. Asking after its time was up turns an open one half-open.
    pub fn gate(&mut self, now: Timestamp) -> Gate {
        match self.hand {
            Some(Hand::Open) => return Gate::Shut(None),
            Some(Hand::Closed) => return Gate::Go,
            None => {}
        }
        if let Stand::Open { until } = self.stand {
            if now < until {
                return Gate::Shut(Some(until));
            }
            self.stand = Stand::HalfOpen {
                probing: Vec::new(),
                succeeded: 0,
            };
            self.since = now;
        }
        match &self.stand {
            Stand::HalfOpen { probing, succeeded } => {
                if probing.len() as u64 + u64::from(*succeeded) < u64::from(self.config.probes.max(1)) {
                    Gate::Probe
                } else {
                    Gate::Shut(None)
                }
            }
            Stand::Closed | Stand::Open { .. } => Gate::Go,
        }
    }

    /// How many more calls could go now, if only as probes.
    pub fn room(&self, now: Timestamp) -> u64 {
        let probes = u64::from(self.config.probes.max(1));
        match (self.hand, &self.stand) {
            (Some(Hand::Open), _) => 0,
            (Some(Hand::Closed), _) | (None, Stand::Closed) => u64::MAX,
            (None, Stand::Open { until }) => {
                if now < *until {
                    0
                } else {
                    probes
                }
            }
            (None, Stand::HalfOpen { probing, succeeded }) => {
                probes.saturating_sub(probing.len() as u64 + u64::from(*succeeded))
            }
        }
    }

    /// A call goes; half-open, it is a probe.
    pub fn released(&mut self, key: CallKey) {
        if let Stand::HalfOpen { probing, .. } = &mut self.stand {
            probing.push(key);
        }
    }

    /// A release came to nothing: no call was made.
    pub fn void(&mut self, key: CallKey) {
        if let Stand::HalfOpen { probing, .. } = &mut self.stand {
            probing.retain(|probe| *probe != key);
        }
    }

    /// A call is over. `started` is when it began; returns whether the breaker moved.
    pub fn ended(&mut self, now: Timestamp, key: CallKey, started: Timestamp, health: CallHealth) -> bool {
        match &mut self.stand {
            Stand::Closed => {
                if started < self.since {
                    return false;
                }
                self.rates.add(now, self.config.window, health);
                let counted = matches!(health, CallHealth::Failed | CallHealth::Slow);
                // By hand it is held closed whatever it counts.
                if counted && self.hand.is_none() && self.is_bad(now) {
                    self.open(now);
                    return true;
                }
                false
            }
            Stand::Open { .. } => false,
            Stand::HalfOpen { probing, succeeded } => {
                let Some(place) = probing.iter().position(|probe| *probe == key) else {
                    return false;
                };
                probing.swap_remove(place);
                match health {
                    CallHealth::Fine => *succeeded += 1,
                    CallHealth::Failed | CallHealth::Slow => {
                        self.open(now);
                        return true;
                    }
                    // It said nothing; another may probe.
                    CallHealth::Unknown => return false,
                }
                if *succeeded >= self.config.probes.max(1) {
                    self.close(now);
                    return true;
                }
                false
            }
        }
    }

    /// Holds it open or closed, or gives it back to its own judgement, closed.
    pub fn set_by_hand(&mut self, now: Timestamp, hand: Option<Hand>) {
        if hand == Some(Hand::Open) && self.hand != Some(Hand::Open) {
            self.opened += 1;
        }
        self.hand = hand;
        self.close(now);
    }

    /// Where it stands now.
    pub fn phase(&self) -> Phase {
        match (self.hand, &self.stand) {
            (Some(Hand::Open), _) | (None, Stand::Open { .. }) => Phase::Open,
            (Some(Hand::Closed), _) | (None, Stand::Closed) => Phase::Closed,
            (None, Stand::HalfOpen { .. }) => Phase::HalfOpen,
        }
    }

    /// What it shows of itself.
    pub fn view(&self, now: Timestamp) -> BreakerView {
        let seen = self.rates.seen(now, self.config.window);
        BreakerView {
            state: self.phase(),
            until: self.opens(),
            admits: self.room(now) > 0,
            by_hand: self.hand.is_some(),
            calls: seen.calls,
            failed: seen.failed,
            slow: seen.slow,
            opened: self.opened,
        }
    }

    /// Before this no call goes, where it is open by itself.
    pub fn opens(&self) -> Option<Timestamp> {
        match self.stand {
            Stand::Open { until } if self.hand.is_none() => Some(until),
            _ => None,
        }
    }

    /// What has to outlive the process.
    pub fn memory(&self) -> BreakerMemory {
        let open_until = match self.stand {
            Stand::Closed => None,
            Stand::Open { until } => Some(until),
            // Whoever takes it up probes at once.
            Stand::HalfOpen { .. } => Some(self.since),
        };
        BreakerMemory {
            open_until,
            row: self.row,
            hand: self.hand,
        }
    }

    /// Takes up where an earlier process stopped. A time to come that is longer than any it would set itself is
    /// cut to that: clocks are set.
    pub fn restore(&mut self, now: Timestamp, memory: &BreakerMemory) {
        self.row = memory.row;
        self.hand = memory.hand;
        self.stand = match memory.open_until {
            None => Stand::Closed,
            Some(until) => Stand::Open {
                until: until.min(now + self.open_for()),
            },
        };
    }

    fn is_bad(&self, now: Timestamp) -> bool {
        let seen = self.rates.seen(now, self.config.window);
        let reaches = |count: u64, percent: u32| count * 100 >= seen.calls * u64::from(percent);
        seen.calls >= u64::from(self.config.least_calls.max(1))
            && (reaches(seen.failed, self.config.failure_percent)
                || reaches(seen.slow, self.config.slow_percent))
    }

    fn open_for(&self) -> Millis {
        let times = 1u64 << self.row.saturating_sub(1).min(16);
        Millis::new(self.config.open_for.get().saturating_mul(times.min(LONGEST)))
    }

    fn open(&mut self, now: Timestamp) {
        self.row = self.row.saturating_add(1);
        self.opened += 1;
        self.stand = Stand::Open {
            until: now + self.open_for(),
        };
    }

    fn close(&mut self, now: Timestamp) {
        self.row = 0;
        self.stand = Stand::Closed;
        self.rates = Rates::default();
        self.since = now;
    }
}
