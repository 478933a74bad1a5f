//! A job that is too large for a function's URL goes into the deployment's bucket, and its place is handed in.

use super::error::{ClientError, Problem};
use super::http::Client;
use reqwest::Method;
use reqwest::header::CONTENT_TYPE;
use serde::Deserialize;
use serde_json::json;
use std::collections::BTreeMap;
use std::time::Duration;

/// Above this a door is asked for a place first: Lambda lets 6 MB of a request through, in its own encoding.
const LARGE: usize = 4_000_000;
/// 20 MiB at a third of a megabit a second.
const WITHIN: Duration = Duration::from_secs(600);

#[derive(Deserialize)]
struct Place {
    s3: serde_json::Value,
    put: Put,
}

#[derive(Deserialize)]
struct Put {
    url: String,
    headers: BTreeMap<String, String>,
}

impl Client {
    /// What to hand in for a job: the job, or its place where it is large and the door gives out places.
    pub(super) async fn placed(&self, job: Vec<u8>) -> Result<Vec<u8>, ClientError> {
        if job.len() <= LARGE {
            return Ok(job);
        }
        let asked = self
            .request(Method::POST, "v1/uploads")
            .header(CONTENT_TYPE, "application/json")
            .body(json!({ "bytes": job.len() }).to_string());
        let place: Place = match self.send(asked, Duration::ZERO).await {
            // On one machine a job comes by the door whatever its size.
            Err(ClientError::Refused { status: 404, .. }) => return Ok(job),
            answer => self.read(&answer?)?,
        };
        self.put(place.put, job).await?;
        Ok(json!({ "s3": place.s3 }).to_string().into_bytes())
    }

    /// The place has its own leave in its address: neither the caller's name nor its signature goes there.
    async fn put(&self, place: Put, job: Vec<u8>) -> Result<(), ClientError> {
        let mut put = self.plain(Method::PUT, &place.url).timeout(WITHIN).body(job);
        for (name, value) in place.headers {
            put = put.header(name, value);
        }
        let sent = put
            .send()
            .await
            .map_err(|error| self.unreachable(&error.without_url()))?;
        if sent.status().is_success() {
            return Ok(());
        }
        let status = sent.status().as_u16();
        Err(ClientError::Refused {
            status,
            problem: Box::new(Problem {
                detail: format!(
                    "The deployment's bucket took the job not in: it answered {status}. Submit it again."
                ),
                ..Problem::default()
            }),
            retry_after: None,
        })
    }
}
