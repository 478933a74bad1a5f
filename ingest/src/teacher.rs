//! Learning from ends that come to other processes than the requests did.
//!
//! Each end is noted in memory; now and then what was noted is added to what all processes know, from where the ways in
//! read it ([`crate::recall`]). Where that says for the first time how small a max_tokens would do, requests that wait
//! get their size: in the index of what waits, since no process remembers which of them might.

use crate::learned::{answered, note_error};
use crate::resize::Resizing;
use futures_util::future::join_all;
use smoother_core::config::{Config, LaneConfig};
use smoother_core::estimate::{Answers, Lesson, Lessons, OutputKey, Outputs};
use smoother_core::ports::{Clock, Hold, LaneQueue, SharedOutputs, Store, StoreError};
use smoother_core::{Millis, Outcome, Priority, Request, TenantId, Timestamp};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Requests read at once, and the most of a tenant that are looked through in one band of a lane.
const AT_ONCE: usize = 128;
const MOST: usize = 10_000;
/// The first of them of which the lane is told: more than its holder has in memory. It finds the others as their rows
/// say when it comes to them.
const TOLD: usize = 256;
/// How long that may take: ends that come meanwhile wait for it.
const PATIENCE: Millis = Millis::from_secs(15);

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
        let now = self.ports.clock.now();
        let may_be_sized = request.right_size.is_some();
        self.lessons().note(&answered(request, usage), may_be_sized, now);
    }

    /// Adds what was noted to what all processes know, as far as it is due; requests that wait get their size, until
    /// `end_by` at the latest, and those that are left go as they came. What cannot be added is lost: other answers
    /// will say the same.
    pub async fn hand_on(&self, end_by: Timestamp) {
        let now = self.ports.clock.now();
        let due = self.lessons().due(now);
        let until = end_by.min(now + PATIENCE);
        join_all(
            due.into_iter()
                .map(|(key, lessons)| self.teach(key, lessons, until)),
        )
        .await;
    }

    async fn teach(&self, key: OutputKey, lessons: Vec<Lesson>, until: Timestamp) {
        let taught = match self.ports.outputs.teach(&key, &lessons).await {
            Ok(taught) => taught,
            Err(error) => {
                tracing::warn!(%key, %error, "what answers have taught could not be kept");
                return;
            }
        };
        let Some(tenant) = key.tenant().filter(|_| taught.look_through) else {
            return;
        };
        let lanes = self.config.lanes.values().filter(|lane| calls(lane, &key));
        for lane in lanes {
            for priority in Priority::ALL {
                let looked = self.look_through((lane, priority, tenant), &key, &taught.answers, until);
                if let Err(error) = looked.await {
                    tracing::warn!(lane = %lane.id, %priority, %error, "requests that wait are not all told their size");
                }
            }
        }
    }

    async fn look_through(
        &self,
        (lane, priority, tenant): (&LaneConfig, Priority, &TenantId),
        key: &OutputKey,
        answers: &Answers,
        until: Timestamp,
    ) -> Result<(), StoreError> {
        let mut known = Outputs::default();
        known.set(key.clone(), answers);
        let size =
            |row: &Request| known.right_size(row.model_to_call(), &row.tenant, row.estimate.max_output);
        let resizing = Resizing {
            store: &*self.ports.store,
            lanes: &*self.ports.lanes,
            burndown: lane.output_burndown,
        };
        let (mut after, mut seen) = (None, 0);
        while seen < MOST && self.ports.clock.now() < until {
            let heads = self
                .ports
                .waiting
                .heads(&lane.id, priority, tenant, after, AT_ONCE);
            let heads = heads.await?;
            let one = |waiting: &smoother_core::scheduler::Waiting| (waiting.id, seen < TOLD);
            let some = heads.waiting.iter().map(one);
            join_all(some.map(|(id, tell)| resizing.resize(id, &size, tell))).await;
            seen += heads.waiting.len();
            after = heads.next;
            if after.is_none() {
                break;
            }
        }
        Ok(())
    }

    /// Every update leaves them whole, so a panic elsewhere does not make them unusable.
    fn lessons(&self) -> MutexGuard<'_, Lessons> {
        self.lessons.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether calls of this lane may be answered by the key's model.
fn calls(lane: &LaneConfig, key: &OutputKey) -> bool {
    match &lane.fallback.call_model {
        Some(always) => always == key.model(),
        None => lane.models.contains(key.model()),
    }
}
