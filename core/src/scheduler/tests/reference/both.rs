//! The fast scheduler and the plain one, told the same.

use super::super::world::{at, id};
use super::super::{Scheduler, released};
use super::Reference;
use super::histories::{Happening, cost};
use crate::config::Admission;
use crate::ids::{CallNo, RequestId};
use crate::ledger::PacingMemory;
use crate::ports::LaneMemory;
use crate::request::Priority;
use crate::scheduler::{Again, Command, Event, Gone, SchedulerConfig, TurnedAway, Waiting};
use crate::units::{Millis, Timestamp, Tokens};
use proptest::prelude::*;

/// Both schedulers, and what a driver knows of what they do.
pub(super) struct Both {
    fast: Scheduler,
    plain: Reference,
    pub(super) now: Timestamp,
    wake: Option<Timestamp>,
    calls: Vec<(RequestId, CallNo)>,
    arrived: Vec<Waiting>,
    asked: Vec<Command>,
}

impl Both {
    pub(super) fn with(config: &SchedulerConfig, plain: Reference) -> Self {
        Self {
            fast: Scheduler::new(config.clone(), at(0)),
            plain,
            now: at(0),
            wake: None,
            calls: Vec::new(),
            arrived: Vec::new(),
            asked: Vec::new(),
        }
    }

