//! Learning from ends that come to other processes than the requests did.
//!
//! Each end is noted in memory; now and then what was noted is added to what all processes know, from where the ways in
//! read it ([`crate::recall`]). Where that says for the first time how small a max_tokens would do, requests that wait
//! get their size: in the index of what waits, since no process remembers which of them might. That is done a little at
//! a time, because ends that come meanwhile wait for it; what is left is gone on with when the next have come.

use crate::learned::{answered, note_error};
use crate::resize::{reprice, resize};
use futures_util::future::join_all;
use smoother_core::config::{Config, LaneConfig};
use smoother_core::estimate::{Answers, Lesson, Lessons, OutputKey, Outputs};
use smoother_core::ports::{Clock, Hold, LaneQueue, SharedOutputs, Store, StoreError};
use smoother_core::scheduler::Waiting;
use smoother_core::{LaneId, Millis, Outcome, Priority, Request, Timestamp, Tokens};
use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::time::timeout;

/// How long who waits is looked through at a time.
const PATIENCE: Millis = Millis::from_secs(3);
/// Requests read at once.
const AT_ONCE: usize = 64;
/// The first of a tenant's of which the lane is told: more than its holder has in memory. It finds the others as their
/// rows say when it comes to them.
const TOLD: usize = 256;
/// Places in line that are still to be looked through; beyond them the oldest go as they came.
const MOST_LOOKS: usize = 1_000;

/// What a teacher needs of the world.
#[derive(Clone)]
pub struct TeacherPorts {
    /// Requests.
    pub store: Arc<dyn Store>,
    /// The way into the lanes.
    pub lanes: Arc<dyn LaneQueue>,
    /// What waits.
    pub waiting: Arc<dyn Hold>,
    /// What is known of outputs.
    pub outputs: Arc<dyn SharedOutputs>,
    /// The time.
    pub clock: Arc<dyn Clock>,
}

/// Learns from ended requests for all processes.
pub struct Teacher {
    ports: TeacherPorts,
    config: Config,
    lessons: Mutex<Lessons>,
    looks: Mutex<VecDeque<Look>>,
}

/// A tenant's requests in a band of a lane, which are to be looked through.
#[derive(Debug, Clone)]
struct Look {
    key: OutputKey,
    answers: Answers,
    lane: LaneId,
    priority: Priority,
    /// Those up to here are, and how many.
    after: Option<String>,
    seen: usize,
}

impl Look {
    fn is_like(&self, other: &Self) -> bool {
        (&self.key, &self.lane, self.priority) == (&other.key, &other.lane, other.priority)
    }
}

impl fmt::Debug for Teacher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Teacher").finish_non_exhaustive()
    }
}

impl Teacher {
    /// For the lanes of this configuration.
    pub fn new(ports: TeacherPorts, config: Config) -> Self {
        Self {
            ports,
            config,
            lessons: Mutex::default(),
            looks: Mutex::default(),
        }
    }

    /// A request has ended: notes its answer, if it had one.
    pub fn ended(&self, request: &Request) {
        let Some(Outcome::Answer {
            usage: Some(usage), ..
        }) = &request.outcome
        else {
            return;
        };
        note_error(request, usage);
        if request.own_max_output() == Tokens::ZERO {
            return;
        }
        let (now, may_be_sized) = (self.ports.clock.now(), request.right_size.is_some());
        lock(&self.lessons).note(&answered(request, usage), may_be_sized, now);
    }

    /// Adds what was noted to what all processes know, as far as it is due, and goes on for some seconds giving requests
    /// that wait their size. What cannot be added is lost: other answers will say the same. At `end_by` it is broken off.
    pub async fn hand_on(&self, end_by: Timestamp) {
        let now = self.ports.clock.now();
        let span = end_by.since(now);
        if span == Millis::ZERO {
            return;
        }
        let work = async {
            let due = lock(&self.lessons).due(now);
            join_all(due.iter().map(|(key, lessons)| self.teach(key, lessons))).await;
            while self.ports.clock.now().since(now) < PATIENCE && self.look_on().await {}
        };
        if timeout(span.into(), work).await.is_err() {
            tracing::warn!("what answers have taught could not be handed on in time");
        }
    }

