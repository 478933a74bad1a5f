//! What callers were told, held against what a server says that starts on the disk as it is found.

use std::collections::BTreeMap;

use futures_util::StreamExt;
use reqwest::Method;
use serde_json::Value;

use super::load::{Told, What, digest};

/// Questions under way at once.
const AT_ONCE: usize = 16;
/// Submissions that are made once more.
const AGAIN: usize = 3;

/// What the audit found.
#[derive(Debug, Default)]
pub struct Findings {
    /// Promises that were broken: never to happen.
    pub broken: Vec<String>,
    /// Errors that were told as such: right where something was damaged, and nowhere else.
    pub reported: Vec<String>,
    /// Promises that hold.
    pub kept: usize,
}

/// One thing the server was asked.
enum Heard {
    Answer(u16, Vec<u8>),
    Nothing(String),
}

/// Asks a server for everything that was told.
pub async fn audit(url: &str, told: &[Told]) -> Findings {
    let mut jobs: BTreeMap<&str, Vec<&Told>> = BTreeMap::new();
    for told in told {
        jobs.entry(&told.job).or_default().push(told);
    }
    let desk = Desk {
        http: crate::http::client(),
        url: url.to_owned(),
    };
    let audits = jobs.iter().enumerate().map(|(n, (job, told))| {
        let spacing = jobs.len().div_ceil(AGAIN).max(1);
        desk.job(job, told, n % spacing == 0)
    });
    let mut audits = futures_util::stream::iter(audits).buffer_unordered(AT_ONCE);
    let mut all = Findings::default();
    while let Some(found) = audits.next().await {
        all.broken.extend(found.broken);
        all.reported.extend(found.reported);
        all.kept += found.kept;
    }
    all
}

struct Desk {
    http: reqwest::Client,
    url: String,
}

impl Desk {
    async fn job(&self, job: &str, told: &[&Told], again: bool) -> Findings {
        let mut found = Findings::default();
        // Every accepted request comes to an end.
        let path = format!("/v1/jobs/{job}?wait_ms=10000");
        if let Some(now) = self.ask(&mut found, told, Method::GET, &path, None).await {
            let (state, rev) = (text(&now, "status"), number(&now, "rev"));
            if ["RECEIVED", "QUEUED", "PROCESSING"].contains(&state.as_str()) {
                found.broken.push(format!("{job}: still {state}"));
            }
            for told in told {
                check(job, told, &state, rev, &mut found);
            }
            self.result(&mut found, job, told).await;
        }
        let form = told.iter().find_map(|told| match &told.what {
            What::Accepted { form } if form.get("idempotency_key").is_some() => Some(form),
            _ => None,
        });
        if let (Some(form), true) = (form, again)
            && let Some(now) = self
                .ask(&mut found, told, Method::POST, "/v1/jobs", Some(form))
                .await
            && text(&now, "id") != job
        {
            found
                .broken
                .push(format!("{job}: its key now has the job {}", text(&now, "id")));
        }
        found
    }

    async fn result(&self, found: &mut Findings, job: &str, told: &[&Told]) {
        let digests = told.iter().filter_map(|told| match &told.what {
            What::Result { digest } => Some(digest),
            _ => None,
        });
        for expected in digests {
            let path = format!("/v1/jobs/{job}/result");
            let Some(now) = self.ask(found, told, Method::GET, &path, None).await else {
                continue;
            };
            if digest(&now) == *expected {
                found.kept += 1;
            } else {
                found.broken.push(format!("{job}: another result than was told"));
            }
        }
    }

    /// The body of a 2xx answer. Of all others a 5xx reports something; the rest would be wrong.
    async fn ask(
        &self,
        found: &mut Findings,
        told: &[&Told],
        method: Method,
        path: &str,
        form: Option<&Value>,
    ) -> Option<Vec<u8>> {
        match self.hear(&method, path, form).await {
            Heard::Answer(200..300, body) => return Some(body),
            Heard::Answer(status @ 500..600, body) => found.reported.push(format!(
                "{method} {path}: {status} {}",
                String::from_utf8_lossy(&body)
            )),
            Heard::Answer(status, body) => found.broken.push(format!(
                "{method} {path}: {status} {}; told before: {:?}",
                String::from_utf8_lossy(&body),
                told.iter().map(|told| short(&told.what)).collect::<Vec<_>>()
            )),
            Heard::Nothing(why) => found.reported.push(format!("{method} {path}: {why}")),
        }
        None
    }

    async fn hear(&self, method: &Method, path: &str, form: Option<&Value>) -> Heard {
        let request = self.http.request(method.clone(), format!("{}{path}", self.url));
        let request = match form {
            Some(form) => request.json(form),
            None => request,
        };
        let answer = async {
            let response = request.send().await?;
            let status = response.status().as_u16();
            Ok::<_, reqwest::Error>((status, response.bytes().await?.to_vec()))
        };
        match answer.await {
            Ok((status, body)) => Heard::Answer(status, body),
            Err(error) => Heard::Nothing(error.to_string()),
        }
    }
}

fn check(job: &str, told: &Told, state: &str, rev: u64, found: &mut Findings) {
    let broken = match &told.what {
        What::Accepted { .. } => None,
        What::State {
            state: told_state,
            rev: told_rev,
        } => {
            let over = !["RECEIVED", "QUEUED", "PROCESSING"].contains(&told_state.as_str());
            let holds = if over {
                told_state == state && *told_rev == rev
            } else {
                *told_rev <= rev
            };
            (!holds).then(|| format!("{job}: told {told_state} at rev {told_rev}, is {state} at rev {rev}"))
        }
        What::Result { .. } => (state != "COMPLETED").then(|| format!("{job}: answered, and is {state}")),
    };
    match broken {
        Some(broken) => found.broken.push(broken),
        None => found.kept += 1,
    }
}

fn short(what: &What) -> String {
    match what {
        What::Accepted { .. } => "accepted".to_owned(),
        What::State { state, rev } => format!("{state} at rev {rev}"),
        What::Result { .. } => "its result".to_owned(),
    }
}

fn text(body: &[u8], name: &str) -> String {
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    let text = body.get(name).and_then(Value::as_str);
    text.unwrap_or("nothing").to_owned()
}

fn number(body: &[u8], name: &str) -> u64 {
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    body.get(name).and_then(Value::as_u64).unwrap_or(0)
}
