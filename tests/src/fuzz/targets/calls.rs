//! What comes from upstream, through everything that has to bear it: the adapter reads an answer off a socket, and
//! the worker, its verdicts, the lanes and the doors live with what it made of that, in virtual time.
//!
//! An input is a sequence of answers as texts ([`Reply`]), with the line `=====` between two. The first names the
//! operation. What must hold is in [`trial`].

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt;
use memchr::memmem;
use rand::Rng;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use smoother_core::model::ModelStream;
use smoother_core::ports::BoxFuture;
use smoother_core::{ModelError, ModelErrorKind};

use crate::fuzz::mutate::reply;
use crate::fuzz::trial::{self, Plan};
use crate::fuzz::upstream::{Adapter, Reply};
use crate::fuzz::{Fault, Kind, Target, Verdict};
use crate::memory::{Script, Step};

/// Between two answers.
const BETWEEN: &[u8] = b"\n=====\n";
/// Answers of one input: more than a request has tries in both its lanes.
const MOST: usize = 12;
/// Nothing holds this server up.
const PATIENCE: Duration = Duration::from_secs(15);
/// How long a refusal takes.
const TRIP: Duration = Duration::from_millis(10);

/// The target.
#[derive(Debug)]
pub struct Calls {
    adapter: Arc<Adapter>,
    plan: Option<Plan>,
}

impl Calls {
    /// Starts the server on the loopback and connects the adapter to it.
    ///
    /// # Errors
    /// The port or the adapter cannot be opened.
    pub async fn open() -> anyhow::Result<Self> {
        Ok(Self {
            adapter: Arc::new(Adapter::open().await?),
            plan: None,
        })
    }

    /// The same with a house in which something goes wrong by itself, which has to be found.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub async fn with(plan: Plan) -> anyhow::Result<Self> {
        Ok(Self {
            plan: Some(plan),
            ..Self::open().await?
        })
    }
}

impl Target for Calls {
    fn name(&self) -> &'static str {
        "calls"
    }

    fn mutate(&self, chance: &mut StdRng, input: &mut Vec<u8>, other: &[u8]) {
        let (mut answers, theirs) = (split(input), split(other));
        let at = chance.random_range(0..answers.len());
        let another = theirs.choose(chance).cloned().unwrap_or_default();
        match chance.random_range(0..10) {
            0 if answers.len() > 1 => drop(answers.remove(at)),
            1 => answers.insert(at, another),
            2 => answers.insert(at, answers[at].clone()),
            _ => reply::mutate(chance, &mut answers[at], &another),
        }
        *input = answers.join(BETWEEN);
    }

    fn feed(&self, input: Bytes) -> BoxFuture<'static, Result<Verdict, Fault>> {
        let (adapter, plan) = (Arc::clone(&self.adapter), self.plan);
        Box::pin(async move {
            let replies: Vec<Reply> = split(&input)
                .iter()
                .filter_map(|text| Reply::of(text))
                .take(MOST)
                .collect();
            let Some(operation) = replies.first().map(|reply| reply.operation) else {
                return Ok(Verdict::Skipped);
            };
            let mut answers = Vec::new();
            for reply in replies {
                answers.push(overheard(&adapter, &reply.to(operation)).await?);
            }
            let done = tokio::task::spawn_blocking(move || trial::run(operation, answers, plan)).await;
            done.map_err(|error| Fault::new(Kind::Panic, error))?
        })
    }
}

fn split(input: &[u8]) -> Vec<Vec<u8>> {
    let mut parts = Vec::new();
    let mut rest = input;
    while let Some(at) = memmem::find(rest, BETWEEN) {
        parts.push(rest[..at].to_vec());
        rest = &rest[at + BETWEEN.len()..];
    }
    parts.push(rest.to_vec());
    parts
}

/// What the adapter makes of an answer, to be given to the worker in its own time.
async fn overheard(adapter: &Adapter, reply: &Reply) -> Result<Script, Fault> {
    let heard = async {
        match adapter.call(reply).await {
            Ok(stream) => accepted(stream, reply.hangs).await,
            Err(error) if hangs(&error, reply.hangs) => Script::Silence,
            Err(error) => Script::Refuse(TRIP, error),
        }
    };
    let heard = tokio::time::timeout(PATIENCE, heard).await;
    heard.map_err(|_| Fault::new(Kind::Hang, "the answer is not read to its end"))
}

async fn accepted(mut stream: ModelStream, hanging: bool) -> Script {
    let mut steps = Vec::new();
    while let Some(event) = stream.events.next().await {
        match event {
            Ok(event) => steps.extend(trial::paced([event])),
            Err(error) if hangs(&error, hanging) => steps.push(Step::Hang),
            Err(error) => steps.push(Step::Break(error)),
        }
    }
    Script::Accept(TRIP, stream.head, steps)
}

/// A connection that would stay open is cut on the socket: nobody waits for it there.
fn hangs(error: &ModelError, hanging: bool) -> bool {
    hanging && error.kind == ModelErrorKind::Cut
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_input_is_its_answers() {
        let input = b"invoke\n200\n\n{}\n=====\ninvoke\n500\n\n";
        let parts = split(input);
        assert_eq!(parts.len(), 2);
        assert_eq!(parts.join(BETWEEN), input);
        assert_eq!(split(b""), [b""]);
    }
}