    async fn teach(&self, key: &OutputKey, lessons: &[Lesson]) {
        let taught = match self.ports.outputs.teach(key, lessons).await {
            Ok(taught) => taught,
            Err(error) => {
                tracing::warn!(%key, %error, "what answers have taught could not be kept");
                return;
            }
        };
        if taught.are_enough {
            lock(&self.lessons).may_wait(key);
        }
        if taught.look_through && key.tenant().is_some() {
            self.begin_looks(key, &taught.answers);
        }
    }

    fn begin_looks(&self, key: &OutputKey, answers: &Answers) {
        let mut looks = lock(&self.looks);
        let lanes = self.config.lanes.values().filter(|lane| calls(lane, key));
        for lane in lanes {
            for priority in Priority::ALL {
                let look = Look {
                    key: key.clone(),
                    answers: answers.clone(),
                    lane: lane.id.clone(),
                    priority,
                    after: None,
                    seen: 0,
                };
                looks.retain(|other| !other.is_like(&look));
                looks.push_back(look);
            }
        }
        let beyond = looks.len().saturating_sub(MOST_LOOKS);
        looks.drain(..beyond);
    }

    /// Looks through some of those who wait; whether there is more to look through, and it can be.
    async fn look_on(&self) -> bool {
        // It stays until it is done: whoever breaks this off, or cannot read, begins with the same ones again.
        let Some(look) = lock(&self.looks).front().cloned() else {
            return false;
        };
        let next = match self.look_through(&look).await {
            Ok(next) => next,
            Err(error) => {
                let (lane, priority) = (&look.lane, look.priority);
                tracing::warn!(%lane, %priority, %error, "requests that wait are told their size later");
                return false;
            }
        };
        let mut looks = lock(&self.looks);
        looks.pop_front();
        next.into_iter().for_each(|next| looks.push_front(next));
        !looks.is_empty()
    }

    /// Looks through the next of a tenant's requests; where to go on.
    async fn look_through(&self, look: &Look) -> Result<Option<Look>, StoreError> {
        let (Some(lane), Some(tenant)) = (self.config.lanes.get(&look.lane), look.key.tenant()) else {
            return Ok(None);
        };
        let (waiting, after) = (&self.ports.waiting, look.after.clone());
        let heads = waiting
            .heads(&look.lane, look.priority, tenant, after, AT_ONCE)
            .await?;
        let mut known = Outputs::default();
        known.set(look.key.clone(), &look.answers);
        let size =
            |row: &Request| known.right_size(row.model_to_call(), &row.tenant, row.estimate.max_output);
        let one = |waiting: &Waiting| {
            let id = waiting.id;
            async move {
                let row = resize(&*self.ports.store, id, size).await;
                if let Some(row) = row.filter(|_| look.seen < TOLD) {
                    reprice(&*self.ports.lanes, &row, lane.output_burndown).await;
                }
            }
        };
        join_all(heads.waiting.iter().map(one)).await;
        Ok(heads.next.map(|next| Look {
            after: Some(next),
            seen: look.seen + heads.waiting.len(),
            ..look.clone()
        }))
    }
}

/// Every update leaves them whole, so a panic elsewhere does not make them unusable.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether calls of this lane may be answered by the key's model.
fn calls(lane: &LaneConfig, key: &OutputKey) -> bool {
    match &lane.fallback.call_model {
        Some(always) => always == key.model(),
        None => lane.models.contains(key.model()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testbed::lane;
    use smoother_core::{ModelId, TenantId};

    #[test]
    fn a_lane_is_looked_through_for_the_model_that_its_calls_go_to() {
        let key = |model: &str| {
            let model = ModelId::new(model).unwrap();
            OutputKey::of_tenant(&model, &TenantId::default(), Tokens::new(100))
        };
        let mut of_a = lane("main", "a", 1_000);
        assert!(calls(&of_a, &key("a")) && !calls(&of_a, &key("b")));
        of_a.fallback.call_model = Some(ModelId::new("b").unwrap());
        assert!(calls(&of_a, &key("b")) && !calls(&of_a, &key("a")));
    }
}
