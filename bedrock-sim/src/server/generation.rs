//! A stream's body: events written as their tokens come due.
//!
//! hyper polls a body only while the client reads, so a slow reader slows its own generation, as on
//! Bedrock, and holds nobody else back. Without latency no timer is made at all.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use tokio::time::Sleep;

use super::reply::{Cut, flush_pause};
use super::ticket::{Pace, Ticket};
use crate::answer::frames::Frames;
use crate::answer::{Answer, Timing};
use crate::clock::Micros;
use crate::error::SimError;
use crate::fault::{Fault, Garble};
use crate::stats::End;

/// Frames that are due together leave in pieces of about this many bytes.
const PIECE: usize = 16 * 1024;

/// What happens instead of the rest of the answer.
#[derive(Debug)]
enum Break {
    Cut,
    Hang,
    Raise(SimError),
    Garble(Garble),
}

#[derive(Debug)]
enum Stage {
    /// Nothing written yet.
    Start,
    /// So many tokens written.
    Tokens(u64),
    /// Cutting, after what was written has left.
    Cutting(Pin<Box<Sleep>>),
    /// Nothing comes any more, and no end.
    Hanging,
    Ended,
}

#[derive(Debug)]
pub(super) struct Generation {
    answer: Answer,
    ticket: Ticket,
    frames: Frames,
    pace: Pace,
    arrival: Micros,
    tokens_per_event: u64,
    /// The break and the tokens before it.
    broken: Option<(u64, Break)>,
    /// How the call ends if nobody leaves before.
    end: End,
    stage: Stage,
    timer: Option<Pin<Box<Sleep>>>,
}

/// How a stream is generated.
#[derive(Clone, Copy, Debug)]
pub(super) struct Manner {
    /// Seed of the padding.
    pub(super) nonce: u64,
    pub(super) pace: Pace,
    pub(super) arrival: Micros,
    pub(super) tokens_per_event: u32,
    pub(super) fault: Option<Fault>,
    /// The mark of the same name: the tokens before a fault in the middle.
    pub(super) at: Option<u64>,
}

impl Generation {
    pub(super) fn new(answer: Answer, mut ticket: Ticket, manner: Manner) -> Self {
        let output = answer.usage.output;
        let middle = manner.at.unwrap_or(output / 2).min(output);
        let broken = match manner.fault {
            Some(Fault::CutBefore) => Some((0, Break::Cut)),
            Some(Fault::CutAfter) => Some((middle.max(1), Break::Cut)),
            Some(Fault::HangAfter) => Some((middle, Break::Hang)),
            Some(Fault::Raise(failure)) => Some((middle, Break::Raise(failure.error()))),
            Some(Fault::Garble(garble)) => Some((middle, Break::Garble(garble))),
            Some(Fault::Refuse(_) | Fault::Fail(_) | Fault::Hang) | None => None,
        };
        ticket.sent(0);
        Self {
            answer,
            ticket,
            frames: Frames::new(manner.nonce),
            pace: manner.pace,
            arrival: manner.arrival,
            tokens_per_event: u64::from(manner.tokens_per_event),
            broken,
            end: End::Answered,
            stage: Stage::Start,
            timer: None,
        }
    }

    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Cut>>> {
        loop {
            match &mut self.stage {
                Stage::Start => {
                    let cut_at_once = matches!(self.broken, Some((0, Break::Cut)));
                    if !cut_at_once {
                        self.answer.begin(&mut self.frames);
                    }
                    self.stage = Stage::Tokens(0);
                }
                Stage::Tokens(written) => {
                    let written = *written;
                    if self.write(written) && self.frames.len() < PIECE {
                        continue;
                    }
                    if self.frames.len() > 0 {
                        return Poll::Ready(Some(Ok(self.frames.take())));
                    }
                    if let Stage::Tokens(written) = self.stage
                        && self.wait_for_next(written, cx).is_pending()
                    {
                        return Poll::Pending;
                    }
                }
                Stage::Cutting(pause) => {
                    std::task::ready!(pause.as_mut().poll(cx));
                    self.stage = Stage::Ended;
                    return Poll::Ready(Some(Err(Cut)));
                }
                Stage::Hanging => return Poll::Pending,
                Stage::Ended if self.frames.len() > 0 => {
                    return Poll::Ready(Some(Ok(self.frames.take())));
                }
                Stage::Ended => return Poll::Ready(None),
            }
        }
    }

