//! A caller waiting on the connection for the first word of its answer.

use crate::ingest::Ingest;
use crate::patience::Patience;
use crate::presence::Presence;
use crate::refusal::Refusal;
use bytes::Bytes;
use smoother_core::ports::{Ended, Inserted, Pending, StoreError, Update};
use smoother_core::{CallNo, Millis, ModelHead, Request, State};
use std::fmt;
use std::future::pending;
use std::sync::Arc;

/// The outcome of an insert, once it is durable.
type Stored = Pending<Result<Inserted, StoreError>>;

/// What a waiting caller is told first.
#[derive(Debug)]
pub(crate) enum Word {
    /// The first frame of a stream; more follow on the line's [`Presence`].
    Frame(Bytes),
    /// The end, durable.
    Ended(Arc<Ended>),
    /// It had ended before this attempt came.
    Over(Box<Request>),
    /// The caller's limit passed; the request goes on.
    Limit,
}

/// One caller's line to its request.
pub(crate) struct Line {
    ingest: Arc<Ingest>,
    pub(crate) request: Request,
    pub(crate) presence: Presence,
    stored: Option<Stored>,
    pub(crate) patience: Patience,
    /// The limit on its own time that it was expected to miss when it came.
    pub(crate) will_miss: Option<&'static str>,
    pub(crate) head: Arc<ModelHead>,
    pub(crate) call: CallNo,
    pub(crate) queued_for: Millis,
    /// Whether a call is, or may be, under way.
    pub(crate) running: bool,
}

impl fmt::Debug for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Line")
            .field("request", &self.request.id)
            .finish_non_exhaustive()
    }
}

impl Line {
    pub(crate) fn new(
        ingest: &Arc<Ingest>,
        request: Request,
        presence: Presence,
        stored: Option<Stored>,
        patience: Patience,
    ) -> Self {
        Self {
            ingest: Arc::clone(ingest),
            presence,
            stored,
            patience,
            will_miss: None,
            head: Arc::default(),
            call: request.call,
            queued_for: request.queued_for().unwrap_or_default(),
            running: matches!(request.state, State::Released | State::Running),
            request,
        }
    }

    /// Waits for the first frame where the operation streams, else for the end.
    pub(crate) async fn first_word(&mut self) -> Result<Word, Refusal> {
        let limit = tokio::time::sleep(self.patience.lasts.into());
        tokio::pin!(limit);
        let ingest = Arc::clone(&self.ingest);
        let draining = ingest.draining.cancelled();
        tokio::pin!(draining);
        loop {
            let happened = tokio::select! {
                biased;
                stored = outcome(&mut self.stored) => self.stored(stored).await?,
                update = self.presence.next() => self.update(update)?,
                () = &mut draining, if !self.running => {
                    self.presence.over();
                    // Queued, it is the next process's, who waits for the caller's next attempt. Where none can
                    // come it would be called for nobody.
                    if self.presence.is_the_only_use() {
                        ingest.abandon(self.request.id).await;
                    }
                    return Err(Refusal::Stopping);
                }
                () = &mut limit => Some(Word::Limit),
            };
            if let Some(word) = happened {
                return Ok(word);
            }
        }
    }

    async fn stored(&mut self, outcome: Result<Inserted, StoreError>) -> Result<Option<Word>, Refusal> {
        match outcome {
            Ok(Inserted::Fresh) => {
                self.ingest.settings().meters.accepted(&self.request);
                Ok(None)
            }
            Ok(Inserted::Same(row)) => {
                self.ingest.joined(&row);
                self.request = *row;
                if !self.request.state.is_terminal() {
                    return Ok(None);
                }
                self.presence.over();
                Ok(Some(Word::Over(Box::new(self.request.clone()))))
            }
            Ok(Inserted::Conflict) => {
                self.presence.over();
                Err(Refusal::Conflict(self.request.id))
            }
            Err(error) => {
                self.presence.over();
                self.ingest.withdraw(&self.request).await;
                Err(error.into())
            }
        }
    }

    fn update(&mut self, update: Option<Update>) -> Result<Option<Word>, Refusal> {
        match update {
            Some(Update::Call(call)) => {
                // A reader who joined a call under way knows its start from the row.
                if self.call != call || self.request.started_at.is_none() {
                    self.queued_for = self.ingest.ports.clock.now().since(self.request.arrived_at);
                }
                self.call = call;
                self.running = true;
            }
            Some(Update::State(state)) => self.running = matches!(state, State::Released | State::Running),
            Some(Update::Head(head)) => self.head = head,
            Some(Update::Frame(frame)) if self.request.operation.streams() => {
                return Ok(Some(Word::Frame(frame)));
            }
            Some(Update::Frame(_)) => {}
            Some(Update::Ended(ended)) => return Ok(Some(Word::Ended(ended))),
            // Nothing is promised: the next attempt reads what the store says then.
            Some(Update::NotStored(error)) => return Err(error.into()),
            None => return Err(Refusal::Stopping),
        }
        Ok(None)
    }
}

/// The insert's outcome, once; then nothing.
async fn outcome(stored: &mut Option<Stored>) -> Result<Inserted, StoreError> {
    let outcome = match stored.as_mut() {
        Some(stored) => stored.await,
        None => pending().await,
    };
    *stored = None;
    outcome
}
