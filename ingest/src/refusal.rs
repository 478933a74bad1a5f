//! Why something was not accepted at the door: what was wrong, which limit, and when to come back.
//!
//! The doors render these in their own shapes; nothing here knows of HTTP beyond the status it amounts to.

use smoother_core::ports::{QueueError, StoreError};
use smoother_core::scheduler::{Full, Measure, Scope};
use smoother_core::{IdError, LaneId, Millis, Priority, RequestId, State, TenantId, Tokens};

/// A submission or a request about one that was turned away. Nothing was stored for it, but for one that meets a
/// process which is stopping: the next takes it up, and a retry with its key joins it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The body is not what its content type says.
    #[error("Malformed input request: {0}; please reformat your input and try again.")]
    Malformed(String),
    /// A field or header has a value outside what is allowed.
    #[error("{0}")]
    Invalid(String),
    /// No lane serves the model.
    #[error(
        "The provided model identifier is invalid. No lane serves {model:?}; the lanes serve: {known}. \
         Name one of these, or add the model to a lane in smoother.toml."
    )]
    UnknownModel {
        /// What was asked for, cut to a printable length.
        model: String,
        /// Each lane with its models.
        known: String,
    },
    /// The lane's quota is smaller than the request's reserve.
    #[error(
        "This request can never fit lane {lane}: it reserves {reserve} (input about {input}, max_tokens \
         {max_output}{unset}), and the lane's {limit} is {quota}. Lower max_tokens or shorten the input."
    )]
    NeverFits {
        /// Which lane.
        lane: LaneId,
        /// The configuration key of the limit.
        limit: &'static str,
        /// Its value.
        quota: u64,
        /// What the request would reserve.
        reserve: Tokens,
        /// The estimated input, in tokens.
        input: u64,
        /// The output it may produce, in tokens.
        max_output: u64,
        /// Says so where the caller set no maximum; else empty.
        unset: &'static str,
    },
    /// A priority above the tenant's highest was asked for.
    #[error(
        "Priority {asked} is above the highest of tenant {tenant}, which is {highest}; ask for {highest} or lower, \
         or raise highest_priority of the tenant."
    )]
    PriorityTooHigh {
        /// What was asked for.
        asked: Priority,
        /// The best allowed.
        highest: Priority,
        /// Whose limit it is.
        tenant: TenantId,
    },
    /// The idempotency key was used for something else.
    #[error(
        "The idempotency key was used before with another operation, model or body, by job {0}; use a new key for \
         a new request."
    )]
    Conflict(RequestId),
    /// The body is larger than the server takes.
    #[error("The body is larger than max_body_bytes = {limit}; send a smaller one.")]
    TooLarge {
        /// The limit, in bytes.
        limit: u64,
    },
    /// The body is larger than comes by a function URL.
    #[error(
        "The body is larger than {limit} bytes, the most that Lambda takes by a function URL; ask POST /v1/uploads \
         for a place, put the job there and send the place to POST /v1/jobs, or put it into the deployment's bucket under \
         inbox/ and send its place, {{\"s3\": {{\"bucket\": …, \"key\": …}}}}, to the input queue."
    )]
    LargerThanUrl {
        /// The limit, in bytes.
        limit: u64,
    },
    /// There are no places for large jobs.
    #[error(
        "Jobs come in by POST /v1/jobs here, up to server.max_body_bytes; places for what is larger than \
         the door takes are given out by a deployment on AWS."
    )]
    NoUploads,
    /// The body came too slowly.
    #[error("The body did not arrive in time: {0}; send it again without pausing.")]
    SlowBody(&'static str),
    /// The connection ended inside the body.
    #[error("The body ended before it was complete; send it again.")]
    CutOff,
    /// The body is of a kind that is not read here.
    #[error("Content type {found:?} is not supported; send application/json.")]
    MediaType {
        /// What the header said, cut to a printable length.
        found: String,
    },
    /// The path names no operation.
    #[error("The requested operation does not exist: {0}")]
    UnknownOperation(String),
    /// The path names an operation, the method does not.
    #[error("{0}: operations are called by POST.")]
    Method(String),
    /// No such job, or not this tenant's.
    #[error("No job has the id {0}; it may have passed its retention. GET /v1/jobs lists those there are.")]
    UnknownJob(RequestId),
    /// The job is no dead letter.
    #[error("Job {id} is {} and no dead letter; GET /v1/dlq lists those there are.", .state.public())]
    NotDead {
        /// Which.
        id: RequestId,
        /// Where it stands.
        state: State,
    },
    /// A dead letter without its body cannot be sent again.
    #[error(
        "The body of job {0} is no longer in the store, so it cannot be sent again; drop it, and submit it anew."
    )]
    BodyGone(RequestId),
    /// A dead letter's lane, or one of its chain, is gone.
    #[error(
        "Job {id} belongs to lane {lane} or may go on there, which is not configured any more; the lanes are {known}. Configure \
         [lanes.{lane}] again, or drop the job and submit it anew."
    )]
    LaneGone {
        /// Which.
        id: RequestId,
        /// Its lane.
        lane: LaneId,
        /// The lanes there are.
        known: String,
    },
    /// No such lane.
    #[error("No lane is named {lane}; the lanes are {known}.")]
    UnknownLane {
        /// What was asked for.
        lane: LaneId,
        /// The lanes there are.
        known: String,
    },
    /// More would wait than may.
    #[error("{}", too_much(.lane, .full, *.come_back))]
    Full {
        /// In which lane.
        lane: LaneId,
        /// The bound.
        full: Box<Full>,
        /// When the first of those that wait is expected to have gone.
        come_back: Millis,
    },
    /// It would not be in time.
    #[error(
        "Too many requests, please wait before trying again. {limit} = {} cannot be met: this request would be number \
         {position} in lane {lane} and is expected to start in {} ms, and in {} ms at best. Allow it more time, come back \
         when less waits, or have it taken in all the same by limits.admission = \"flag\".",
        .value.get(), .wait.get(), .at_best.get()
    )]
    TooLate {
        /// Which lane.
        lane: LaneId,
        /// Its own limit, as its caller has named it.
        limit: &'static str,
        /// How long that is.
        value: Millis,
        /// How long it is expected to wait.
        wait: Millis,
        /// How long it would wait if all went better than it looks.
        at_best: Millis,
        /// Where it would stand.
        position: u64,
        /// When the same may be in time.
        come_back: Millis,
    },
    /// The job id in the path is none.
    #[error("{0}; a submission answers with the job's id.")]
    JobId(#[from] IdError),
    /// The store could not take it.
    #[error("{0}")]
    Store(#[from] StoreError),
    /// The lane's queue could not take it.
    #[error("{0}")]
    Lane(#[from] QueueError),
    /// The process is shutting down.
    #[error("The smoother is stopping and admits nothing more; send again to the next one.")]
    Stopping,
}

impl Refusal {
    /// A mistake in one field or header.
    pub(crate) fn invalid(what: impl Into<String>) -> Self {
        Self::Invalid(what.into())
    }

    /// One word: the metric's label and the last part of the problem type.
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::Malformed(_) => "malformed",
            Self::Invalid(_) => "invalid",
            Self::UnknownModel { .. } => "unknown-model",
            Self::NeverFits { .. } => "never-fits",
            Self::PriorityTooHigh { .. } => "priority-too-high",
            Self::Conflict(_) => "idempotency-conflict",
            Self::TooLarge { .. } | Self::LargerThanUrl { .. } => "too-large",
            Self::NoUploads => "no-uploads",
            Self::SlowBody(_) => "slow-body",
            Self::CutOff => "cut-off",
            Self::MediaType { .. } => "media-type",
            Self::UnknownOperation(_) => "unknown-operation",
            Self::Method(_) => "method-not-allowed",
            Self::UnknownJob(_) => "unknown-job",
            Self::NotDead { .. } => "no-dead-letter",
            Self::BodyGone(_) => "body-gone",
            Self::LaneGone { .. } => "lane-gone",
            Self::UnknownLane { .. } => "unknown-lane",
            Self::Full { .. } => "too-much-waiting",
            Self::TooLate { .. } => "too-late",
            Self::JobId(_) => "job-id",
            Self::Store(StoreError::Full(_)) => "store-full",
            Self::Store(_) => "store",
            Self::Lane(_) => "lane",
            Self::Stopping => "stopping",
        }
    }

    /// A few words, the same for every refusal with this [`Refusal::reason`].
    pub const fn title(&self) -> &'static str {
        match self {
            Self::Malformed(_) => "The body cannot be read",
            Self::Invalid(_) => "The request is not valid",
            Self::UnknownModel { .. } => "There is no lane for the model",
            Self::NeverFits { .. } => "The request can never fit its lane",
            Self::PriorityTooHigh { .. } => "The priority is above the tenant's highest",
            Self::Conflict(_) => "The idempotency key was used for something else",
            Self::TooLarge { .. } | Self::LargerThanUrl { .. } => "The body is too large",
            Self::NoUploads => "There are no uploads here",
            Self::SlowBody(_) => "The body did not arrive in time",
            Self::CutOff => "The body was cut off",
            Self::MediaType { .. } => "The content type is not supported",
            Self::UnknownOperation(_) => "There is no such operation",
            Self::Method(_) => "The method is not allowed here",
            Self::UnknownJob(_) => "There is no such job",
            Self::NotDead { .. } => "The job is no dead letter",
            Self::BodyGone(_) => "The body is no longer kept",
            Self::LaneGone { .. } => "The job's lane is not configured any more",
            Self::UnknownLane { .. } => "There is no such lane",
            Self::Full { .. } => "Too much is waiting",
            Self::TooLate { .. } => "The request would not be in time",
            Self::JobId(_) => "The job id is not valid",
            Self::Store(StoreError::Full(_)) => "The store is full",
            Self::Store(StoreError::Damaged(_)) => "The store is damaged",
            Self::Store(_) => "The store does not answer",
            Self::Lane(_) => "The lane does not answer",
            Self::Stopping => "The server is stopping",
        }
    }

    /// The HTTP status it amounts to.
    pub const fn status(&self) -> u16 {
        match self {
            Self::Malformed(_)
            | Self::Invalid(_)
            | Self::UnknownModel { .. }
            | Self::NeverFits { .. }
            | Self::PriorityTooHigh { .. }
            | Self::CutOff
            | Self::JobId(_) => 400,
            Self::UnknownJob(_) | Self::UnknownOperation(_) | Self::UnknownLane { .. } | Self::NoUploads => {
                404
            }
            Self::Method(_) => 405,
            Self::SlowBody(_) => 408,
            Self::Conflict(_) | Self::NotDead { .. } | Self::LaneGone { .. } => 409,
            Self::BodyGone(_) => 410,
            Self::TooLarge { .. } | Self::LargerThanUrl { .. } => 413,
            Self::MediaType { .. } => 415,
            Self::Full { .. } | Self::TooLate { .. } => 429,
            Self::Store(StoreError::Full(_)) => 507,
            Self::Store(StoreError::Damaged(_)) => 500,
            Self::Store(_) | Self::Lane(_) | Self::Stopping => 503,
        }
    }

    /// When sending the same again may be answered differently; `None` where it never will.
    pub const fn retry_after(&self) -> Option<Millis> {
        match self {
            Self::Full { come_back, .. } | Self::TooLate { come_back, .. } => Some(*come_back),
            Self::Store(StoreError::Damaged(_)) => None,
            Self::Store(StoreError::Full(_)) => Some(Millis::from_secs(30)),
            Self::Store(_) | Self::Lane(_) | Self::Stopping => Some(Millis::from_secs(1)),
            _ => None,
        }
    }

    /// The configured limit that refused it: key and value.
    pub fn limit(&self) -> Option<(&'static str, u64)> {
        match self {
            Self::NeverFits { limit, quota, .. } => Some((limit, *quota)),
            Self::TooLarge { limit } => Some(("max_body_bytes", *limit)),
            Self::LargerThanUrl { limit } => Some(("function URL request", *limit)),
            Self::Full { full, .. } => Some((full.key(), full.bound)),
            Self::TooLate { limit, value, .. } => Some((limit, value.get())),
            _ => None,
        }
    }
}

/// Which bound, how much waits, and when to come back.
fn too_much(lane: &LaneId, full: &Full, come_back: Millis) -> String {
    let whose = match &full.scope {
        Scope::Lane => String::new(),
        Scope::Band(priority) => format!(" of priority {priority}"),
        Scope::Tenant { id, .. } => format!(" of tenant {id}"),
    };
    let key = match &full.scope {
        Scope::Tenant { id, own: true } => full.key().replace('*', id.as_str()),
        _ => full.key().to_owned(),
    };
    let (waiting, bound) = (full.waiting, full.bound);
    let waits = match full.measure {
        Measure::Requests => format!("{waiting} requests{whose} wait for lane {lane}"),
        Measure::Tokens => {
            format!(
                "Requests{whose} that will reserve {waiting} tokens wait for lane {lane}, and one more is too much"
            )
        }
    };
    let seconds = come_back.get().div_ceil(1_000);
    format!(
        "Too many requests, please wait before trying again. {waits}; {key} is {bound}. The first of them is expected to \
         go in {seconds} s."
    )
}
