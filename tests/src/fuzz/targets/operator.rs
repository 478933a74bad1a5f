//! The doors of an operator: dead letters, by id and by filter, and a lane's breaker held by hand.
//!
//! An input is a request as a text; `{letter}` in it stands for the id of a dead letter that is there.

use std::sync::{Arc, Mutex, PoisonError};

use axum::body::Body;
use bytes::Bytes;
use http::{Method, Request, StatusCode};
use memchr::memmem;
use rand::Rng;
use rand::rngs::StdRng;
use serde_json::{Value, json};
use smoother_core::RequestId;
use smoother_core::ports::BoxFuture;
use tower::ServiceExt;

use super::doors::{Answer, request};
use crate::fuzz::house::{FAILS_ONCE, FRAIL, House};
use crate::fuzz::mutate::http::{self as text, Parts};
use crate::fuzz::mutate::raw;
use crate::fuzz::{Fault, Kind, Target, Verdict};

/// Stands for a dead letter's id.
const LETTER: &[u8] = b"{letter}";
/// What the letters' prompts hold, and only a letter's body may.
const SECRET: &str = "the blue door behind the mill";
/// The lanes of the house.
const LANES: [&str; 3] = ["wide", "other", "frail"];

/// The target.
#[derive(Debug, Clone)]
pub struct Operator {
    desk: Arc<Desk>,
}

impl Operator {
    /// The doors of a fresh house.
    ///
    /// # Errors
    /// It cannot be built.
    pub async fn open() -> anyhow::Result<Self> {
        Ok(Self {
            desk: Arc::new(Desk {
                house: House::build().await?,
                letter: Mutex::new(None),
            }),
        })
    }
}

impl Target for Operator {
    fn name(&self) -> &'static str {
        "operator"
    }

    fn mutate(&self, chance: &mut StdRng, input: &mut Vec<u8>, other: &[u8]) {
        if chance.random_bool(0.05) {
            raw::mutate(chance, input, other);
        } else {
            text::mutate(chance, input, other);
        }
    }

    fn feed(&self, input: Bytes) -> BoxFuture<'static, Result<Verdict, Fault>> {
        let desk = Arc::clone(&self.desk);
        Box::pin(async move {
            let letter = desk.letter().await?;
            let input = with_letter(&input, letter);
            let parts = Parts::of(&input);
            let Some(request) = request(&parts) else {
                return Ok(Verdict::Skipped);
            };
            let (method, uri) = (request.method().clone(), request.uri().clone());
            // A door never fails: what goes wrong is an answer.
            let Ok(answer) = desk.house.router.clone().oneshot(request).await;
            let answer = Answer::read(answer).await?;
            answer.judge(&method, &uri, &input)?;
            if answer.holds(SECRET) && uri.query().is_none_or(|query| !query.contains("body=")) {
                return Err(Fault::new(
                    Kind::Echo,
                    "a prompt in an answer that is not its body",
                ));
            }
            let refused = answer.status >= 300;
            desk.breakers_are_free(refused).await?;
            let untouched = refused || matches!(method, Method::GET | Method::HEAD);
            desk.follow(letter, untouched, &parts.line).await?;
            Ok(if refused {
                Verdict::Refused
            } else {
                Verdict::Accepted
            })
        })
    }
}

fn with_letter(input: &[u8], letter: RequestId) -> Vec<u8> {
    let (mut all, mut rest) = (Vec::new(), input);
    while let Some(at) = memmem::find(rest, LETTER) {
        all.extend_from_slice(&rest[..at]);
        all.extend_from_slice(letter.to_string().as_bytes());
        rest = &rest[at + LETTER.len()..];
    }
    all.extend_from_slice(rest);
    all
}

/// A house with a dead letter in it.
#[derive(Debug)]
struct Desk {
    house: House,
    /// The one that is there, unless the last case took it.
    letter: Mutex<Option<RequestId>>,
}

