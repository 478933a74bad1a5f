//! The upstream: answers, fails, and enforces its quotas by limiters that share nothing with the house.

use super::judge::Judge;
use super::weather::Weather;
use aws_smithy_eventstream::frame::write_message_to;
use aws_smithy_types::event_stream::{Header, HeaderValue, Message};
use bedrock_sim::quota::{Admission, Quota, Refusal};
use bedrock_sim::{LimiterKind, Micros, QuotaSettings};
use bytes::Bytes;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use smoother_core::config::{Config, Pacing};
use smoother_core::{
    CallNo, LaneId, ModelCall, ModelError, ModelErrorKind, ModelEvent, ModelHead, RequestId, ThrottleCause,
    Timestamp, Tokens, Usage,
};
use smoother_tests::memory::{Script, Step, World};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// What every prompt of a run has, in tokens: prompts are all as long.
const INPUT: u64 = 60;

/// What a right-sized call allows as a rule: no caller asks for it.
pub const SIZED: u64 = 128;

/// All that is upstream of the lanes. Clones are the same.
#[derive(Clone)]
pub struct Upstream {
    sides: Arc<Mutex<BTreeMap<LaneId, Side>>>,
    world: World,
    judge: Judge,
    began: Timestamp,
    weather: Weather,
}

struct Side {
    quota: Quota,
    burndown: u64,
    number: usize,
    open: BTreeMap<(RequestId, CallNo), Admission>,
    calm: bool,
}

impl Upstream {
    pub fn new(world: &World, judge: &Judge, config: &Config, weather: Weather, seed: u64) -> Self {
        let mut chance = StdRng::seed_from_u64(seed ^ 0x0b57_2ea1);
        let sides = config.lanes.values().enumerate().map(|(number, lane)| {
            let limiter = match lane.pacing {
                Pacing::Window => LimiterKind::Sliding,
                _ => {
                    [LimiterKind::Bucket, LimiterKind::Fixed, LimiterKind::Sliding][chance.random_range(0..3)]
                }
            };
            let settings = QuotaSettings {
                tokens_per_minute: Some(lane.tokens_per_minute.get()),
                requests_per_minute: lane.requests_per_minute.map(|limit| limit.get()),
                max_concurrency: Some(lane.max_concurrency),
                limiter,
                bucket_seconds: [10.0, 60.0][chance.random_range(0..2)],
                // The minutes of the wall clock, as the house reads it.
                window_phase_ms: world.now().as_millis() % 60_000,
                oversize: bedrock_sim::Oversize::WhenFull,
                ..QuotaSettings::default()
            };
            let side = Side {
                quota: Quota::new(Micros::ZERO, &settings, 0.0),
                burndown: lane.output_burndown,
                number,
                open: BTreeMap::new(),
                calm: false,
            };
            (lane.id.clone(), side)
        });
        Self {
            sides: Arc::new(Mutex::new(sides.collect())),
            world: world.clone(),
            judge: judge.clone(),
            began: world.now(),
            weather,
        }
    }

    /// From now on it only enforces its quotas.
    pub fn calm(&self) {
        self.sides().values_mut().for_each(|side| side.calm = true);
    }

    /// What it does with a call that has reached it.
    pub fn answer(&self, call: &ModelCall, chance: &mut StdRng) -> Script {
        let asked = max_tokens(&call.body);
        let elapsed = self.world.now().since(self.began);
        let now = Micros::from_millis(elapsed.get());
        let mut sides = self.sides();
        let Some(side) = sides.get_mut(&call.lane) else {
            return Script::Silence;
        };
        let trip = Duration::from_millis(chance.random_range(1..30));
        let weather = if side.calm {
            Weather::default()
        } else {
            self.weather
        };
        let lot = chance.random_range(0..1_000);
        if lot < weather.odd_throttle {
            let cause = [
                ThrottleCause::Tokens,
                ThrottleCause::Requests,
                ThrottleCause::Capacity,
            ][chance.random_range(0..3)];
            self.judge
                .note("odd", format!("throttle of {} for no reason", call.lane));
            return Script::Refuse(trip, error(ModelErrorKind::Throttled(cause), 429));
        }
        let (lane, from, to) = weather.outage.unwrap_or_default();
        let out = lane == side.number && (from..to).contains(&Duration::from(elapsed));
        if out || lot < weather.odd_throttle + weather.upstream_error {
            return Script::Refuse(trip, some_error(chance, out));
        }
        // Estimates of the input are some tokens off, which is told by the settlement: of what was reserved no call is
        // to be refused.
        let reserved = self.judge.reserved(call).unwrap_or(u64::MAX);
        match side.quota.admit(now, reserved.min(INPUT + asked)) {
            Ok(admission) => drop(side.open.insert((call.request, call.number), admission)),
            Err(refusal) => {
                drop(sides);
                self.judge.throttled(call, refusal);
                let cause = match refusal {
                    Refusal::Day => ThrottleCause::Day,
                    Refusal::Requests => ThrottleCause::Requests,
                    Refusal::Tokens => ThrottleCause::Tokens,
                    Refusal::Concurrency => ThrottleCause::Capacity,
                };
                return Script::Refuse(trip, error(ModelErrorKind::Throttled(cause), 429));
            }
        }
        // Never more than what was reserved, counted as the settlement counts it.
        let output = chance.random_range(1..=(asked / side.burndown).max(1));
        let cut = asked == SIZED && chance.random_bool(0.4);
        if cut {
            self.judge.cut_short(call);
        }
        accepted(call, (output, cut), &weather, trip, chance)
    }

