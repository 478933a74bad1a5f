//! An answer, written.

use crate::refusal::Refusal;
use serde::Serialize;
use smoother_core::Request;

#[derive(Serialize)]
struct Answer<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(rename = "ref", skip_serializing_if = "Option::is_none")]
    reference: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    job: Option<Job<'a>>,
    /// `false` where the connection is not told of the job's end, although it wants to be.
    #[serde(skip_serializing_if = "Option::is_none")]
    followed: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<Mistake<'a>>,
}

#[derive(Serialize)]
struct Job<'a> {
    id: String,
    status: &'static str,
    rev: u64,
    lane: &'a str,
    model: &'a str,
    priority: &'static str,
    status_url: String,
    result_url: String,
}

#[derive(Serialize)]
struct Mistake<'a> {
    reason: &'static str,
    status: u16,
    title: &'a str,
    detail: String,
    /// Seconds after which the same may be accepted.
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after: Option<u64>,
}

/// A job as it stands.
pub(super) fn job(reference: Option<&str>, row: &Request, lost_sight: bool) -> String {
    let status_url = format!("/v1/jobs/{}", row.id);
    text(&Answer {
        kind: "job",
        reference,
        job: Some(Job {
            id: row.id.to_string(),
            status: row.state.public(),
            rev: row.rev.get(),
            lane: row.lane.as_str(),
            model: row.model.as_str(),
            priority: row.priority.as_str(),
            result_url: format!("{status_url}/result"),
            status_url,
        }),
        followed: lost_sight.then_some(false),
        error: None,
    })
}

/// Why a message was not followed.
pub(super) fn refusal(reference: Option<&str>, refusal: &Refusal) -> String {
    let retry_after = refusal
        .retry_after()
        .map(|span| span.get().div_ceil(1_000).max(1));
    text(&Answer {
        kind: "error",
        reference,
        job: None,
        followed: None,
        error: Some(Mistake {
            reason: refusal.reason(),
            status: refusal.status(),
            title: refusal.title(),
            detail: refusal.to_string(),
            retry_after,
        }),
    })
}

fn text(answer: &Answer<'_>) -> String {
    // Strings and numbers always serialize.
    serde_json::to_string(answer).unwrap_or_default()
}
