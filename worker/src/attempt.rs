//! One upstream call, from its first byte to its last, under its deadlines.

use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;
use smoother_core::config::LaneConfig;
use smoother_core::ports::{BoxFuture, Clock, Live, Model, Update};
use smoother_core::{
    Millis, ModelCall, ModelError, ModelErrorKind, ModelEvent, ModelHead, ModelId, Request, RequestId,
    Timestamp, Tokens, Usage,
};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// The largest answer taken, far above any model's maximum.
const MOST_ANSWER_BYTES: usize = 64 << 20;

/// How a call went.
#[derive(Debug)]
pub(crate) enum Attempt {
    /// A whole answer.
    Answered(Answer),
    /// An error; `accepted` if Bedrock had taken the call.
    Failed {
        error: ModelError,
        usage: Option<Usage>,
        accepted: bool,
    },
    /// Called off while it ran.
    Aborted { usage: Option<Usage> },
    /// The request's deadline came while it ran.
    Expired { usage: Option<Usage> },
}

impl Attempt {
    /// Whether the next call can use its connection.
    pub(crate) fn leaves_connection(&self) -> bool {
        match self {
            Self::Answered(_) => true,
            Self::Failed { error, accepted, .. } => {
                !accepted && error.status == 429 && matches!(error.kind, ModelErrorKind::Throttled(_))
            }
            Self::Aborted { .. } | Self::Expired { .. } => false,
        }
    }
}

/// A whole answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) head: ModelHead,
    pub(crate) body: Bytes,
    pub(crate) usage: Option<Usage>,
    pub(crate) first_output_at: Option<Timestamp>,
    /// It was sent with a smaller max_tokens than its caller's and ended because of that.
    pub(crate) cut_short: bool,
}

/// How far a call has come; known even of one that breaks off.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    sent: AtomicBool,
    shown: AtomicBool,
}

impl Progress {
    /// Whether anything of it can have gone upstream: the model was asked.
    pub(crate) fn sent(&self) -> bool {
        self.sent.load(Ordering::Relaxed)
    }

    /// Whether a reader may have seen generated content.
    pub(crate) fn shown(&self) -> bool {
        self.shown.load(Ordering::Relaxed)
    }
}

/// What an attempt needs of the world.
pub(crate) struct Around<'a> {
    pub(crate) model: &'a dyn Model,
    pub(crate) live: &'a dyn Live,
    pub(crate) clock: &'a dyn Clock,
    /// The process that makes the call may not live longer.
    pub(crate) end_by: Option<Timestamp>,
    /// Resolves when the call is called off.
    pub(crate) aborted: &'a mut BoxFuture<'static, ()>,
    /// Where it tells how far it has come.
    pub(crate) progress: &'a Progress,
}

/// Makes the call and collects its answer, telling readers of frames as they come.
pub(crate) async fn make(around: Around<'_>, row: &Request, lane: &LaneConfig, body: Bytes) -> Attempt {
    let now = around.clock.now();
    let until_deadline = row.deadline.map_or(Millis::MAX, |at| at.since(now));
    if until_deadline == Millis::ZERO {
        // Nobody would get the answer.
        return Attempt::Expired { usage: None };
    }
    let call = ModelCall {
        request: row.id,
        number: row.call,
        lane: lane.id.clone(),
        operation: row.operation,
        model: row.model_to_call().clone(),
        body,
        headers: row.headers.clone(),
    };
    let until_end = around.end_by.map_or(Millis::MAX, |at| at.since(now));
    let mut answer = Collected::new(row, &around);
    let ended = tokio::select! {
        biased;
        () = around.aborted => Ended::Aborted,
        said = answer.collect(around.model, call, lane) => Ended::Said(said),
        () = tokio::time::sleep(lane.call_timeout.min(until_deadline).min(until_end).into()) => Ended::TimedOut,
    };
    let usage = answer.usage;
    match ended {
        Ended::Said(Ok(())) => Attempt::Answered(answer.whole()),
        Ended::Said(Err(error)) => answer.failed(error),
        Ended::Aborted => Attempt::Aborted { usage },
        Ended::TimedOut if until_deadline <= lane.call_timeout.min(until_end) => Attempt::Expired { usage },
        Ended::TimedOut if until_end < lane.call_timeout => answer.failed(stalled(format!(
            "the call took longer than the {} ms that the process making it had left",
            until_end.get()
        ))),
        Ended::TimedOut => {
            let most = lane.call_timeout.get();
            answer.failed(stalled(format!(
                "the call took longer than call_timeout_ms = {most}"
            )))
        }
    }
}

enum Ended {
    Said(Result<(), ModelError>),
    Aborted,
    TimedOut,
}

/// An answer on its way.
struct Collected<'a> {
    id: RequestId,
    live: &'a dyn Live,
    clock: &'a dyn Clock,
    progress: &'a Progress,
    head: Arc<ModelHead>,
    /// The model that is called where that is not the one the caller named.
    called_model: Option<ModelId>,
    /// What readers are told of a max_tokens below their own.
    size: Option<&'static str>,
    accepted: bool,
    max_output: Tokens,
    parts: Vec<Bytes>,
    bytes: usize,
    /// Frames that readers have been given: all of them once content has come, none before.
    told: usize,
    /// Sent with a smaller max_tokens than its caller's: whether the answer may be shown is known at its end.
    is_right_sized: bool,
    /// It ended because max_tokens was reached.
    reached_most: bool,
    usage: Option<Usage>,
    first_output_at: Option<Timestamp>,
}

