//! What holds at the end of a trial.

use aws_smithy_eventstream::frame::read_message_from;
use bytes::Bytes;
use serde_json::Value;
use smoother_core::ports::{PayloadKind, Payloads};
use smoother_core::{Call, CallEnding, Door, Request, State};

use super::caller::{Answer, Job};
use super::{Trial, lock};
use crate::fuzz::mutate::frames;
use crate::fuzz::{Fault, Kind, Verdict};
use crate::memory::Touched;

impl Trial {
    pub(super) async fn judge(&self, wire: &Answer, jobs: &[&Job]) -> Result<Verdict, Fault> {
        let rows = self.world.rows();
        if rows.len() != 1 + jobs.len() {
            return Err(lost(format!(
                "{} requests became {} rows",
                1 + jobs.len(),
                rows.len()
            )));
        }
        for row in &rows {
            self.called(row)?;
            let answer = self.answered(row).await?;
            if row.door == Door::Sync {
                on_the_wire(wire, row, answer.as_ref())?;
            }
            for job in jobs.iter().filter(|job| job.id == row.id) {
                if job.status != row.state.public() || job.result != answer {
                    return Err(wrong(format!("told {}, and the row is {}", job.said, row.state)));
                }
            }
        }
        self.settled_once()?;
        let all = rows.iter().all(|row| row.state == State::Completed);
        Ok(if all { Verdict::Accepted } else { Verdict::Refused })
    }

    /// Every call of the row was made once, and has ended.
    fn called(&self, row: &Request) -> Result<(), Fault> {
        let calls: Vec<Call> = self
            .world
            .calls()
            .into_iter()
            .filter(|call| call.request == row.id)
            .collect();
        let stored: Vec<_> = calls.iter().map(|call| call.number).collect();
        let made = self.model.made();
        let mut sent: Vec<_> = made
            .iter()
            .filter(|made| made.request == row.id)
            .map(|made| made.number)
            .collect();
        sent.sort_unstable();
        if stored != sent || stored.len() as u64 != u64::from(row.calls_made) {
            return Err(wrong(format!(
                "calls_made is {}, stored are {stored:?}, upstream came {sent:?}",
                row.calls_made
            )));
        }
        if let Some(open) = calls.iter().find(|call| call.settlement.is_none()) {
            return Err(lost(format!("call {} was never settled", open.number)));
        }
        let ended = |call: &&Call| {
            call.settlement
                .as_ref()
                .is_some_and(|end| end.ending == CallEnding::Completed)
        };
        let completed = calls.iter().filter(ended).count();
        if completed != usize::from(row.state == State::Completed) {
            return Err(wrong(format!("{} by {completed} completed calls", row.state)));
        }
        Ok(())
    }

    /// The row's result, which is a whole answer that upstream gave to its last call.
    async fn answered(&self, row: &Request) -> Result<Option<Bytes>, Fault> {
        let kept = self.process.store().fetch(row.id, PayloadKind::Result).await;
        let kept = kept.map_err(|error| lost(format!("a result cannot be read: {error}")))?;
        if row.state != State::Completed {
            return match kept {
                Some(_) => Err(wrong(format!("{} with a result", row.state))),
                None => Ok(None),
            };
        }
        let given = lock(&self.given).get(&(row.id, row.call)).cloned().flatten();
        match (kept, given) {
            (Some(kept), Some(given)) if kept == given => Ok(Some(kept)),
            (kept, given) => Err(wrong(format!(
                "completed with {kept:?}, and upstream gave {given:?}"
            ))),
        }
    }

    /// Each call's end was offered to the store once, which took it.
    fn settled_once(&self) -> Result<(), Fault> {
        let offered = self
            .world
            .passed()
            .get(&Touched::End)
            .copied()
            .unwrap_or_default();
        let calls = self.world.calls().len() as u64;
        if offered == calls {
            Ok(())
        } else {
            Err(wrong(format!(
                "{calls} calls, and ends were stored {offered} times"
            )))
        }
    }
}

/// What the caller got is the answer, or says in Bedrock's words why there is none.
fn on_the_wire(got: &Answer, row: &Request, answer: Option<&Bytes>) -> Result<(), Fault> {
    if let Some(answer) = answer {
        let same = got.status == 200 && got.body == *answer;
        return if same {
            Ok(())
        } else {
            Err(wrong(
                "the caller was given another answer than the one that is kept",
            ))
        };
    }
    if got.status == 200 {
        return if row.operation.streams() && ends_in_an_exception(&got.body) {
            Ok(())
        } else {
            Err(wrong(format!("{}, and the caller was answered", row.state)))
        };
    }
    let kind = got
        .headers
        .get("x-amzn-errortype")
        .and_then(|kind| kind.to_str().ok());
    let said: Value = serde_json::from_slice(&got.body).unwrap_or_default();
    let told = said["message"]
        .as_str()
        .is_some_and(|message| !message.trim().is_empty());
    if got.status >= 400 && told && kind.is_some_and(|kind| !kind.is_empty()) {
        Ok(())
    } else {
        let body = String::from_utf8_lossy(&got.body);
        Err(Fault::new(
            Kind::Shape,
            format_args!("{} {kind:?} {body}", got.status),
        ))
    }
}

fn ends_in_an_exception(body: &[u8]) -> bool {
    let (messages, rest) = frames::split(body);
    let last = messages
        .last()
        .and_then(|bytes| read_message_from(bytes.as_ref()).ok());
    rest.is_empty()
        && last.is_some_and(|message| {
            message.headers().iter().any(|header| {
                let value = header.value().as_string().map(|text| text.as_str());
                header.name().as_str() == ":message-type" && value == Ok("exception")
            })
        })
}

fn wrong(what: impl std::fmt::Display) -> Fault {
    Fault::new(Kind::Wrong, what)
}

fn lost(what: impl std::fmt::Display) -> Fault {
    Fault::new(Kind::Lost, what)
}
