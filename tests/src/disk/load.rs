//! Callers of a server, who write down what they were told and how long the disk's log was by then: everything the
//! server relied on when it said so stands before that.

use std::sync::{Mutex, PoisonError};

use futures_util::StreamExt;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::server::{MODEL, Place};

/// Something a caller was told, and must find true ever after.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    pub job: String,
    pub what: What,
    /// The log's length when the request went out, and when its answer was there.
    pub asked: usize,
    pub seen: usize,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// 2xx to a submission; the same again must find the same job.
    Accepted {
        form: Value,
    },
    State {
        state: String,
        rev: u64,
    },
    /// The bytes of its result, or of a synchronous answer.
    Result {
        digest: String,
    },
}

/// An answer that is no promise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    pub status: u16,
    pub text: String,
    pub asked: usize,
}

/// What callers share.
pub struct Desk {
    http: reqwest::Client,
    url: String,
    place: Place,
    notes: Mutex<Notes>,
}

/// All that was told.
#[derive(Debug, Default, Clone)]
pub struct Notes {
    pub told: Vec<Told>,
    pub refused: Vec<Refused>,
    /// Requests without an answer.
    pub broken: usize,
}

/// What one caller asks for.
#[derive(Debug, Clone, Copy)]
struct Ask {
    way: Way,
    body_bytes: usize,
    out: u32,
    latency_ms: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Job { keyed: bool, cancels: bool },
    Sync { streams: bool },
}

/// Payloads of more bytes than this are files.
const INLINE: usize = 64 * 1024;
/// Output of so many tokens is a result of more bytes than that.
const LONG_OUT: u32 = 30_000;

impl Ask {
    fn any(random: &mut StdRng) -> Self {
        let way = match random.random_range(0..10) {
            0..6 => Way::Job {
                keyed: random.random(),
                cancels: false,
            },
            6 => Way::Job {
                keyed: true,
                cancels: true,
            },
            7 | 8 => Way::Sync { streams: false },
            _ => Way::Sync { streams: true },
        };
        let cancels = matches!(way, Way::Job { cancels: true, .. });
        Self {
            way,
            body_bytes: match random.random_range(0..10) {
                0 => random.random_range(INLINE..3 * INLINE),
                1..4 => random.random_range(1_000..INLINE - 2_000),
                _ => 100,
            },
            out: if random.random_bool(0.1) { LONG_OUT } else { 20 },
            latency_ms: if cancels { 300 } else { random.random_range(0..30) },
        }
    }

    fn body(&self, mark: &str) -> Value {
        let Self { out, latency_ms, .. } = self;
        let text = format!(
            "{mark} [[sim out={out} latency_ms={latency_ms} token_ms=0]]{}",
            "x".repeat(self.body_bytes)
        );
        json!({
            "messages": [{"role": "user", "content": [{"text": text}]}],
            "inferenceConfig": {"maxTokens": LONG_OUT},
        })
    }
}

impl Desk {
    /// Callers of the server at this address.
    #[must_use]
    pub fn new(url: &str, place: &Place) -> Self {
        Self {
            http: crate::http::client(),
            url: url.to_owned(),
            place: place.clone(),
            notes: Mutex::default(),
        }
    }

    /// Everything that was told so far.
    #[must_use]
    pub fn notes(&self) -> Notes {
        self.lock().clone()
    }

    /// Makes so many requests, some of them at a time; each runs to its end, or to the first that is no answer.
    ///
    /// # Errors
    /// The log is not there.
    pub async fn load(&self, seed: u64, requests: usize, at_once: usize) -> anyhow::Result<()> {
        let asks = (0..requests).map(|n| self.one(seed, n));
        let mut asks = futures_util::stream::iter(asks).buffer_unordered(at_once);
        while let Some(outcome) = asks.next().await {
            outcome?;
        }
        Ok(())
    }

    /// One request and all that follows.
    ///
    /// # Errors
    /// The log is not there.
    pub async fn one(&self, seed: u64, n: usize) -> anyhow::Result<()> {
        let mut random = StdRng::seed_from_u64(seed.wrapping_mul(1_000_003).wrapping_add(n as u64));
        let (ask, mark) = (Ask::any(&mut random), format!("{seed}-{n}"));
        match ask.way {
            Way::Job { keyed, cancels } => self.job(&ask, &mark, keyed, cancels).await,
            Way::Sync { streams } => self.call(&ask, &mark, streams).await,
        }
    }

    /// One job with a body of so many bytes, answered after so long. Gives its id, if it was accepted.
    ///
    /// # Errors
    /// The log is not there.
    pub async fn submit(
        &self,
        mark: &str,
        body_bytes: usize,
        latency_ms: u32,
    ) -> anyhow::Result<Option<String>> {
        let ask = Ask {
            way: Way::Job {
                keyed: true,
                cancels: false,
            },
            body_bytes,
            out: 20,
            latency_ms,
        };
        self.accept(&ask, mark, true).await
    }