    /// An earlier process has found out that a sliding minute stands upstream, where the lane's pacing finds out anything.
    pub(super) fn has_found_a_window(&mut self) {
        let pacing: PacingMemory = serde_json::from_str(r#"{"t":{"x":3,"s":4}}"#).unwrap();
        self.plain.remember(self.now, &pacing);
        let memory = LaneMemory {
            pacing,
            ..LaneMemory::default()
        };
        self.fast.remember(self.now, &memory);
    }

    fn tell(&mut self, event: Event) -> Result<(), TestCaseError> {
        let fast = self.fast.step(self.now, event.clone());
        let plain = self.plain.step(self.now, event.clone());
        prop_assert_eq!(&fast, &plain, "after {:?}", event);
        for band in Priority::ALL {
            let (time, of) = (
                self.plain.bands[band.index()].time,
                &self.plain.bands[band.index()],
            );
            prop_assert_eq!(
                self.fast.shares.band_standing(band),
                of.account.standing(self.plain.time)
            );
            let mut fast: Vec<_> = self.fast.shares.standings(band).collect();
            let known = self.plain.tenants.iter().filter(|tenant| tenant.band == band);
            let mut plain: Vec<_> = known
                .map(|tenant| (&tenant.name, tenant.account.standing(time)))
                .collect();
            fast.sort_unstable();
            plain.sort_unstable();
            prop_assert_eq!(fast, plain, "shares in {:?} after {:?}", band, event);
        }
        for (request, call) in released(&fast) {
            self.calls.push((request, CallNo::new(call)));
        }
        self.wake = super::super::wake(&fast);
        self.asked.extend(
            fast.into_iter()
                .filter(|command| matches!(command, Command::Refill { .. })),
        );
        Ok(())
    }

    /// One that comes now; its moments count from here.
    fn timed(&self, mut one: Waiting) -> Waiting {
        one.arrived_at = self.now;
        for moment in [&mut one.deadline, &mut one.latest_start, &mut one.not_before] {
            *moment = moment.map(|after| self.now + Millis::new(after.as_millis()));
        }
        one
    }

    fn arrival(&mut self, one: Waiting) -> Event {
        self.arrived.push(one.clone());
        Event::Arrived(one)
    }

    fn call(&self, which: usize) -> Option<(RequestId, CallNo)> {
        let count = self.calls.len();
        (count > 0).then(|| self.calls[which % count])
    }

    pub(super) fn happens(&mut self, what: Happening) -> Result<(), TestCaseError> {
        let now = self.now;
        let event = match what {
            Happening::Arrives(one) => self.arrival(self.timed(*one)),
            Happening::Asks(one, comes) => {
                let one = self.timed(*one);
                if self.fast.beyond().iter().any(|load| load.requests > 0) {
                    // How much waits beyond a window is for the fast one alone to guess.
                    return self.tell(Event::Tick);
                }
                let (mut made, mut plainly) = (Vec::new(), Vec::new());
                let fast = self.fast.admit(now, &one, &mut made);
                // When one will go is for the fast one alone to say; the plain one knows who does not wait for it.
                if let Err(TurnedAway::Late(late)) = &fast {
                    prop_assert!(late.at < late.forecast.earliest && made.is_empty());
                    prop_assert_eq!(self.plain.config.limits.admission, Admission::Refuse);
                    prop_assert!(!self.plain.would_leave(now, &one), "{:?} would have gone on", one);
                    return self.tell(Event::Tick);
                }
                let plain = self.plain.admit(now, &one, &mut plainly);
                let fast = match fast {
                    Err(TurnedAway::Full(full)) => Err((full.key().to_owned(), full.bound, full.waiting)),
                    _ => Ok(()),
                };
                prop_assert_eq!(&fast, &plain, "at the door: {:?}", one);
                // When to come back neither.
                for command in &mut made {
                    if let Command::Fail { failure, .. } = command {
                        failure.headers.clear();
                    }
                }
                prop_assert_eq!(&made, &plainly, "to make room for {:?}", one);
                let refills = |command: &Command| matches!(command, Command::Refill { .. });
                self.asked.extend(made.into_iter().filter(refills));
                if fast.is_err() || !comes {
                    return self.tell(Event::Tick);
                }
                self.arrival(one)
            }
            Happening::ArrivesAgain(which) => {
                let Some((request, call)) = self.call(which) else {
                    return Ok(());
                };
                let known = self.arrived.iter().rev().find(|one| one.id == request);
                let mut one = known.unwrap().clone();
                one.last_call = call;
                Event::Arrived(one)
            }
            Happening::Starts(which, ago) => {
                let Some((request, call)) = self.call(which) else {
                    return Ok(());
                };
                let at = now.before(Millis::new(ago));
                Event::Started { request, call, at }
            }
            Happening::Ends {
                which,
                charged,
                throttle,
                again,
                later,
                health,
            } => {
                let Some((request, call)) = self.call(which) else {
                    return Ok(());
                };
                let later = now + Millis::new(later);
                self.calls.retain(|known| *known != (request, call));
                Event::Ended {
                    request,
                    call,
                    charged: Tokens::new(if throttle.is_some() && charged % 4 != 0 {
                        0
                    } else {
                        charged
                    }),
                    throttle,
                    again: match again {
                        0 => Again::NotBefore(later),
                        1 => Again::Retry(later),
                        2 => {
                            let (reserve, expected, surplus) = cost(charged + 1, 2);
                            Again::Resized {
                                reserve,
                                expected,
                                surplus,
                            }
                        }
                        _ => Again::No,
                    },
                    health,
                    at: now,
                }
            }
            Happening::NotClaimed(which) => {
                let Some((request, call)) = self.call(which) else {
                    return Ok(());
                };
                Event::Unclaimed { request, call }
            }
            Happening::Lapses(which) => {
                let Some((request, call)) = self.call(which) else {
                    return Ok(());
                };
                Event::Lapsed { request, call }
            }
            Happening::IsVoid(which) => {
                let Some((request, call)) = self.call(which) else {
                    return Ok(());
                };
                Event::Void { request, call }
            }
            Happening::Leaves(number) => Event::Left {
                request: id(number),
                why: Gone::Cancelled,
            },
            Happening::Costs(number, reserve, part) => {
                // Now and then it comes after another call.
                let known = self.plain.last_call_of(id(number)).filter(|_| reserve % 8 > 0);
                let (reserve, expected, surplus) = cost(reserve, part);
                Event::Resized {
                    request: id(number),
                    last_call: known.unwrap_or(CallNo::NONE),
                    reserve,
                    expected,
                    surplus,
                }
            }
            Happening::Answers { more } => {
                let Some(Command::Refill { priority, tenant }) = self.asked.pop() else {
                    return Ok(());
                };
                Event::Refilled {
                    priority,
                    tenant,
                    more,
                }
            }
            Happening::Held(hand) => Event::Breaker(hand),
            Happening::Settings(config) => {
                // Whether it sees all is decided at the start.
                let window = self.plain.config.window;
                let config = SchedulerConfig { window, ..*config };
                self.fast.reconfigure(now, config.clone());
                self.plain.reconfigure(now, config);
                Event::Tick
            }
            Happening::Sleeps => {
                self.now = self.wake.unwrap_or(now);
                Event::Tick
            }
            Happening::Ticks => Event::Tick,
        };
        self.tell(event)
    }
}
