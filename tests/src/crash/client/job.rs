//! A job: submitted until it is accepted, watched until it has ended, its result fetched.

use std::time::Duration;

use reqwest::Method;
use serde_json::json;
use tokio::time::Instant;

use super::Desk;
use super::wire::{Answer, NoAnswer, whole};
use crate::crash::plan::{Ask, Way};
use crate::crash::records::What;

/// Between two attempts while the server is away.
const PAUSE: Duration = Duration::from_millis(100);
/// How long one status request waits at the server.
const LONG_POLL_MS: u64 = 5_000;

pub(super) async fn see_through(desk: &Desk, ask: &Ask) -> anyhow::Result<()> {
    let Way::Job {
        keyed,
        again,
        cancel_after_ms,
        ..
    } = ask.way
    else {
        return Ok(());
    };
    let until = Instant::now() + desk.patience;
    let Some(job) = submit(desk, ask, keyed, until).await? else {
        return Ok(());
    };
    if again {
        once_more(desk, ask, until).await?;
    }
    if let Some(ms) = cancel_after_ms {
        tokio::time::sleep(Duration::from_millis(ms)).await;
        call_off(desk, ask, &job, until).await?;
    }
    watch(desk, ask, &job, until).await
}

fn form(ask: &Ask, body: &serde_json::Value, keyed: bool) -> serde_json::Value {
    let fails = matches!(
        ask.way,
        Way::Job {
            fail_on_indeterminate: true,
            ..
        }
    );
    let mut form = json!({
        "model": ask.model.id,
        "operation": ask.operation.path(),
        "body": body,
        "on_indeterminate": if fails { "fail" } else { "retry" },
    });
    let mut set = |name: &str, value: Option<serde_json::Value>| {
        if let Some(value) = value {
            form[name] = value;
        }
    };
    set("priority", ask.priority.map(Into::into));
    set("timeout_ms", ask.timeout_ms.map(Into::into));
    set("max_wait_ms", ask.max_wait_ms.map(Into::into));
    set("idempotency_key", keyed.then(|| ask.mark.clone().into()));
    form
}

/// Sends until there is an answer that is not "come back later".
async fn insist(
    desk: &Desk,
    ask: &Ask,
    until: Instant,
    method: &Method,
    path: &str,
    body: Option<&serde_json::Value>,
) -> anyhow::Result<Option<Answer>> {
    while Instant::now() < until {
        let request = desk.wire.request(method.clone(), path);
        let request = match body {
            Some(body) => request.json(body),
            None => request,
        };
        match whole(request).await {
            Ok(answer) if answer.status < 500 && answer.status != 429 => return Ok(Some(answer)),
            Ok(answer) => desk.note(ask, answer.refused())?,
            Err(_) => {}
        }
        tokio::time::sleep(PAUSE).await;
    }
    Ok(None)
}

/// The job's id, once a submission is accepted. Without a key a broken attempt is not sent again: nobody could tell
/// whether it was taken.
async fn submit(desk: &Desk, ask: &Ask, keyed: bool, until: Instant) -> anyhow::Result<Option<String>> {
    let form = form(ask, &ask.body(), keyed);
    while Instant::now() < until {
        let request = desk.wire.request(Method::POST, "/v1/jobs").json(&form);
        match whole(request).await {
            Ok(answer) if answer.status == 202 || answer.status == 200 => {
                let (Some(job), Some(state)) = (answer.text_of("id"), answer.text_of("status")) else {
                    anyhow::bail!("{}: a 2xx without id and status", ask.mark);
                };
                desk.note(
                    ask,
                    What::Accepted {
                        job: job.clone(),
                        state,
                    },
                )?;
                return Ok(Some(job));
            }
            Ok(answer) => {
                desk.note(ask, answer.refused())?;
                if answer.status < 500 && answer.status != 429 {
                    return Ok(None);
                }
            }
            Err(NoAnswer::Nothing(why) | NoAnswer::HeadOnly(why)) => {
                desk.note(ask, What::Broken { why })?;
                if !keyed {
                    return Ok(None);
                }
            }
        }
        tokio::time::sleep(PAUSE).await;
    }
    desk.note(ask, What::GaveUp { job: None })?;
    Ok(None)
}

/// The same again, and another body under the same key.
async fn once_more(desk: &Desk, ask: &Ask, until: Instant) -> anyhow::Result<()> {
    let same = form(ask, &ask.body(), true);
    if let Some(answer) = insist(desk, ask, until, &Method::POST, "/v1/jobs", Some(&same)).await? {
        // No id is no job, which the audit will not find.
        let job = answer
            .text_of("id")
            .unwrap_or_else(|| format!("status {}", answer.status));
        desk.note(ask, What::Again { job })?;
    }
    let other = form(ask, &ask.other_body(), true);
    if let Some(answer) = insist(desk, ask, until, &Method::POST, "/v1/jobs", Some(&other)).await? {
        let status = answer.status;
        desk.note(ask, What::Other { status })?;
    }
    Ok(())
}

async fn call_off(desk: &Desk, ask: &Ask, job: &str, until: Instant) -> anyhow::Result<()> {
    let path = format!("/v1/jobs/{job}");
    let Some(answer) = insist(desk, ask, until, &Method::DELETE, &path, None).await? else {
        return Ok(());
    };
    let state = answer.text_of("status").unwrap_or_else(|| answer.error());
    let job = job.to_owned();
    desk.note(ask, What::CalledOff { job, state })
}

async fn watch(desk: &Desk, ask: &Ask, job: &str, until: Instant) -> anyhow::Result<()> {
    let path = format!("/v1/jobs/{job}?wait_ms={LONG_POLL_MS}");
    loop {
        let Some(answer) = insist(desk, ask, until, &Method::GET, &path, None).await? else {
            let job = Some(job.to_owned());
            return desk.note(ask, What::GaveUp { job });
        };
        let (Some(state), Some(rev)) = (answer.text_of("status"), answer.number_of("rev")) else {
            return desk.note(ask, answer.refused());
        };
        let ended = !["RECEIVED", "QUEUED", "PROCESSING"].contains(&state.as_str());
        let completed = state == "COMPLETED";
        let job = job.to_owned();
        desk.note(ask, What::Seen { job, state, rev })?;
        if completed {
            break;
        }
        if ended {
            return Ok(());
        }
    }
    let path = format!("/v1/jobs/{job}/result");
    let Some(answer) = insist(desk, ask, until, &Method::GET, &path, None).await? else {
        return Ok(());
    };
    let what = match answer.status {
        200 => What::Result {
            job: job.to_owned(),
            digest: answer.digest(),
        },
        _ => answer.refused(),
    };
    desk.note(ask, what)
}
