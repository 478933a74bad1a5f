//! What happens in a run: all of it drawn from its seed.

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use smoother_core::scheduler::Handing;
use smoother_core::{Millis, Priority};
use std::time::Duration;

/// How rough a run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Everything goes wrong that may; a schedule calls a holder once a minute.
    Storm,
    /// Bursts with silence between them, so that holders come and go. Nothing fails, and nobody calls a holder but
    /// those who tell the lane something: whatever is lost between two holders is lost.
    Bursts,
}

/// One request.
#[derive(Debug, Clone)]
pub struct Ask {
    pub at: Duration,
    pub tenant: u64,
    pub priority: Priority,
    pub tokens: u64,
    pub lasts: Duration,
    /// In percent of what is reserved.
    pub costs: u64,
    /// Its producer dies before telling the lane.
    pub untold: bool,
    /// Its first call fails and is made again.
    pub fails_once: bool,
    /// Its first worker is lost in mid-call.
    pub lost: bool,
    /// Its producer calls it off, so long after it was stored.
    pub called_off: Option<Duration>,
}

/// What befalls whoever holds the lane.
#[derive(Debug, Clone, Copy)]
pub enum Blow {
    Pause(Duration),
    Crash,
    /// Another deployment is in force.
    Relieve,
}

/// A whole run.
#[derive(Debug, Clone)]
pub struct Scenario {
    pub seed: u64,
    pub kind: Kind,
    pub tokens_per_minute: u64,
    pub requests_per_minute: Option<u64>,
    pub max_concurrency: u32,
    pub asks: Vec<Ask>,
    pub blows: Vec<(Duration, Blow)>,
    pub storm: Duration,
    /// How long an invocation of the prioritizer may take.
    pub time_limit: Duration,
    pub longest_lag: Duration,
    /// How often, in a thousand, an operation of each kind goes wrong.
    pub faults: u32,
    pub late: u32,
    pub doubled: u32,
    /// How often, in a hundred, a process's clock is minutes off.
    pub wrong_clocks: u32,
    /// How often, in a hundred, a process's wall clock is set by minutes in its life.
    pub stepped_clocks: u32,
    pub handing: Handing,
}

fn one_of<T: Copy>(chance: &mut StdRng, of: &[T]) -> T {
    of[chance.random_range(0..of.len())]
}

fn ms(chance: &mut StdRng, from: u64, to: u64) -> Duration {
    Duration::from_millis(chance.random_range(from..=to))
}

impl Scenario {
    pub fn of(seed: u64) -> Self {
        let chance = &mut StdRng::seed_from_u64(seed);
        let kind = if seed.is_multiple_of(3) {
            Kind::Bursts
        } else {
            Kind::Storm
        };
        let storm = kind == Kind::Storm;
        let mut scenario = Self {
            seed,
            kind,
            tokens_per_minute: one_of(chance, &[30_000, 60_000, 120_000]),
            requests_per_minute: one_of(chance, &[None, Some(60), Some(200)]),
            max_concurrency: one_of(chance, &[2, 5, 20]),
            asks: Vec::new(),
            blows: Vec::new(),
            storm: Duration::from_secs(if storm { 120 } else { 470 }),
            time_limit: Duration::from_secs(if storm {
                one_of(chance, &[40, 75, 780])
            } else {
                one_of(chance, &[75, 780, 780])
            }),
            longest_lag: Duration::from_millis(one_of(chance, &[0, 200, 2_000])),
            faults: if storm { one_of(chance, &[0, 5, 20]) } else { 0 },
            late: if storm { one_of(chance, &[0, 20, 100]) } else { 0 },
            doubled: one_of(chance, &[0, 20, 100]),
            wrong_clocks: if storm { one_of(chance, &[0, 0, 30]) } else { 0 },
            stepped_clocks: 0,
            handing: Handing::default(),
        };
        scenario.draw_asks(chance);
        scenario.draw_blows(chance);
        scenario.handing.most_unclaimed = one_of(chance, &[1, 4, u64::MAX]);
        scenario.handing.start_within = one_of(chance, &[20, 60].map(Millis::from_secs));
        scenario.draw_cancels(chance);
        if storm {
            scenario.stepped_clocks = one_of(chance, &[0, 25, 60]);
        }
        scenario.draw_deployment(chance);
        scenario
    }

    fn draw_asks(&mut self, chance: &mut StdRng) {
        let storm = self.kind == Kind::Storm;
        let bursts = [0, 120, 240, 370].map(Duration::from_secs);
        let last = bursts[3] + Duration::from_secs(2);
        for _ in 0..chance.random_range(15..60) {
            let at = if storm {
                ms(chance, 0, 110_000)
            } else {
                one_of(chance, &bursts) + ms(chance, 0, 2_000)
            };
            let one_in = |chance: &mut StdRng, many: u32| chance.random_range(0..many) == 0;
            let most = if one_in(chance, 8) { 5_000 } else { 1_500 };
            self.asks.push(Ask {
                at,
                tenant: chance.random_range(0..4),
                priority: one_of(chance, &Priority::ALL),
                tokens: chance.random_range(100..=most),
                lasts: ms(chance, 50, 5_000),
                costs: chance.random_range(10..=100),
                untold: one_in(chance, 12),
                fails_once: one_in(chance, 10),
                lost: storm && one_in(chance, 25),
                called_off: None,
            });
        }
        if !storm {
            self.draw_untold(chance, last);
        }
        self.asks.sort_by_key(|ask| ask.at);
    }

    fn draw_cancels(&mut self, chance: &mut StdRng) {
        if self.kind == Kind::Bursts {
            return;
        }
        for ask in &mut self.asks {
            if chance.random_range(0..12) == 0 {
                let longest = one_of(chance, &[300, 5_000, 60_000]);
                ask.called_off = Some(ms(chance, 0, longest));
            }
        }
    }

    /// Lone requests of which nobody tells, at any time; and one at the last that calls somebody for all of them.
    fn draw_untold(&mut self, chance: &mut StdRng, last: Duration) {
        let mut bell = self.asks[0].clone();
        bell.at = last;
        bell.untold = true;
        for _ in 0..6 {
            let mut lone = bell.clone();
            lone.at = ms(chance, 0, 370_000);
            self.asks.push(lone);
        }
        bell.untold = false;
        self.asks.push(bell);
    }

    fn draw_blows(&mut self, chance: &mut StdRng) {
        if self.kind == Kind::Bursts {
            return;
        }
        for _ in 0..chance.random_range(0..4) {
            let blow = if chance.random() {
                Blow::Crash
            } else {
                Blow::Pause(Duration::from_secs(one_of(chance, &[1, 4, 9, 16, 28, 60, 150])))
            };
            self.blows.push((ms(chance, 500, 115_000), blow));
        }
        self.blows.sort_by_key(|(at, _)| *at);
    }

    fn draw_deployment(&mut self, chance: &mut StdRng) {
        if self.kind == Kind::Storm && chance.random_range(0..3) == 0 {
            self.blows.push((ms(chance, 500, 115_000), Blow::Relieve));
            self.blows.sort_by_key(|(at, _)| *at);
        }
    }
}
