//! The way upstream.

use super::Rig;
use crate::broken::Broken;
use crate::judge::short;
use crate::upstream::Upstream;
use futures_util::StreamExt;
use futures_util::stream::unfold;
use smoother_core::model::ModelEvents;
use smoother_core::ports::{BoxFuture, Model};
use smoother_core::{CallNo, LaneId, ModelCall, ModelError, ModelEvent, ModelStream, RequestId, Usage};
use smoother_tests::memory::MemoryModel;
use std::panic::resume_unwind;

/// One worker's way upstream; its calls end with its life.
pub struct RigModel {
    pub rig: Rig,
    pub model: MemoryModel,
    pub upstream: Upstream,
}

impl Model for RigModel {
    fn call(&self, call: ModelCall) -> BoxFuture<'_, Result<ModelStream, ModelError>> {
        Box::pin(async move {
            let life = &self.rig.life;
            life.may_go_on().await;
            self.rig.judge.sent(&call);
            let open = OpenCall {
                upstream: self.upstream.clone(),
                key: (call.request, call.number),
                lane: call.lane.clone(),
                usage: None,
                deaf: self.rig.mischief.is(Broken::CutShortUnheard),
            };
            let answer = async {
                let request = call.request;
                let answer = self.model.call(call).await?;
                if self.rig.mischief.strikes(|weather| weather.broken_off) {
                    self.rig
                        .judge
                        .note("broke", format!("off the runner of {}", short(request)));
                    // A panic without its words on the screen.
                    resume_unwind(Box::new("as the weather has it"));
                }
                Ok(ModelStream {
                    head: answer.head,
                    events: Box::pin(unfold((answer.events, open, life.clone()), next)),
                })
            };
            life.of(answer).await
        })
    }
}

type Playing = (ModelEvents, OpenCall, crate::life::Life);

async fn next((mut events, mut open, life): Playing) -> Option<(Result<ModelEvent, ModelError>, Playing)> {
    let next = async move {
        let mut event = events.next().await?;
        if open.deaf && matches!(event, Ok(ModelEvent::CutShort)) {
            event = events.next().await?;
        }
        if let Ok(ModelEvent::Usage(usage)) = &event {
            open.usage = Some(*usage);
        }
        Some((event, events, open))
    };
    let (event, events, open) = life.of(next).await?;
    Some((event, (events, open, life)))
}

/// A call that is under way, until it is dropped.
struct OpenCall {
    upstream: Upstream,
    key: (RequestId, CallNo),
    lane: LaneId,
    usage: Option<Usage>,
    deaf: bool,
}

impl Drop for OpenCall {
    fn drop(&mut self) {
        self.upstream.over(self.key, &self.lane, self.usage);
    }
}