    /// A call is over upstream: by its whole answer it has cost what it used, refused nothing, and broken all.
    pub fn over(&self, call: (RequestId, CallNo), lane: &LaneId, usage: Option<Usage>) {
        let now = Micros::from_millis(self.world.now().since(self.began).get());
        let mut sides = self.sides();
        let Some(side) = sides.get_mut(lane) else { return };
        let Some(admission) = side.open.remove(&call) else {
            return;
        };
        let cost = usage.map_or(admission.reserved(), |usage| {
            usage.input.get() + usage.output.get() * side.burndown
        });
        side.quota.settle(now, admission, cost);
    }

    fn sides(&self) -> MutexGuard<'_, BTreeMap<LaneId, Side>> {
        self.sides.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn accepted(
    call: &ModelCall,
    (output, cut): (u64, bool),
    weather: &Weather,
    trip: Duration,
    chance: &mut StdRng,
) -> Script {
    let slow = if chance.random_range(0..1_000) < weather.slow {
        12
    } else {
        1
    };
    let piece = Duration::from_millis(chance.random_range(5..200)) * slow;
    let mut steps = if call.operation.streams() {
        frames(call, piece)
    } else {
        let body = format!("{{\"answer\":\"{} call {}\"}}", call.request, call.number);
        vec![
            Step::Wait(piece * 4),
            Step::Say(ModelEvent::Body(Bytes::from(body))),
        ]
    };
    if cut {
        steps.push(Step::Say(ModelEvent::CutShort));
    }
    let usage = Usage {
        input: Tokens::new(INPUT),
        output: Tokens::new(output),
        ..Usage::default()
    };
    steps.push(Step::Say(ModelEvent::Usage(usage)));
    if chance.random_range(0..1_000) < weather.cut {
        steps.truncate(chance.random_range(0..steps.len()));
        steps.push(if chance.random() {
            Step::Hang
        } else {
            Step::Break(error(ModelErrorKind::Cut, 503))
        });
    }
    let head = ModelHead {
        content_type: String::new(),
        headers: vec![(
            "x-amzn-requestid".to_owned(),
            format!("{}-{}", call.request, call.number),
        )],
    };
    Script::Accept(trip, head, steps)
}

fn frames(call: &ModelCall, piece: Duration) -> Vec<Step> {
    let mut steps = Vec::new();
    for (kind, output) in [
        ("messageStart", false),
        ("contentBlockDelta", true),
        ("contentBlockDelta", true),
        ("messageStop", false),
        ("metadata", false),
    ] {
        let payload = format!(
            "{{\"of\":\"{} call {}\",\"is\":{}}}",
            call.request,
            call.number,
            steps.len() / 2
        );
        let bytes = frame(kind, payload);
        steps.push(Step::Wait(piece));
        steps.push(Step::Say(ModelEvent::Frame { bytes, output }));
    }
    steps
}

fn frame(kind: &'static str, payload: String) -> Bytes {
    let text = |name: &'static str, value: &'static str| Header::new(name, HeaderValue::String(value.into()));
    let message = Message::new(Bytes::from(payload))
        .add_header(text(":event-type", kind))
        .add_header(text(":message-type", "event"));
    let mut bytes = Vec::new();
    write_message_to(&message, &mut bytes).expect("a small message can be written");
    Bytes::from(bytes)
}

/// The output that a call allows.
pub fn max_tokens(body: &[u8]) -> u64 {
    let body: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
    let said = [&body["inferenceConfig"]["maxTokens"], &body["max_tokens"]];
    said.into_iter()
        .find_map(serde_json::Value::as_u64)
        .unwrap_or(4_096)
}

fn some_error(chance: &mut StdRng, out: bool) -> ModelError {
    use ModelErrorKind as Kind;
    let kinds = [
        (Kind::Internal, 500),
        (Kind::ModelTimeout, 408),
        (Kind::ModelFailed, 424),
        (Kind::Unavailable, 503),
        (Kind::NotReady, 429),
        (Kind::AccessDenied, 403),
        (Kind::Validation, 400),
    ];
    let (kind, status) = kinds[chance.random_range(0..if out { 3 } else { kinds.len() })];
    error(kind, status)
}

fn error(kind: ModelErrorKind, status: u16) -> ModelError {
    ModelError {
        kind,
        status,
        exception: format!("{kind:?}Exception"),
        message: "as the simulation has it".to_owned(),
        headers: Vec::new(),
        retry_after_ms: None,
    }
}
