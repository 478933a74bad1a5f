//! From an accepted call's unread body to the events the pipeline works with.

use crate::errors;
use crate::frames::{Frame, Splitter};
use crate::send::read;
use crate::stop::is_cut_short;
use crate::usage::{self, Counts};
use crate::wire::RawAnswer;
use aws_smithy_types::body::SdkBody;
use futures_util::{StreamExt, stream};
use http_body_util::BodyExt;
use smoother_core::model::{ModelError, ModelEvent, ModelEvents, ModelHead, ModelStream, Operation};

/// The answer as events; nothing of the body is read before the first is asked for, and dropping the events
/// closes the connection (HTTP/1.1) or resets the stream (HTTP/2) if the answer was not at its end.
pub(crate) fn stream(answer: RawAnswer, operation: Operation, most: usize) -> ModelStream {
    let head = answer.head.clone();
    let events = if operation.streams() {
        frames(answer, operation)
    } else {
        whole(answer, operation, most)
    };
    ModelStream { head, events }
}

fn whole(answer: RawAnswer, operation: Operation, most: usize) -> ModelEvents {
    let events = async move {
        let body = match read(answer.body, most).await {
            Ok(body) => body,
            Err(error) => return vec![Err(error)],
        };
        let from_headers = if operation.is_converse() {
            None
        } else {
            usage::in_headers(&answer.head).usage()
        };
        let usage = from_headers.or_else(|| usage::in_json(&body).usage());
        let cut = is_cut_short(&body).then_some(Ok(ModelEvent::CutShort));
        let mut events = vec![Ok(ModelEvent::Body(body))];
        events.extend(cut);
        events.extend(usage.map(|usage| Ok(ModelEvent::Usage(usage))));
        events
    };
    Box::pin(stream::once(events).flat_map(stream::iter))
}

fn frames(answer: RawAnswer, operation: Operation) -> ModelEvents {
    let reader = Reader {
        body: answer.body,
        head: answer.head,
        operation,
        splitter: Splitter::default(),
        counts: Counts::default(),
        begun: false,
        marked: operation.is_converse(),
        stopped: false,
        cut_short: false,
        over: false,
    };
    Box::pin(stream::unfold(reader, |mut reader| async move {
        let event = reader.next().await?;
        Some((event, reader))
    }))
}

/// Reads one event stream.
struct Reader {
    body: SdkBody,
    head: ModelHead,
    operation: Operation,
    splitter: Splitter,
    counts: Counts,
    begun: bool,
    /// Whether the answer's end will be marked: Converse's always, InvokeModel's where its beginning was.
    marked: bool,
    stopped: bool,
    /// It ended at max_tokens, and nobody was told yet.
    cut_short: bool,
    over: bool,
}

impl Reader {
    async fn next(&mut self) -> Option<Result<ModelEvent, ModelError>> {
        while !self.over {
            match self.splitter.next() {
                Err(error) => return Some(self.fail(error)),
                Ok(Some(frame)) => return Some(self.event(frame)),
                Ok(None) => {}
            }
            match self.body.frame().await {
                Some(Ok(part)) => {
                    if let Some(data) = part.data_ref() {
                        self.splitter.push(data);
                    }
                }
                Some(Err(error)) => return Some(self.fail(errors::cut(&*error))),
                None => return self.end(),
            }
        }
        None
    }

    fn event(&mut self, frame: Frame) -> Result<ModelEvent, ModelError> {
        match frame.meaning(self.operation, &self.head.headers) {
            Ok(meaning) => {
                self.begun = true;
                self.marked |= meaning.begin;
                self.stopped |= meaning.stop;
                self.cut_short |= meaning.cut_short;
                self.counts.absorb(meaning.counts);
                Ok(ModelEvent::Frame {
                    bytes: frame.bytes,
                    output: meaning.output,
                })
            }
            Err(error) => self.fail(error),
        }
    }

    /// The body is over: was the answer?
    fn end(&mut self) -> Option<Result<ModelEvent, ModelError>> {
        if !self.splitter.is_empty() {
            return Some(self.fail(errors::ended_early("in the middle of a message")));
        }
        if !self.begun {
            return Some(self.fail(errors::ended_early("before its first message")));
        }
        if self.marked && !self.stopped {
            return Some(self.fail(errors::ended_early("without the end of its message")));
        }
        if std::mem::take(&mut self.cut_short) {
            return Some(Ok(ModelEvent::CutShort));
        }
        self.over = true;
        self.counts.usage().map(|usage| Ok(ModelEvent::Usage(usage)))
    }

    fn fail(&mut self, error: ModelError) -> Result<ModelEvent, ModelError> {
        self.over = true;
        // Whatever else would come is of no use: the connection need not be read to its end.
        self.body = SdkBody::empty();
        Err(error)
    }
}
