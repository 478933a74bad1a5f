//! HTTP as the clients speak it.

use std::time::Duration;

use reqwest::header::HeaderMap;
use reqwest::{Method, RequestBuilder};
use sha2::{Digest, Sha256};

use crate::crash::records::What;

/// Longer than the server keeps anybody waiting; only a server that hangs is given up.
const ATTEMPT: Duration = Duration::from_secs(40);
const CONNECT: Duration = Duration::from_secs(3);

/// A pool of connections to one server.
pub(super) struct Wire {
    http: reqwest::Client,
    url: String,
}

/// A whole answer.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
}

/// Why there is none.
pub(super) enum NoAnswer {
    /// Nothing of an answer came.
    Nothing(String),
    /// Its head came, and then the connection broke.
    HeadOnly(String),
}

impl Wire {
    pub(super) fn new(url: &str) -> anyhow::Result<Self> {
        let http = crate::http::builder()
            .connect_timeout(CONNECT)
            .timeout(ATTEMPT)
            .build()?;
        Ok(Self {
            http,
            url: url.to_owned(),
        })
    }

    pub(super) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}{path}", self.url))
    }
}

/// Sends, and reads the answer to its end.
pub(super) async fn whole(request: RequestBuilder) -> Result<Answer, NoAnswer> {
    let response = request
        .send()
        .await
        .map_err(|error| NoAnswer::Nothing(words(&error)))?;
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    match response.bytes().await {
        Ok(body) => Ok(Answer {
            status,
            headers,
            body: body.to_vec(),
        }),
        Err(error) => Err(NoAnswer::HeadOnly(words(&error))),
    }
}

impl Answer {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    pub(super) fn digest(&self) -> String {
        digest(&self.body)
    }

    /// One member of a JSON body.
    pub(super) fn text_of(&self, name: &str) -> Option<String> {
        let body: serde_json::Value = serde_json::from_slice(&self.body).ok()?;
        Some(body.get(name)?.as_str()?.to_owned())
    }

    pub(super) fn number_of(&self, name: &str) -> Option<u64> {
        let body: serde_json::Value = serde_json::from_slice(&self.body).ok()?;
        body.get(name)?.as_u64()
    }

    /// An answer that is none of those hoped for.
    pub(super) fn refused(&self) -> What {
        What::Refused {
            status: self.status,
            error: self.error(),
            job: self.header("x-smoother-job-id").map(str::to_owned),
        }
    }

    /// What it says is wrong, short.
    pub(super) fn error(&self) -> String {
        let kind = self.header("x-amzn-errortype").map(str::to_owned);
        let kind = kind.or_else(|| self.text_of("type")).unwrap_or_default();
        let words = self.text_of("message").or_else(|| self.text_of("detail"));
        format!("{kind}: {}", words.unwrap_or_default())
            .chars()
            .take(160)
            .collect()
    }
}

/// The first 16 bytes of a SHA-256, in hexadecimal.
pub(crate) fn digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes)
        .iter()
        .take(16)
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// An error with its causes: reqwest's own words hide them.
fn words(error: &reqwest::Error) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        text = inner.to_string();
        cause = inner.source();
    }
    text
}