    async fn accept(&self, ask: &Ask, mark: &str, keyed: bool) -> anyhow::Result<Option<String>> {
        let mut form = json!({"model": MODEL, "operation": "converse", "body": ask.body(mark)});
        if keyed {
            form["idempotency_key"] = mark.into();
        }
        let request = self.request(Method::POST, "/v1/jobs").json(&form);
        let Some(answer) = self.ask(request).await? else {
            return Ok(None);
        };
        let Some(job) = answer.text("id") else {
            anyhow::bail!("a 2xx without an id");
        };
        self.note(&job, What::Accepted { form }, &answer);
        Ok(Some(job))
    }

    async fn job(&self, ask: &Ask, mark: &str, keyed: bool, cancels: bool) -> anyhow::Result<()> {
        let Some(job) = self.accept(ask, mark, keyed).await? else {
            return Ok(());
        };
        if cancels {
            let request = self.request(Method::DELETE, &format!("/v1/jobs/{job}"));
            if let Some(answer) = self.ask(request).await? {
                self.state(&job, &answer);
            }
        }
        self.see(&job).await
    }

    /// Waits for a job's end, and reads its result.
    ///
    /// # Errors
    /// The log is not there.
    pub async fn see(&self, job: &str) -> anyhow::Result<()> {
        let path = format!("/v1/jobs/{job}?wait_ms=10000");
        let Some(answer) = self.ask(self.request(Method::GET, &path)).await? else {
            return Ok(());
        };
        self.state(job, &answer);
        if answer.text("status").as_deref() == Some("COMPLETED") {
            let request = self.request(Method::GET, &format!("/v1/jobs/{job}/result"));
            if let Some(answer) = self.ask(request).await? {
                let digest = digest(&answer.body);
                self.note(job, What::Result { digest }, &answer);
            }
        }
        Ok(())
    }

    async fn call(&self, ask: &Ask, mark: &str, streams: bool) -> anyhow::Result<()> {
        let operation = if streams { "converse-stream" } else { "converse" };
        let path = format!("/model/{MODEL}/{operation}");
        let request = self.request(Method::POST, &path).json(&ask.body(mark));
        let Some(answer) = self.ask(request).await? else {
            return Ok(());
        };
        // The simulator's words are letters only, so this header's name stands in a stream that failed and no other.
        if streams && memmem(&answer.body, b":exception-type") {
            return Ok(());
        }
        if let Some(job) = &answer.job {
            let digest = digest(&answer.body);
            self.note(job, What::Result { digest }, &answer);
        }
        Ok(())
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}{path}", self.url))
    }

    /// A whole 2xx answer; anything else is noted.
    async fn ask(&self, request: RequestBuilder) -> anyhow::Result<Option<Answer>> {
        let asked = self.place.seen()?;
        let answer = async {
            let response = request.send().await?;
            let (status, headers) = (response.status(), response.headers().clone());
            let body = response.bytes().await?.to_vec();
            Ok::<_, reqwest::Error>((status, headers, body))
        };
        let Ok((status, headers, body)) = answer.await else {
            self.lock().broken += 1;
            return Ok(None);
        };
        if !status.is_success() {
            self.lock().refused.push(Refused {
                status: status.as_u16(),
                text: String::from_utf8_lossy(&body).into_owned(),
                asked,
            });
            return Ok(None);
        }
        let job = headers.get("x-smoother-job-id").and_then(|id| id.to_str().ok());
        Ok(Some(Answer {
            job: job.map(str::to_owned),
            body,
            asked,
            seen: self.place.seen()?,
        }))
    }

    fn state(&self, job: &str, answer: &Answer) {
        if let (Some(state), Some(rev)) = (answer.text("status"), answer.number("rev")) {
            self.note(job, What::State { state, rev }, answer);
        }
    }

    fn note(&self, job: &str, what: What, answer: &Answer) {
        self.lock().told.push(Told {
            job: job.to_owned(),
            what,
            asked: answer.asked,
            seen: answer.seen,
        });
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Notes> {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Answer {
    job: Option<String>,
    body: Vec<u8>,
    asked: usize,
    seen: usize,
}

impl Answer {
    fn text(&self, name: &str) -> Option<String> {
        let body: Value = serde_json::from_slice(&self.body).ok()?;
        Some(body.get(name)?.as_str()?.to_owned())
    }

    fn number(&self, name: &str) -> Option<u64> {
        let body: Value = serde_json::from_slice(&self.body).ok()?;
        body.get(name)?.as_u64()
    }
}

/// The first 16 bytes of a SHA-256, in hexadecimal.
pub(super) fn digest(bytes: &[u8]) -> String {
    let sum = Sha256::digest(bytes);
    sum.iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

fn memmem(text: &[u8], word: &[u8]) -> bool {
    memchr::memmem::find(text, word).is_some()
}
