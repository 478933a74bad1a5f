//! What callers were told, and what follows from it.

use super::judge::{Judge, short};
use super::scenario::{Ask, Key};
use bytes::Bytes;
use smoother_core::{CallNo, Request, RequestId, State};
use std::collections::{BTreeMap, BTreeSet};

/// A key as its owner means it.
type Named = (&'static str, Key);

/// Everything that was promised so far.
#[derive(Debug, Default)]
pub struct Promises {
    /// Ids that were accepted.
    pub accepted: BTreeMap<RequestId, u32>,
    /// What each of the callers' own keys led to, and with which body.
    keys: BTreeMap<Named, (RequestId, u32)>,
    /// Jobs that run to their end unless somebody cancels them.
    jobs: BTreeSet<RequestId>,
    /// What somebody has cancelled.
    cancelled: BTreeSet<RequestId>,
    /// Answers that callers have.
    pub answers: Vec<(RequestId, Bytes)>,
}

impl Promises {
    /// Whether this is a job that came to be cancelled with nobody cancelling it.
    pub fn lost_its_job(&self, row: &Request) -> bool {
        row.state == State::Cancelled && self.jobs.contains(&row.id) && !self.cancelled.contains(&row.id)
    }
}

fn says(answer: &[u8], id: RequestId, call: CallNo) -> bool {
    let wanted = format!("{id} call {call}\"");
    answer.windows(wanted.len()).any(|part| part == wanted.as_bytes())
}

impl Judge {
    /// Somebody cancels a request.
    pub fn cancels(&self, id: RequestId) {
        let mut book = self.book();
        book.note("cancels", &short(id));
        book.promises.cancelled.insert(id);
    }

    /// A submission was answered with success: the request is durable, and its key's.
    pub fn accepted(&self, ask: &Ask, id: RequestId) {
        let mut book = self.book();
        book.note(
            "accepted",
            &format!("{} for ask {} by {:?}", short(id), ask.number, ask.key),
        );
        if !book.rows.contains_key(&id) {
            book.fault(format!("G1: {id} was accepted and is not durable"));
        }
        book.promises.accepted.insert(id, ask.number);
        if book
            .rows
            .get(&id)
            .is_some_and(|row| row.state != State::Cancelled)
        {
            book.promises.jobs.insert(id);
        }
        let Key::Own(_) = ask.key else { return };
        let named = (ask.tenant, ask.key);
        let (known, body) = *book.promises.keys.entry(named).or_insert((id, ask.body));
        if known != id {
            book.fault(format!("G1: one key led to {known} and to {id}"));
        }
        if body != ask.body {
            book.fault(format!(
                "G1: {id} was accepted with another body than its key came with before"
            ));
        }
    }

    /// A caller read an answer to its end: it is the stored one.
    pub fn answered(&self, ask: &Ask, id: RequestId, body: Bytes) {
        let mut book = self.book();
        book.note("answered", &format!("{} for ask {}", short(id), ask.number));
        let state = book.rows.get(&id).map(|row| row.state);
        if state != Some(State::Completed) {
            let how = state.map_or("not stored", State::as_str);
            book.fault(format!("G3: {id} was answered while it was {how}"));
        }
        // An answer says of which call it is.
        let shown = |(of, call): &&(RequestId, CallNo)| *of == id && says(&body, id, *call);
        if let Some((_, call)) = book.cut.iter().find(shown).copied() {
            book.fault(format!(
                "G3: {id} was answered with call {call}, which was cut short"
            ));
        }
        book.promises.answers.push((id, body));
    }
}