impl<'a> Collected<'a> {
    fn new(row: &Request, around: &Around<'a>) -> Self {
        Self {
            id: row.id,
            called_model: row.called_model.clone(),
            live: around.live,
            clock: around.clock,
            progress: around.progress,
            head: Arc::default(),
            size: match row.is_rerun() {
                true => Some("rerun"),
                false => row.is_right_sized().then_some("true"),
            },
            accepted: false,
            max_output: row.estimate.max_output,
            parts: Vec::new(),
            bytes: 0,
            told: 0,
            is_right_sized: row.is_right_sized(),
            reached_most: false,
            usage: None,
            first_output_at: None,
        }
    }

    async fn collect(
        &mut self,
        model: &dyn Model,
        call: ModelCall,
        lane: &LaneConfig,
    ) -> Result<(), ModelError> {
        let streams = call.operation.streams();
        // A whole answer says nothing until it is generated; only a stream's silence means something.
        let (key, patience) = if streams {
            ("chunk_timeout_ms", lane.chunk_timeout)
        } else {
            ("call_timeout_ms", lane.call_timeout)
        };
        let silent = |_| stalled(format!("nothing came for {key} = {}", patience.get()));
        let patience: Duration = patience.into();
        // Whatever happens from here on, nobody can say that nothing was sent.
        self.progress.sent.store(true, Ordering::Relaxed);
        let mut answer = tokio::time::timeout(patience, model.call(call))
            .await
            .map_err(silent)??;
        let mut head = std::mem::take(&mut answer.head);
        // For a reader of the stream, whose own row does not know of the lane that serves it now.
        if let Some(model) = self.called_model.take() {
            head.headers
                .push(("x-smoother-model".to_owned(), model.as_str().to_owned()));
        }
        if let Some(size) = self.size {
            head.headers
                .push(("x-smoother-right-sized".to_owned(), size.to_owned()));
        }
        self.head = Arc::new(head);
        self.accepted = true;
        while let Some(event) = tokio::time::timeout(patience, answer.events.next())
            .await
            .map_err(silent)?
        {
            match event? {
                ModelEvent::Body(body) => self.add(body)?,
                ModelEvent::Frame { bytes, output } => {
                    self.add(bytes)?;
                    if output && self.first_output_at.is_none() {
                        self.first_output_at = Some(self.clock.now());
                    }
                    if self.first_output_at.is_some() && !self.is_right_sized {
                        self.progress.shown.store(true, Ordering::Relaxed);
                        self.tell();
                    }
                }
                ModelEvent::CutShort => self.reached_most = true,
                ModelEvent::Usage(usage) if usage.is_possible(self.max_output, lane.tokens_per_minute) => {
                    self.usage = Some(usage);
                }
                // Charged, it would hold the lane back for as long as its quota takes to pay.
                ModelEvent::Usage(usage) => tracing::warn!(
                    request = %self.id, lane = %lane.id, ?usage,
                    "upstream counts more tokens than a call can use; it is charged what it reserved"
                ),
            }
        }
        if streams && !self.is_cut_short() {
            // An answer without content, or one that was right-sized, has held back all its frames; it is whole now.
            self.tell();
        }
        Ok(())
    }

    fn add(&mut self, part: Bytes) -> Result<(), ModelError> {
        self.bytes += part.len();
        if self.bytes > MOST_ANSWER_BYTES {
            return Err(ModelError {
                kind: ModelErrorKind::Malformed,
                status: 500,
                exception: "InternalServerException".to_owned(),
                message: format!("the answer is larger than {MOST_ANSWER_BYTES} bytes"),
                headers: Vec::new(),
                retry_after_ms: None,
            });
        }
        self.parts.push(part);
        Ok(())
    }

    /// Whether the answer ended early because less was allowed than its caller does. A model that does not say so has
    /// used up what was allowed.
    fn is_cut_short(&self) -> bool {
        let used_up = || self.usage.is_some_and(|usage| usage.output >= self.max_output);
        self.is_right_sized && (self.reached_most || used_up())
    }

    fn tell(&mut self) {
        if self.told == 0 {
            self.live.publish(self.id, Update::Head(Arc::clone(&self.head)));
        }
        for frame in &self.parts[self.told..] {
            self.live.publish(self.id, Update::Frame(frame.clone()));
        }
        self.told = self.parts.len();
    }

    fn failed(self, error: ModelError) -> Attempt {
        Attempt::Failed {
            error,
            usage: self.usage,
            accepted: self.accepted,
        }
    }

    fn whole(self) -> Answer {
        let cut_short = self.is_cut_short();
        let body = match self.parts.as_slice() {
            [only] => only.clone(),
            parts => {
                let mut all = BytesMut::with_capacity(self.bytes);
                parts.iter().for_each(|part| all.extend_from_slice(part));
                all.freeze()
            }
        };
        let head = Arc::unwrap_or_clone(self.head);
        Answer {
            head,
            body,
            usage: self.usage,
            first_output_at: self.first_output_at,
            cut_short,
        }
    }
}

fn stalled(why: String) -> ModelError {
    ModelError {
        kind: ModelErrorKind::Stalled,
        status: 408,
        exception: "ModelTimeoutException".to_owned(),
        message: why,
        headers: Vec::new(),
        retry_after_ms: None,
    }
}
