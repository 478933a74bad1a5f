//! A job that is too large for a function's URL goes into the deployment's bucket, and its place is handed in.

use super::error::{ClientError, Problem};
use super::http::{Client, cause};
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
    /// What to hand in for a job of this key: the job, or where it is large and the door is a function, its place, into
    /// which it is put once, however often it has to be handed in.
    pub(super) async fn placed(&self, key: &str, job: Vec<u8>) -> Result<Vec<u8>, ClientError> {
        if job.len() <= LARGE || !self.is_a_function() {
            return Ok(job);
        }
        if let Some(pointer) = self.places().get(key) {
            return Ok(pointer.clone());
        }
        let asked = self
            .request(Method::POST, "v1/uploads")
            .header(CONTENT_TYPE, "application/json")
            .body(json!({ "bytes": job.len() }).to_string());
        let place: Place = match self.send(asked, Duration::ZERO).await {
            // One of before there were places.
            Err(ClientError::Refused { status: 404, .. }) => return Ok(job),
            answer => self.read(&answer?)?,
        };
        self.put(place.put, job).await?;
        let pointer = json!({ "s3": place.s3 }).to_string().into_bytes();
        self.places().insert(key.to_owned(), pointer.clone());
        Ok(pointer)
    }

    /// The job of this key was taken in, or refused: its place is not asked for again.
    pub(super) fn forget_place(&self, key: &str) {
        self.places().remove(key);
    }

    /// The place has its own leave in its address: neither the caller's name nor its signature goes there.
    async fn put(&self, place: Put, job: Vec<u8>) -> Result<(), ClientError> {
        let mut put = self.plain(Method::PUT, &place.url).timeout(WITHIN).body(job);
        for (name, value) in place.headers {
            put = put.header(name, value);
        }
        // Whatever went wrong may be gone the next time, which gets a place of its own.
        let why = match put.send().await {
            Ok(answer) if answer.status().is_success() => return Ok(()),
            Ok(answer) => format!("it answered {}", answer.status().as_u16()),
            Err(error) => cause(&error.without_url()),
        };
        Err(ClientError::Refused {
            status: 503,
            problem: Box::new(Problem {
                detail: format!("The deployment's bucket has not taken the job ({why}); submit it again."),
                ..Problem::default()
            }),
            retry_after: None,
        })
    }
}
