//! Who is let in at the door.

use super::super::super::Waiting;
use super::{Fault, Reference};
use crate::config::Bound;
use crate::ids::RequestId;
use crate::units::{Millis, Timestamp, Tokens};

/// A bound by its key, what it is, and how much waits.
pub(crate) type Exceeded = (String, u64, u64);

impl Reference {
    /// Whether a request may come in; one that may holds a place.
    pub(crate) fn admit(&mut self, now: Timestamp, one: &Waiting) -> Result<(), Exceeded> {
        let now = self.now.max(now);
        self.held
            .retain(|(held, until)| *until > now && held.id != one.id);
        let (all, own) = (self.config.limits, self.config.bounds.get(&one.tenant).copied());
        let own = own.unwrap_or_default();
        let band = one.priority.as_str();
        let of_band = |other: &Waiting| other.priority == one.priority;
        let of_tenant = |other: &Waiting| other.tenant == one.tenant;
        let rest = |is_own: bool, all: Option<u64>| all.filter(|_| !is_own);
        let rest = Bound {
            requests: rest(own.requests.is_some(), all.tenant.requests),
            tokens: rest(own.tokens.is_some(), all.tenant.tokens.map(Tokens::get)).map(Tokens::new),
        };
        self.room(
            now,
            one,
            &format!("limits.{band}_waiting"),
            all.of(one.priority),
            of_band,
        )?;
        self.room(now, one, "tenants.*.max_waiting", own, of_tenant)?;
        self.room(now, one, "limits.tenant_waiting", rest, of_tenant)?;
        self.room(now, one, "limits.waiting", all.lane, |_| true)?;
        if self.config.is_bound(one.priority, &one.tenant) {
            self.held.push((one.clone(), now + Millis::from_secs(10)));
        }
        Ok(())
    }

    fn room(
        &self,
        now: Timestamp,
        one: &Waiting,
        key: &str,
        bound: Bound,
        counts: impl Fn(&Waiting) -> bool,
    ) -> Result<(), Exceeded> {
        if self.has(Fault::BoundOverlooked) {
            return Ok(());
        }
        let here = self.requests.iter().filter(|request| request.waits());
        let here = here.map(|request| &request.of);
        let coming = self.held_and_will_wait(now);
        let sizes: Vec<u64> = here
            .chain(coming)
            .filter(|other| counts(other))
            .map(|other| other.reserve.get())
            .collect();
        let (waiting, tokens) = (sizes.len() as u64, sizes.iter().sum::<u64>());
        match (bound.requests, bound.tokens.map(Tokens::get)) {
            (Some(most), _) if waiting >= most => Err((key.to_owned(), most, waiting)),
            (_, Some(most)) if waiting > 0 && tokens + one.reserve.get() > most => {
                Err((format!("{key}_tokens"), most, tokens))
            }
            _ => Ok(()),
        }
    }

    /// Those let in who have not come, but for as many as will go at once when they do.
    fn held_and_will_wait(&self, now: Timestamp) -> Vec<&Waiting> {
        let (mut calls, mut tokens) = (0, 0);
        let empty = !self.requests.iter().any(super::Request::waits);
        if empty && self.ledger.shut(now).is_none() {
            calls = self.ledger.concurrency_view(now).free;
            if let Some(requests) = self.ledger.requests_view(now) {
                calls = calls.min(requests.free);
            }
            tokens = self.ledger.tokens_view(now).free;
        }
        let mut will_wait = Vec::new();
        for (held, _) in &self.held {
            if calls > 0 && tokens >= held.reserve.get() {
                calls -= 1;
                tokens -= held.reserve.get();
            } else {
                will_wait.push(held);
            }
        }
        will_wait
    }

    /// It has come, or will not.
    pub(super) fn has_come(&mut self, id: RequestId) {
        self.held.retain(|(held, _)| held.id != id);
    }
}
