//! One model call, from its body to its answer.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};

use super::generation::{Generation, Manner};
use super::reply::{self, Cut, Reply, Tear};
use super::ticket::{Pace, Ticket};
use super::{RequestIds, Shared};
use crate::answer::{Answer, Timing};
use crate::clock::Micros;
use crate::error::SimError;
use crate::fault::Fault;
use crate::mark::Mark;
use crate::quota::cost::Usage;
use crate::region;
use crate::request::{Operation, Plan, count_tokens, quota_name};
use crate::script::Slow;
use crate::settings::Latency;
use crate::state::Caller;
use crate::stats::End;

const LATENCY: HeaderName = HeaderName::from_static("x-amzn-bedrock-invocation-latency");
const INPUT: HeaderName = HeaderName::from_static("x-amzn-bedrock-input-token-count");
const OUTPUT: HeaderName = HeaderName::from_static("x-amzn-bedrock-output-token-count");
const CACHE_READ: HeaderName = HeaderName::from_static("x-amzn-bedrock-cache-read-input-token-count");
const CACHE_WRITE: HeaderName = HeaderName::from_static("x-amzn-bedrock-cache-write-input-token-count");
const ARRIVAL: HeaderName = HeaderName::from_static("x-amzn-bedrock-sim-arrival-us");
const INNER_TYPE: HeaderName = HeaderName::from_static("x-amzn-bedrock-content-type");

/// Answers `POST /model/{model}/{operation}`.
pub(super) async fn answer(
    shared: Arc<Shared>,
    operation: Operation,
    model: String,
    headers: &HeaderMap,
    body: Result<Bytes, SimError>,
) -> Result<Response<Reply>, Cut> {
    let nonce = shared.ids.next();
    let settings = shared.state().settings();
    let region = region::signed_for(headers).unwrap_or(&settings.default_region);
    let caller = caller(&shared, nonce, operation, (model, region), headers);
    let name = quota_name(&caller.model);
    if operation == Operation::CountTokens {
        let counted = body.and_then(|body| count_tokens(&caller.model, name, &body, &settings));
        return Ok(match counted {
            Ok(tokens) => {
                let json = serde_json::json!({ "inputTokens": tokens }).to_string();
                reply::json(StatusCode::OK, Some(&caller.request_id), json)
            }
            Err(error) => reply::error(&caller.request_id, &error),
        });
    }
    let plan = match body.and_then(|body| Plan::read(operation, &caller.model, name, &body, &settings)) {
        Ok(plan) => plan,
        Err(error) => {
            shared.state().invalid(&caller, &error);
            return Ok(reply::error(&caller.request_id, &error));
        }
    };
    let now = shared.clock.now();
    let opened = shared.state().open(now, &caller, &plan);
    let call = match opened {
        Ok(call) => call,
        Err(error) => return Ok(reply::error(&caller.request_id, &error)),
    };
    let pace = pace(now, &settings.latency, &plan.mark, call.slow);
    let (fault, at) = (call.fault, plan.mark.at);
    let stamp = settings
        .stamp_arrival
        .then(|| shared.clock.unix_micros(caller.arrival));
    let ticket = Ticket::new(shared, call, plan.usage, pace);
    let admitted = Admitted {
        operation,
        caller,
        nonce,
        pace,
        fault,
        at,
        stamp,
        ticket,
    };
    admitted.generate(plan, settings.latency.tokens_per_event).await
}

fn caller(
    shared: &Shared,
    nonce: u64,
    operation: Operation,
    (model, region): (String, &str),
    headers: &HeaderMap,
) -> Caller {
    let header = |name: &str| {
        headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .map(str::to_owned)
    };
    Caller {
        request_id: RequestIds::uuid(nonce),
        operation: operation.name(),
        model,
        region: region.to_owned(),
        invocation_id: header("amz-sdk-invocation-id"),
        sdk_request: header("amz-sdk-request"),
        arrival: shared.clock.now(),
    }
}

fn pace(now: Micros, latency: &Latency, mark: &Mark, slow: Slow) -> Pace {
    let base = mark.latency_ms.unwrap_or(latency.base_ms) * slow.factor + slow.start_ms;
    let base = Micros::from_millis_f64(base);
    let step = mark.token_ms.unwrap_or(latency.per_token_ms) * slow.factor + slow.token_ms;
    // Nanoseconds of milliseconds are microseconds of a thousand times as many.
    let step_nanos = Micros::from_millis_f64(step * 1_000.0).0;
    Pace {
        first: now + base,
        step_nanos,
    }
}