impl Desk {
    /// A dead letter: that of the last case, or a new one.
    async fn letter(&self) -> Result<RequestId, Fault> {
        if let Some(there) = *self.kept() {
            return Ok(there);
        }
        let prompt = format!("Tell nobody of {SECRET}. {FAILS_ONCE}");
        let form = json!({ "model": FRAIL, "prompt": prompt, "max_tokens": 10 });
        let (status, accepted) = self.ask(Method::POST, "/v1/jobs", Some(&form)).await?;
        let id: Option<RequestId> = accepted["id"].as_str().and_then(|id| id.parse().ok());
        let id = id.ok_or_else(|| lost(format!("no letter: {status} {accepted}")))?;
        let job = self.ended(id).await?;
        if job["status"] != "FAILED" || job["dead_letter"] != true {
            return Err(lost(format!("a job that was to die did not: {job}")));
        }
        *self.kept() = Some(id);
        Ok(id)
    }

    /// The letter is what the answer left: as it was, dropped, or completed by one more call.
    async fn follow(&self, id: RequestId, untouched: bool, line: &[u8]) -> Result<(), Fault> {
        let job = self.ended(id).await?;
        let is_dead = job["status"] == "FAILED" && job["dead_letter"] == true;
        if is_dead {
            let done = [&b"/redrive"[..], b"DELETE "].iter().any(|act| holds(line, act));
            let named = holds(line, id.to_string().as_bytes());
            return if !untouched && done && named && is_of_a_letter(line) {
                Err(wrong(format!("done, and the letter is as it was: {job}")))
            } else {
                Ok(())
            };
        }
        *self.kept() = None;
        drop(self.house.upstream.take(id));
        if untouched {
            return Err(wrong(format!(
                "refused or only read, and the letter has changed: {job}"
            )));
        }
        let dropped = job["status"] == "FAILED" && job["calls_made"] == 1;
        let redriven = job["status"] == "COMPLETED" && job["calls_made"] == 2 && job["redriven"] == 1;
        if dropped || redriven {
            Ok(())
        } else {
            Err(lost(format!(
                "a letter that an operator took up did not end well: {job}"
            )))
        }
    }

    /// Takes every breaker out of the operator's hand again. What was refused has put none there.
    async fn breakers_are_free(&self, refused: bool) -> Result<(), Fault> {
        for lane in LANES {
            let path = format!("/v1/lanes/{lane}");
            let (_, view) = self.ask(Method::GET, &path, None).await?;
            if view["breaker"]["by_hand"] != true {
                continue;
            }
            if refused {
                return Err(wrong(format!("refused, and the breaker of {lane} is held")));
            }
            let auto = json!({ "state": "auto" });
            let (status, said) = self
                .ask(Method::POST, &format!("{path}/breaker"), Some(&auto))
                .await?;
            if status != StatusCode::OK {
                return Err(lost(format!("the breaker of {lane} stays held: {status} {said}")));
            }
        }
        Ok(())
    }

    /// A job once it has ended.
    async fn ended(&self, id: RequestId) -> Result<Value, Fault> {
        let (status, job) = self
            .ask(Method::GET, &format!("/v1/jobs/{id}?wait_ms=10000"), None)
            .await?;
        if status == StatusCode::OK {
            Ok(job)
        } else {
            Err(lost(format!("job {id}: {status} {job}")))
        }
    }

    async fn ask(
        &self,
        method: Method,
        path: &str,
        form: Option<&Value>,
    ) -> Result<(StatusCode, Value), Fault> {
        let body = form.map_or_else(Body::empty, |form| Body::from(form.to_string()));
        let mut request = Request::new(body);
        *request.method_mut() = method;
        *request.uri_mut() = path.parse().map_err(|_| lost(format!("{path} is no path")))?;
        let json = http::HeaderValue::from_static("application/json");
        request.headers_mut().insert("content-type", json);
        let Ok(answer) = self.house.router.clone().oneshot(request).await;
        let status = answer.status();
        let said = Answer::read(answer).await?.json();
        Ok((status, said))
    }

    fn kept(&self) -> std::sync::MutexGuard<'_, Option<RequestId>> {
        self.letter.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether a request line is an act on one letter, and no other door's.
fn is_of_a_letter(line: &[u8]) -> bool {
    [&b"POST /v1/dlq/"[..], b"DELETE /v1/dlq/"]
        .iter()
        .any(|door| line.starts_with(door))
}

fn holds(text: &[u8], word: &[u8]) -> bool {
    memmem::find(text, word).is_some()
}

fn wrong(what: String) -> Fault {
    Fault::new(Kind::Wrong, what)
}

fn lost(what: String) -> Fault {
    Fault::new(Kind::Lost, what)
}
