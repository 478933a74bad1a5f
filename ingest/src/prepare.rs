//! From a submission to a row: validate, route, estimate. Asks for nothing but how lanes stand, where several share the
//! model, and what is known of outputs, where ends come to other processes.

use crate::body;
use crate::chain;
use crate::ingest::Ingest;
use crate::priority;
use crate::refusal::Refusal;
use crate::submission::Submission;
use bytes::Bytes;
use sha2::{Digest, Sha256};
use smoother_core::config::LaneConfig;
use smoother_core::ledger::fits;
use smoother_core::request::Fresh;
use smoother_core::right_size::RightSize;
use smoother_core::{Door, Estimate, Millis, OnDisconnect, Operation, Request, RequestId};
use std::sync::Arc;

/// A row that may be stored, with what goes with it.
#[derive(Debug)]
pub(crate) struct Prepared {
    pub(crate) request: Request,
    pub(crate) body: Bytes,
    pub(crate) key: crate::key::Key,
    pub(crate) burndown: u64,
    /// How long its caller waits who names no time.
    pub(crate) sync_timeout: Millis,
}

impl Ingest {
    /// Checks a submission and makes its row.
    pub(crate) async fn prepare(&self, from: Submission) -> Result<Prepared, Refusal> {
        if self.is_draining() {
            return Err(Refusal::Stopping);
        }
        let settings = self.settings();
        let route = settings.routes.find(&from.model)?;
        let facts = body::read(from.operation, &from.model, &from.body)?;
        let lane = self.place(route).await.ok_or(Refusal::Stopping)?;
        let model = chain::model_in(lane, &route.model);
        let most = lane.max_output_tokens;
        if let Some(asked) = facts.max_output.filter(|asked| *asked > most) {
            return Err(Refusal::invalid(format!(
                "The maximum tokens you requested exceeds the model limit of {most}. {} is {asked}; try again with \
                 a maximum tokens value of {most} or lower.",
                facts.max_output_field
            )));
        }
        let tenant = settings.config.tenant(&from.tenant);
        let hint = facts.hint.or(from.hint);
        let priority = priority::choose(from.priority, hint, &from.tenant, &tenant)?;
        let ahead = chain::ahead(&from, &settings.routes, (route, lane))?;
        let lanes = std::iter::once(lane).chain(ahead.lanes.iter().copied());
        self.recall(route, lanes, &from.tenant, &facts).await;
        let estimate = self.learned.estimate(model, &from.tenant, &facts, lane);
        // Judged by its own value: an answer that is cut short has to be made again with it.
        can_fit(lane, &estimate, facts.max_output.is_none())?;
        let slot = may_be_sized(&from, tenant.right_size)
            .then(|| body::slot(from.operation, &from.model, &from.body))
            .flatten();
        let sized = slot
            .as_ref()
            .and_then(|_| self.learned.right_sized(model, &from.tenant, &estimate));
        let right_size = slot.map(|slot| RightSize {
            slot,
            own: sized.map(|_| estimate.max_output),
            rerun: false,
        });
        let fallback = self.chain(&from, &ahead, (route, lane), &facts, right_size.is_some());
        let now = self.ports.clock.now();
        let id = from
            .key
            .id(&from.tenant, 0)
            .unwrap_or_else(|| RequestId::fresh(now, self.ports.entropy.bytes()));
        let fresh = Fresh {
            id,
            lane: lane.id.clone(),
            model: route.model.clone(),
            operation: from.operation,
            door: from.door,
            arrived_at: now,
            body_hash: hash(from.operation, &from.model, &from.body),
            body_bytes: from.body.len() as u64,
            estimate: sized.unwrap_or(estimate),
            tenant: from.tenant,
        };
        let mut request = Request {
            priority,
            deadline: from.timeout.map(|span| now + span),
            latest_start: from.max_wait.map(|span| now + span),
            headers: from.headers,
            fallback,
            called_model: (*model != route.model).then(|| model.clone()),
            right_size,
            on_indeterminate: from.on_indeterminate,
            ..Request::fresh(fresh)
        };
        if from.door == Door::Sync {
            request.runner = self.runner;
            request.on_disconnect = match from.on_disconnect {
                OnDisconnect::Cancel if !from.key.may_come_back() => OnDisconnect::CancelAtOnce,
                said => said,
            };
        }
        Ok(Prepared {
            request,
            body: from.body,
            key: from.key,
            burndown: lane.output_burndown,
            sync_timeout: settings.config.server.sync_timeout,
        })
    }
}

/// Whether a smaller max_tokens may go upstream. Where somebody reads a stream as it comes, only if its caller says so:
/// until it is known that the answer was not cut short nothing of it can be shown, so the stream comes at its end.
fn may_be_sized(from: &Submission, of_tenant: bool) -> bool {
    let is_read_as_it_comes = from.door == Door::Sync && from.operation.streams();
    from.right_size.unwrap_or(of_tenant && !is_read_as_it_comes)
}

fn can_fit(lane: &Arc<LaneConfig>, estimate: &Estimate, unset: bool) -> Result<(), Refusal> {
    let reserve = estimate.reserve(lane.output_burndown);
    let Err(never) = fits(lane, reserve) else {
        return Ok(());
    };
    let quota = match never.limit() {
        "tokens_per_day" => lane.tokens_per_day.map_or(0, |limit| limit.get()),
        _ => lane.tokens_per_minute.get(),
    };
    Err(Refusal::NeverFits {
        lane: lane.id.clone(),
        limit: never.limit(),
        quota,
        reserve,
        input: estimate.input.get(),
        max_output: estimate.max_output.get(),
        unset: if unset {
            ", the model's maximum as none is set"
        } else {
            ""
        },
    })
}

/// What the same key must come with: operation, model and body, each ended so that none runs into the next.
fn hash(operation: Operation, model: &str, body: &[u8]) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(operation.as_str());
    hash.update([0]);
    hash.update(model);
    hash.update([0]);
    hash.update(body);
    hash.finalize().into()
}