    /// Writes one event, or the end, if it is due; says whether more may be.
    fn write(&mut self, written: u64) -> bool {
        if let Some((_, broken)) = self.broken.take_if(|(tokens, _)| *tokens <= written) {
            self.break_off(written, broken);
            return false;
        }
        let now = self.ticket.now();
        let output = self.answer.usage.output;
        if written == output {
            let due = now >= self.pace.complete(output);
            if due {
                self.finish(now);
            }
            return false;
        }
        let until = self.next_event(written);
        let due = self.pace.generated(now, output);
        if due < until {
            return false;
        }
        // Late, because the reader is slow or tokens come faster than timers: all that is due.
        let steps = (due - written) / self.tokens_per_event;
        let until = if self.pace.step_nanos == 0 {
            until
        } else {
            until.max(written + steps * self.tokens_per_event)
        };
        let until = self
            .broken
            .as_ref()
            .map_or(until, |(tokens, _)| until.min(*tokens));
        self.answer.delta(&mut self.frames, written, until);
        self.ticket.sent(until);
        self.stage = Stage::Tokens(until);
        true
    }

    /// How many tokens are written after the next event. The first event carries one.
    fn next_event(&self, written: u64) -> u64 {
        let step = if written == 0 { 1 } else { self.tokens_per_event };
        let until = (written + step).min(self.answer.usage.output);
        self.broken
            .as_ref()
            .map_or(until, |(tokens, _)| until.min(*tokens))
    }

    fn finish(&mut self, now: Micros) {
        let since_arrival = |at: Micros| at.since(self.arrival).millis();
        let timing = Timing {
            first_byte: since_arrival(self.pace.first),
            whole: since_arrival(now),
        };
        self.answer.end(&mut self.frames, timing);
        self.ticket.close(self.end, self.answer.usage.output, None);
        self.stage = Stage::Ended;
    }

    fn break_off(&mut self, written: u64, broken: Break) {
        match broken {
            Break::Cut => {
                self.ticket.close(End::Cut, written, None);
                self.stage = Stage::Cutting(flush_pause());
            }
            Break::Hang => self.stage = Stage::Hanging,
            Break::Garble(garble) => self.garble(written, garble),
            Break::Raise(error) => {
                self.frames.exception(&error);
                self.ticket.close(End::Failed, written, Some(&error));
                self.stage = Stage::Ended;
            }
        }
    }

    /// Writes what no client can read; the stream goes on after it, where it can.
    fn garble(&mut self, written: u64, garble: Garble) {
        match garble {
            Garble::Event => {
                self.frames.unknown_event();
                return;
            }
            Garble::Crc => {
                self.answer.delta(&mut self.frames, written, written);
                self.frames.spoil_crc();
            }
            Garble::Payload | Garble::Body => self.answer.half_delta(&mut self.frames),
            Garble::Prelude => {
                self.frames.half_prelude();
                self.ticket.close(End::Failed, written, None);
                self.stage = Stage::Ended;
            }
        }
        self.end = End::Failed;
    }

    fn wait_for_next(&mut self, written: u64, cx: &mut Context<'_>) -> Poll<()> {
        let output = self.answer.usage.output;
        let due = if written == output {
            self.pace.complete(output)
        } else {
            self.pace.due(self.next_event(written))
        };
        if due <= self.ticket.now() {
            self.timer = None;
            return Poll::Ready(());
        }
        let ticket = &self.ticket;
        let timer = self.timer.get_or_insert_with(|| ticket.timer(due));
        std::task::ready!(timer.as_mut().poll(cx));
        self.timer = None;
        Poll::Ready(())
    }
}
