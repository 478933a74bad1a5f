//! Every HTTP door, from the first byte of a request to the last of its answer.
//!
//! An input is a request as a text, `POST /path\nname: value\n\nbody`.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Uri};
use http_body_util::BodyExt;
use rand::Rng;
use rand::rngs::StdRng;
use serde_json::Value;
use serde_json::value::RawValue;
use smoother_core::ports::{BoxFuture, PayloadKind, Payloads, Store};
use smoother_core::{Operation, RequestId};
use tower::ServiceExt;

use crate::fuzz::house::{self, House};
use crate::fuzz::mutate::http::{self as text, Parts};
use crate::fuzz::mutate::raw;
use crate::fuzz::{Fault, Kind, Target, Verdict, words};

/// An answer is over in less; a long poll of an open job is cut to this.
const PATIENCE: Duration = Duration::from_secs(15);

/// The target.
#[derive(Debug, Clone)]
pub struct Doors {
    house: Arc<House>,
}

impl Doors {
    /// The doors of a fresh house.
    ///
    /// # Errors
    /// It cannot be built.
    pub async fn open() -> anyhow::Result<Self> {
        Ok(Self {
            house: Arc::new(House::build().await?),
        })
    }
}

impl Target for Doors {
    fn name(&self) -> &'static str {
        "doors"
    }

    fn mutate(&self, chance: &mut StdRng, input: &mut Vec<u8>, other: &[u8]) {
        if chance.random_bool(0.05) {
            raw::mutate(chance, input, other);
        } else {
            text::mutate(chance, input, other);
        }
    }

    fn feed(&self, input: Bytes) -> BoxFuture<'static, Result<Verdict, Fault>> {
        let house = Arc::clone(&self.house);
        Box::pin(async move {
            let parts = Parts::of(&input);
            let Some(request) = request(&parts) else {
                return Ok(Verdict::Skipped);
            };
            let (method, uri) = (request.method().clone(), request.uri().clone());
            let router = house.router.clone();
            // A door never fails: what goes wrong is an answer.
            let Ok(answer) = router.oneshot(request).await;
            let answer = Answer::read(answer).await?;
            answer.judge(&method, &uri, &input)?;
            if answer.status >= 300 {
                return Ok(Verdict::Refused);
            }
            let path = uri.path();
            if method == Method::POST && path == "/v1/jobs" {
                answer.is_a_job(&house, &parts.body).await?;
            } else if method == Method::POST
                && path.starts_with("/model/")
                && !path.ends_with("/count-tokens")
            {
                answer.is_a_call(&house, path, &parts.body).await?;
            }
            Ok(Verdict::Accepted)
        })
    }
}

/// The request, if it is one that a server's HTTP layer would let through.
pub fn request(parts: &Parts) -> Option<Request<Body>> {
    let line = std::str::from_utf8(&parts.line).ok()?;
    let (method, target) = line.split_once(' ')?;
    let mut request = Request::new(Body::from(parts.body.clone()));
    *request.method_mut() = Method::from_bytes(method.as_bytes()).ok()?;
    let uri: Uri = target.parse().ok()?;
    if !uri.path().starts_with('/') || method == "CONNECT" {
        return None;
    }
    *request.uri_mut() = uri;
    for line in &parts.headers {
        let Some(colon) = line.iter().position(|byte| *byte == b':') else {
            continue;
        };
        let name = HeaderName::from_bytes(&line[..colon]);
        let value = HeaderValue::from_bytes(line[colon + 1..].trim_ascii());
        if let (Ok(name), Ok(value)) = (name, value) {
            request.headers_mut().append(name, value);
        }
    }
    Some(request)
}

/// A whole answer.
#[derive(Debug)]
pub struct Answer {
    /// Its status.
    pub status: u16,
    headers: HeaderMap,
    body: Bytes,
}

impl Answer {
    /// Reads it to its end.
    ///
    /// # Errors
    /// It has none, or breaks.
    pub async fn read(response: Response) -> Result<Self, Fault> {
        let (head, body) = response.into_parts();
        let read = tokio::time::timeout(PATIENCE, body.collect()).await;
        let body = read
            .map_err(|_| Fault::new(Kind::Hang, "the answer's body does not end"))?
            .map_err(|error| Fault::new(Kind::ServerError, format_args!("the answer breaks: {error}")))?;
        Ok(Self {
            status: head.status.as_u16(),
            headers: head.headers,
            body: body.to_bytes(),
        })
    }

    /// The body as JSON; null where it is none.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// Whether its body holds these words.
    pub fn holds(&self, words: &str) -> bool {
        memchr::memmem::find(&self.body, words.as_bytes()).is_some()
    }

    fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    }

    /// What holds for every answer.
    ///
    /// # Errors
    /// What does not.
    pub fn judge(&self, method: &Method, uri: &Uri, input: &[u8]) -> Result<(), Fault> {
        if self.status < 400 || method == Method::HEAD {
            return self.is_no_failure("");
        }
        let shape = |what: &str| {
            let body: String = String::from_utf8_lossy(&self.body).chars().take(200).collect();
            Fault::new(Kind::Shape, format!("{what}: {} {:?}", self.status, body))
        };
        let value: Value =
            serde_json::from_slice(&self.body).map_err(|_| shape("a refusal that is no JSON"))?;
        let kind = self.header("x-amzn-errortype");
        let on_the_wire = ["/model/", "/guardrail/"]
            .iter()
            .any(|door| uri.path().strip_prefix(door).is_some_and(|rest| !rest.is_empty()));
        let message = if on_the_wire {
            let named = kind.ends_with("Exception") && self.header("content-type") == "application/json";
            let message = value["message"].as_str().filter(|_| named);
            message.ok_or_else(|| shape("a refusal not in Bedrock's shape"))?
        } else {
            let typed = self.header("content-type") == "application/problem+json"
                && value["type"]
                    .as_str()
                    .is_some_and(|kind| kind.starts_with("urn:bedrock-smoother:problem:"))
                && value["status"] == self.status
                && value["title"].as_str().is_some_and(|title| !title.is_empty());
            let detail = value["detail"].as_str().filter(|_| typed);
            detail.ok_or_else(|| shape("a refusal that is no problem of RFC 9457"))?
        };
        self.is_no_failure(message)?;
        words::judge(message, input)
    }

    /// A limit that the caller set itself may pass in the middle of a call, which is a 503 that names it.
    fn is_no_failure(&self, message: &str) -> Result<(), Fault> {
        let own = self.status == 503 && message.starts_with("x-smoother-timeout-ms");
        if self.status >= 500 && !own {
            return Err(Fault::new(
                Kind::ServerError,
                format_args!("{}: {message}", self.status),
            ));
        }
        Ok(())
    }

    async fn is_a_job(&self, house: &House, sent: &[u8]) -> Result<(), Fault> {
        let lost = |what: &str| Fault::new(Kind::Lost, what);
        let told: Value =
            serde_json::from_slice(&self.body).map_err(|_| lost("a job's answer is no JSON"))?;
        let id: RequestId = told["id"]
            .as_str()
            .and_then(|id| id.parse().ok())
            .ok_or_else(|| lost("an accepted job has no id"))?;
        stored(house, id, sent, true).await?;
        let status = read_back(house, &format!("/v1/jobs/{id}?wait_ms=10000")).await?;
        if status["status"] != "COMPLETED" && status["status"] != "EXPIRED" {
            return Err(lost(&format!("job {id} did not end well: {status}")));
        }
        if status["status"] == "COMPLETED" {
            went_on(house, id, sent, true).await?;
        }
        Ok(())
    }

    async fn is_a_call(&self, house: &House, path: &str, sent: &[u8]) -> Result<(), Fault> {
        let lost = |what: &str| Fault::new(Kind::Lost, what);
        let id: RequestId = self
            .header("x-smoother-job-id")
            .parse()
            .map_err(|_| lost("an answered call has no job id"))?;
        stored(house, id, sent, false).await?;
        went_on(house, id, sent, false).await?;
        let operation = path.rsplit('/').next().and_then(Operation::parse);
        if operation.map(house::answer_to) != Some(self.body.clone()) {
            return Err(Fault::new(
                Kind::Wrong,
                "the answer is not what the upstream gave",
            ));
        }
        Ok(())
    }
}

/// The row is there, estimated, and its body is the caller's.
async fn stored(house: &House, id: RequestId, sent: &[u8], form: bool) -> Result<(), Fault> {
    let lost = |what: String| Fault::new(Kind::Lost, what);
    let row = house
        .store
        .get(id)
        .await
        .map_err(|error| lost(error.to_string()))?;
    let row = row.ok_or_else(|| lost(format!("{id} was accepted and is not stored")))?;
    if row.estimate.input.get() == 0 || row.estimate.max_output.get() == 0 {
        return Err(lost(format!("{id} is estimated at nothing: {:?}", row.estimate)));
    }
    let kept = house
        .store
        .fetch(id, PayloadKind::Body)
        .await
        .map_err(|error| lost(error.to_string()))?;
    // Once it has ended the body may be gone; while it is there it is the caller's.
    match kept {
        Some(kept) if !is_body(&kept, sent, form) => {
            Err(lost(format!("the body of {id} is stored as another")))
        }
        _ => Ok(()),
    }
}

/// The call went upstream with the caller's body, byte for byte.
async fn went_on(house: &House, id: RequestId, sent: &[u8], form: bool) -> Result<(), Fault> {
    match house.upstream.take(id) {
        // Another case with the same key has looked already.
        None => Ok(()),
        Some(body) if is_body(&body, sent, form) => Ok(()),
        Some(_) => Err(Fault::new(
            Kind::Lost,
            format_args!("the body of {id} went upstream as another"),
        )),
    }
}

fn is_body(kept: &[u8], sent: &[u8], form: bool) -> bool {
    if !form {
        return kept == sent;
    }
    #[derive(serde::Deserialize)]
    struct Form<'a> {
        #[serde(borrow)]
        body: Option<&'a RawValue>,
        prompt: Option<String>,
    }
    let Ok(Form { body, prompt }) = serde_json::from_slice(sent) else {
        return false;
    };
    match (body, prompt) {
        (Some(body), _) => kept == body.get().as_bytes(),
        (None, Some(prompt)) => serde_json::from_slice::<Value>(kept)
            .is_ok_and(|made| made["messages"][0]["content"][0]["text"] == prompt),
        (None, None) => false,
    }
}

async fn read_back(house: &House, path: &str) -> Result<Value, Fault> {
    let lost = |what: String| Fault::new(Kind::Lost, what);
    let mut request = Request::new(Body::empty());
    *request.uri_mut() = path.parse().map_err(|_| lost(format!("{path} is no path")))?;
    let Ok(answer) = house.router.clone().oneshot(request).await;
    let answer = Answer::read(answer).await?;
    if answer.status != 200 {
        return Err(lost(format!("{path} answers {}", answer.status)));
    }
    serde_json::from_slice(&answer.body).map_err(|error| lost(format!("{path}: {error}")))
}
