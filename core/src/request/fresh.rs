//! A request as it comes in: the one place where a row begins.

use super::{Door, OnDisconnect, OnIndeterminate, Priority, Request, Runner};
use crate::cost::Estimate;
use crate::ids::{CallNo, LaneId, ModelId, RequestId, Rev, TenantId};
use crate::lifecycle::State;
use crate::model::Operation;
use crate::units::{Timestamp, Tokens};
use std::collections::BTreeMap;

/// What has to be known of a request that has just come; everything else has a beginning of its own.
#[derive(Debug, Clone)]
pub struct Fresh {
    /// Identity.
    pub id: RequestId,
    /// Whose it is.
    pub tenant: TenantId,
    /// The quota it will wait for.
    pub lane: LaneId,
    /// The model as the caller named it.
    pub model: ModelId,
    /// What to call.
    pub operation: Operation,
    /// How its caller waits.
    pub door: Door,
    /// When it came.
    pub arrived_at: Timestamp,
    /// SHA-256 of operation, model and body.
    pub body_hash: [u8; 32],
    /// Bytes of the body.
    pub body_bytes: u64,
    /// Expected cost.
    pub estimate: Estimate,
}

impl Request {
    /// A request that waits and was never released: QUEUED, of normal priority, without deadline or headers,
    /// called again if a call is lost. Nobody reads a job's connection, so only a synchronous one is cancelled
    /// when its reader goes. What the caller wishes otherwise is set on the row before it is stored.
    pub fn fresh(from: Fresh) -> Self {
        Self {
            id: from.id,
            tenant: from.tenant,
            lane: from.lane,
            model: from.model,
            operation: from.operation,
            priority: Priority::default(),
            door: from.door,
            runner: Runner::Worker,
            state: State::Queued,
            rev: Rev::FIRST,
            arrived_at: from.arrived_at,
            deadline: None,
            latest_start: None,
            body_hash: from.body_hash,
            body_bytes: from.body_bytes,
            estimate: from.estimate,
            headers: Vec::new(),
            on_disconnect: match from.door {
                Door::Sync => OnDisconnect::Cancel,
                Door::Job => OnDisconnect::Finish,
            },
            on_indeterminate: OnIndeterminate::default(),
            tries: 0,
            call: CallNo::NONE,
            calls_made: 0,
            lost: 0,
            reserved: Tokens::ZERO,
            start_by: None,
            not_before: None,
            released_at: None,
            started_at: None,
            first_output_at: None,
            ended_at: None,
            throttles: BTreeMap::new(),
            last_error: None,
            fallback: Vec::new(),
            hops: Vec::new(),
            called_model: None,
            degraded: false,
            dead: false,
            redriven: 0,
            right_size: None,
            outcome: None,
        }
    }
}