/// A call that holds its quota.
struct Admitted {
    operation: Operation,
    caller: Caller,
    nonce: u64,
    pace: Pace,
    fault: Option<Fault>,
    at: Option<u64>,
    /// When the call came, if its answer says so.
    stamp: Option<u64>,
    ticket: Ticket,
}

impl Admitted {
    async fn generate(mut self, plan: Plan, tokens_per_event: u32) -> Result<Response<Reply>, Cut> {
        if self.fault == Some(Fault::Hang) {
            self.ticket.sent(0);
            return std::future::pending().await;
        }
        if let Some(error) = self.failure() {
            self.ticket.sent(0);
            self.ticket.wait_until(self.pace.first).await;
            self.ticket.close(End::Failed, 0, Some(&error));
            return Ok(reply::error(&self.caller.request_id, &error));
        }
        if self.operation.streams() {
            return Ok(self.stream(plan, tokens_per_event).await);
        }
        self.whole(plan).await
    }

    /// The error that this call is answered with.
    fn failure(&self) -> Option<SimError> {
        match self.fault? {
            Fault::Fail(failure) => Some(failure.error()),
            Fault::Raise(failure) if !self.operation.streams() => Some(failure.error()),
            _ => None,
        }
    }

    /// The head of a stream is sent with its first token, as Bedrock does.
    async fn stream(self, plan: Plan, tokens_per_event: u32) -> Response<Reply> {
        self.ticket.wait_until(self.pace.first).await;
        let Self {
            operation,
            caller,
            nonce,
            pace,
            fault,
            at,
            stamp,
            ticket,
        } = self;
        let answer = Answer::new(plan, caller.model, nonce);
        let arrival = caller.arrival;
        let manner = Manner {
            nonce,
            pace,
            arrival,
            tokens_per_event,
            fault,
            at,
        };
        let generation = Generation::new(answer, ticket, manner);
        let mut response = reply::stream(&caller.request_id, generation);
        if let Some(micros) = stamp {
            response.headers_mut().insert(ARRIVAL, HeaderValue::from(micros));
        }
        if operation == Operation::InvokeStream {
            response
                .headers_mut()
                .insert(INNER_TYPE, HeaderValue::from_static("application/json"));
        }
        response
    }

    async fn whole(mut self, plan: Plan) -> Result<Response<Reply>, Cut> {
        let usage = plan.usage;
        let answer = Answer::new(plan, std::mem::take(&mut self.caller.model), self.nonce);
        if self.fault == Some(Fault::CutBefore) {
            self.ticket.wait_until(self.pace.first).await;
            self.ticket.close(End::Cut, 0, None);
            return Err(Cut);
        }
        self.ticket.wait_until(self.pace.complete(usage.output)).await;
        let timing = self.timing();
        let body = Bytes::from(answer.whole(timing));
        let mut response = reply::json(StatusCode::OK, Some(&self.caller.request_id), body.clone());
        if !self.operation.is_converse() {
            invoke_headers(response.headers_mut(), usage, timing);
        }
        match self.fault {
            Some(Fault::CutAfter) => {
                self.ticket.close(End::Cut, usage.output, None);
                Ok(reply::tear(response, &body, Tear::Cut(reply::flush_pause())))
            }
            Some(Fault::Garble(_)) => {
                self.ticket.close(End::Failed, usage.output, None);
                *response.body_mut() = reply::whole(body.slice(..body.len() / 2));
                Ok(response)
            }
            Some(Fault::HangAfter) => Ok(reply::tear(
                response,
                &body,
                Tear::Hang {
                    _ticket: Box::new(self.ticket),
                },
            )),
            _ => {
                self.ticket.close(End::Answered, usage.output, None);
                Ok(response)
            }
        }
    }

    fn timing(&self) -> Timing {
        let since_arrival = |at: Micros| at.since(self.caller.arrival).millis();
        Timing {
            first_byte: since_arrival(self.pace.first),
            whole: since_arrival(self.ticket.now()),
        }
    }
}

fn invoke_headers(headers: &mut HeaderMap, usage: Usage, timing: Timing) {
    headers.insert(LATENCY, HeaderValue::from(timing.whole));
    headers.insert(INPUT, HeaderValue::from(usage.input));
    headers.insert(OUTPUT, HeaderValue::from(usage.output));
    if usage.cache_read + usage.cache_write > 0 {
        headers.insert(CACHE_READ, HeaderValue::from(usage.cache_read));
        headers.insert(CACHE_WRITE, HeaderValue::from(usage.cache_write));
    }
}
