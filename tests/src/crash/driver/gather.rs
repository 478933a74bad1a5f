//! What the server and the simulator know at the end.

use std::collections::HashMap;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use chrono::DateTime;
use futures_util::{StreamExt, TryStreamExt};
use rusqlite::{Connection, OpenFlags};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use uuid::Uuid;

use crate::crash::client::digest;
use crate::crash::records::{Call, Passed, Row, Upstream};
use crate::crash::wall::now_ms;

/// Questions under way at once.
const AT_ONCE: usize = 16;

#[derive(Deserialize)]
struct Page {
    jobs: Vec<Listed>,
    next_cursor: Option<String>,
}

#[derive(Deserialize)]
struct Listed {
    id: String,
    status: String,
}

#[derive(Deserialize)]
struct Job {
    id: String,
    status: String,
    rev: u64,
    calls_made: u32,
    #[serde(default)]
    calls: Vec<JobCall>,
}

#[derive(Deserialize)]
struct JobCall {
    number: u32,
    started_at: String,
    ended_at: Option<String>,
    ending: Option<String>,
    upstream_request_id: Option<String>,
}

#[derive(Deserialize)]
struct Stats {
    uptime_ms: u64,
}

#[derive(Deserialize)]
struct Log {
    calls: Vec<Logged>,
}

#[derive(Deserialize)]
struct Logged {
    request_id: String,
    model: String,
    id: Option<String>,
    invocation_id: Option<String>,
    arrival_ms: u64,
    end_ms: Option<u64>,
    outcome: String,
    error: Option<String>,
    reserved: u64,
    charged: u64,
}

/// Every job of the server, in full, once all have ended or patience has.
pub(super) async fn rows(url: &str, patience: Duration) -> anyhow::Result<HashMap<String, Row>> {
    let begun = Instant::now();
    let ids = loop {
        let listed = list(url).await?;
        let open = listed
            .iter()
            .filter(|job| ["RECEIVED", "QUEUED", "PROCESSING"].contains(&job.status.as_str()));
        if open.count() == 0 || begun.elapsed() > patience {
            break listed;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    };
    let http = crate::http::client();
    let rows = futures_util::stream::iter(ids).map(|job| row(&http, url, job.id));
    rows.buffer_unordered(AT_ONCE)
        .map_ok(|row| (row.id.clone(), row))
        .try_collect()
        .await
}

async fn list(url: &str) -> anyhow::Result<Vec<Listed>> {
    let http = crate::http::client();
    let (mut all, mut more) = (Vec::new(), String::new());
    loop {
        let page: Page = json(&http, &format!("{url}/v1/jobs?limit=1000{more}")).await?;
        all.extend(page.jobs);
        match page.next_cursor {
            Some(cursor) => more = format!("&cursor={cursor}"),
            None => return Ok(all),
        }
    }
}

async fn row(http: &reqwest::Client, url: &str, id: String) -> anyhow::Result<Row> {
    let job: Job = json(http, &format!("{url}/v1/jobs/{id}")).await?;
    let digest = if job.status == "COMPLETED" {
        let answer = http.get(format!("{url}/v1/jobs/{id}/result")).send().await?;
        let found = answer.status().is_success();
        let body = answer.bytes().await?;
        found.then(|| digest(&body))
    } else {
        None
    };
    let calls = job.calls.into_iter().map(|call| {
        Ok(Call {
            number: call.number,
            started_ms: moment(&call.started_at)?,
            ended_ms: call.ended_at.as_deref().map(moment).transpose()?,
            ending: call.ending,
            upstream: call.upstream_request_id,
        })
    });
    Ok(Row {
        id: job.id,
        state: job.status,
        rev: job.rev,
        calls_made: job.calls_made,
        calls: calls.collect::<anyhow::Result<_>>()?,
        passed: Vec::new(),
        digest,
    })
}

/// Adds what each job has passed, by the journal in a database that no server has open.
pub(super) fn passed(database: &Path, rows: &mut HashMap<String, Row>) -> anyhow::Result<()> {
    let conn = Connection::open_with_flags(database, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    let mut journal = conn.prepare(
        "SELECT requests.id, events.data FROM events JOIN requests USING (place) ORDER BY place, events.rev",
    )?;
    let mut entries = journal.query([])?;
    while let Some(entry) = entries.next()? {
        let id: [u8; 16] = entry.get(0)?;
        let id = Uuid::from_bytes(id).to_string();
        let states: Vec<(u64, String, u64)> = serde_json::from_str(&entry.get::<_, String>(1)?)?;
        let row = rows
            .get_mut(&id)
            .with_context(|| format!("{id} is in the store and not listed"))?;
        let states = states.into_iter();
        row.passed
            .extend(states.map(|(rev, state, at_ms)| Passed { rev, state, at_ms }));
    }
    Ok(())
}

fn moment(text: &str) -> anyhow::Result<u64> {
    let at = DateTime::parse_from_rfc3339(text).with_context(|| text.to_owned())?;
    Ok(u64::try_from(at.timestamp_millis())?)
}

/// When the simulator's clock stood at zero, by the wall clock: of a few answers the quickest tells best.
pub(super) async fn offset(simulator: &str) -> anyhow::Result<u64> {
    let http = crate::http::client();
    let mut best: Option<(u64, u64)> = None;
    for _ in 0..20 {
        let before = now_ms();
        let stats: Stats = json(&http, &format!("{simulator}/stats")).await?;
        let took = now_ms().saturating_sub(before);
        let zero = (before + took / 2).saturating_sub(stats.uptime_ms);
        if best.is_none_or(|(least, _)| took < least) {
            best = Some((took, zero));
        }
    }
    best.map(|(_, zero)| zero).context("the simulator said nothing")
}

/// The simulator's log, by the wall clock.
pub(super) async fn upstream(simulator: &str, offset: u64) -> anyhow::Result<Vec<Upstream>> {
    let log: Log = json(&crate::http::client(), &format!("{simulator}/calls")).await?;
    let calls = log.calls.into_iter().map(|call| Upstream {
        request_id: call.request_id,
        model: call.model,
        mark: call.id,
        invocation: call.invocation_id,
        arrival_ms: offset + call.arrival_ms,
        end_ms: call.end_ms.map(|end| offset + end),
        outcome: call.outcome,
        error: call.error,
        reserved: call.reserved,
        charged: call.charged,
    });
    Ok(calls.collect())
}

async fn json<T: DeserializeOwned>(http: &reqwest::Client, url: &str) -> anyhow::Result<T> {
    let answer = http.get(url).send().await?;
    let status = answer.status();
    let body = answer.bytes().await?;
    if !status.is_success() {
        bail!("GET {url} answered {status}: {}", String::from_utf8_lossy(&body));
    }
    Ok(serde_json::from_slice(&body)?)
}
