//! What a producer wants, in no wire's words.

use crate::key::Key;
use bytes::Bytes;
use smoother_core::{Door, Millis, OnDisconnect, OnIndeterminate, Operation, Priority, Request, TenantId};

/// One model call as a door has parsed it; nothing in it is checked against models, lanes or limits yet.
#[derive(Debug, Clone)]
pub struct Submission {
    /// Whose it is, as the door has proved.
    pub tenant: TenantId,
    /// The model as the caller named it.
    pub model: String,
    /// What to call.
    pub operation: Operation,
    /// The body as the caller sent it.
    pub body: Bytes,
    /// How the caller waits.
    pub door: Door,
    /// The priority asked for, if any.
    pub priority: Option<Priority>,
    /// A band that the wire's own fields hint at (a service tier), used where nothing was asked for.
    pub hint: Option<Priority>,
    /// From arrival to completion, if limited.
    pub timeout: Option<Millis>,
    /// From arrival to start, if limited.
    pub max_wait: Option<Millis>,
    /// By what it may be known already.
    pub key: Key,
    /// Headers that travel upstream: lower-case names.
    pub headers: Vec<(String, String)>,
    /// The lanes to go on in where the first cannot serve it; `None` leaves it to the configuration.
    pub fallback: Option<Vec<String>>,
    /// Whether a smaller max_tokens may go upstream; `None` leaves it to the configuration.
    pub right_size: Option<bool>,
    /// Policy for a gone reader.
    pub on_disconnect: OnDisconnect,
    /// Policy for a call that may or may not have run.
    pub on_indeterminate: OnIndeterminate,
}

/// A submission that is durable.
#[derive(Debug, Clone)]
pub struct Accepted {
    /// The row: as stored now, or as it stands where it was known.
    pub request: Request,
    /// Whether it was known by its key, so that nothing new was stored.
    pub joined: bool,
    /// The limit on its own time, by its name, that it will miss by its lane's forecast.
    pub will_miss: Option<&'static str>,
}
