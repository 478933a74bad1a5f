//! Saying that a server is waited for, once and then at long intervals.

use super::figures::span;
use super::terminal::{Told, Voice};
use crate::client::ClientError;
use serde_json::json;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Between two lines about the same outage; a batch whose lines all wait says it once.
const AGAIN_AFTER: Duration = Duration::from_secs(30);

/// Where it is said.
#[derive(Debug, Clone)]
pub struct Vigil {
    to: Voice,
    json: bool,
    said: Arc<Mutex<Option<Instant>>>,
}

impl Vigil {
    /// On `to`; as JSON where the command's words are.
    pub fn new(to: Voice, json: bool) -> Self {
        Self {
            to,
            json,
            said: Arc::default(),
        }
    }

    /// The server does not answer, and is waited for up to `most`.
    pub fn away(&self, why: &ClientError, most: Duration) {
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        if said.is_some_and(|at| at.elapsed() < AGAIN_AFTER) {
            return;
        }
        *said = Some(Instant::now());
        let ms = u64::try_from(most.as_millis()).unwrap_or(u64::MAX);
        let told = if self.json {
            Told::Json(json!({"waiting": {"for_ms": ms, "why": why.to_string()}}))
        } else {
            Told::Text(format!("waiting for the server, at most {}: {why}", span(ms)))
        };
        // Nobody may be reading; the wait goes on all the same.
        let _ = self.to.tell(&told);
    }
}
