//! How often what goes wrong, and each operation's fate by it.

use rand::Rng;
use rand::rngs::StdRng;
use smoother_tests::memory::{Fate, Point, Touched};
use std::time::Duration;

/// Chances in a thousand; nothing at all in fair weather.
#[derive(Debug, Clone, Copy, Default)]
pub struct Weather {
    pub one_machine: bool,
    /// A write's commit is late, at most by this many milliseconds.
    pub late_commit: u32,
    pub lateness_ms: u64,
    /// A write fails. On one machine that ends the process, because nobody knows then what the disk holds. Elsewhere
    /// whoever asked lives on and knows only that it may have been made.
    pub failed_write: u32,
    /// A write is refused because the disk is full; it goes on.
    pub full_disk: u32,
    pub failed_read: u32,
    pub late_read: u32,
    /// Messages that come twice, late, or (those that are found out) never.
    pub doubled: u32,
    pub late_message: u32,
    pub lost: u32,
    /// The upstream: no connection, an error, a throttle for no reason, silence, a cut, slowness.
    pub unreachable: u32,
    pub upstream_error: u32,
    pub odd_throttle: u32,
    pub silence: u32,
    pub cut: u32,
    pub slow: u32,
    /// A call's runner breaks off in the middle of it, as by a fault of the program's.
    pub broken_off: u32,
    /// A lane's upstream fails all calls from then to then.
    pub outage: Option<(usize, Duration, Duration)>,
}

impl Weather {
    pub fn of(chance: &mut StdRng, one_machine: bool, storm: Duration) -> Self {
        let fair = Self {
            one_machine,
            ..Self::default()
        };
        if chance.random_bool(0.15) {
            return fair;
        }
        let mut often = |probability: f64, most: u32| {
            if chance.random_bool(probability) {
                chance.random_range(1..most)
            } else {
                0
            }
        };
        let mut weather = Self {
            late_commit: often(0.5, 200),
            failed_read: often(0.2, 40),
            late_read: often(0.3, 200),
            unreachable: often(0.3, 150),
            upstream_error: often(0.4, 250),
            odd_throttle: often(0.3, 150),
            silence: often(0.3, 80),
            cut: often(0.4, 150),
            slow: often(0.3, 200),
            broken_off: often(0.2, 60),
            ..fair
        };
        if one_machine {
            weather.failed_write = often(0.3, 12);
            weather.full_disk = often(0.3, 80);
        } else {
            weather.failed_write = often(0.4, 60);
            weather.doubled = often(0.5, 200);
            weather.late_message = often(0.5, 200);
            weather.lost = often(0.4, 100);
        }
        weather.lateness_ms = u64::from(often(1.0, 3_000)).max(2);
        if chance.random_bool(0.25) {
            let begin = storm / 10 * chance.random_range(0..8);
            let length = Duration::from_secs(chance.random_range(2..15));
            weather.outage = Some((chance.random_range(0..2), begin, begin + length));
        }
        weather
    }

    /// Whether nothing at all goes wrong.
    pub const fn is_fair(&self) -> bool {
        self.lateness_ms == 0
    }

    /// Away from one machine the writes of those who come in are left out: what finds a request that is stored and
    /// that no lane was told of is an index of what waits, which memory has not.
    fn may_fail(&self, touched: Touched) -> bool {
        let of_lanes_and_workers = ["release", "claim", "lapse", "expire", "fail", "divert"];
        self.one_machine
            || match touched {
                Touched::Change(word) => of_lanes_and_workers.contains(&word),
                other => matches!(other, Touched::End | Touched::Answer | Touched::KeepMemory),
            }
    }

    /// The fate of one operation; a failed write on one machine is told by `fatal`.
    pub fn fate(&self, point: &Point, chance: &mut StdRng, fatal: &mut bool) -> Fate {
        let lot = chance.random_range(0..1_000);
        let late = Duration::from_millis(chance.random_range(0..self.lateness_ms.max(1)));
        let after = chance.random::<bool>();
        let touched = point.touched;
        if touched.writes() {
            return match lot {
                lot if lot < self.failed_write && self.may_fail(touched) => {
                    *fatal = self.one_machine;
                    if after { Fate::FailAfter } else { Fate::FailBefore }
                }
                lot if lot < self.failed_write + self.late_commit => Fate::Delay(late),
                _ => Fate::Proceed,
            };
        }
        let doubled = self.lost + self.doubled;
        match touched {
            Touched::Dispatch if lot < self.lost && after => Fate::FailBefore,
            Touched::Dispatch if lot < self.lost => Fate::Lose,
            Touched::Dispatch | Touched::LaneQueue if (self.lost..doubled).contains(&lot) => Fate::Duplicate,
            Touched::Dispatch | Touched::LaneQueue
                if (doubled..doubled + self.late_message).contains(&lot) =>
            {
                Fate::Delay(late)
            }
            Touched::Dispatch | Touched::LaneQueue => Fate::Proceed,
            Touched::Model if lot < self.unreachable && after => Fate::FailBefore,
            Touched::Model if lot < self.unreachable => Fate::FailAfter,
            Touched::Model if lot < self.unreachable + self.silence => Fate::Lose,
            Touched::Model => Fate::Proceed,
            _ if lot < self.failed_read => Fate::FailBefore,
            _ if lot < self.failed_read + self.late_read => Fate::Delay(late),
            _ => Fate::Proceed,
        }
    }
}
