//! Dead letters and breakers, as the server shows and changes them.

use super::error::ClientError;
use super::http::{Answer, Client};
use super::job::Job;
use bytes::Bytes;
use reqwest::Method;
use reqwest::header::CONTENT_TYPE;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use smoother_core::RequestId;
use std::time::Duration;

/// Which letters are meant; also the members of a request's body.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Meant {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lane: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<String>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub all: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
}

/// A page of letters.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Letters {
    pub letters: Vec<Letter>,
    pub next_cursor: Option<String>,
}

/// One letter: its job, and what a job's status does not say.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Letter {
    #[serde(flatten)]
    pub job: Job,
    pub ended_at: String,
    pub redriven: u32,
    pub hops: Vec<LetterHop>,
    pub body: LetterBody,
    pub events: Vec<LetterEvent>,
}

/// A lane that it left for another.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct LetterHop {
    pub from: String,
    pub cause: String,
    pub at: String,
}

/// Where its body lies.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct LetterBody {
    pub url: String,
    pub bytes: u64,
}

/// A state it came to.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct LetterEvent {
    pub state: String,
    pub at: String,
}

/// What is done with letters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    Redrive,
    Drop,
}

impl Act {
    /// The server's member that says whether, or to how many, it was done.
    pub const fn member(self) -> &'static str {
        match self {
            Self::Redrive => "redriven",
            Self::Drop => "dropped",
        }
    }
}

/// One letter after it.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Handled {
    pub status: String,
    redriven: bool,
    dropped: bool,
}

impl Handled {
    /// Whether it was done now, and not before.
    pub const fn is_done_now(&self) -> bool {
        self.redriven || self.dropped
    }
}

/// A batch of letters after it.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Swept {
    redriven: u64,
    dropped: u64,
    pub unchanged: u64,
    pub refused: Vec<NotDone>,
    pub next_cursor: Option<String>,
}

impl Swept {
    /// To how many it was done.
    pub const fn done(&self) -> u64 {
        self.redriven + self.dropped
    }
}

/// A letter it could not be done to.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct NotDone {
    pub id: String,
    pub reason: String,
    pub detail: String,
}

/// A lane's breaker as somebody has set it.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Held {
    pub breaker: super::lane::Breaker,
}

impl Client {
    /// A page of letters, typed and as the server wrote it.
    ///
    /// # Errors
    /// As [`ClientError`] says.
    pub async fn letters(&self, meant: &Meant) -> Result<(Letters, Bytes), ClientError> {
        let request = self.request(Method::GET, &format!("v1/dlq{}", query(meant)));
        let answer = self.send(request, Duration::ZERO).await?;
        Ok((self.read(&answer)?, answer.body))
    }

    /// One letter in full, typed and as the server wrote it.
    ///
    /// # Errors
    /// As [`ClientError`] says.
    pub async fn letter(&self, id: RequestId) -> Result<(Letter, Bytes), ClientError> {
        let request = self.request(Method::GET, &format!("v1/dlq/{id}"));
        let answer = self.send(request, Duration::ZERO).await?;
        Ok((self.read(&answer)?, answer.body))
    }

    /// A letter's body, as it was submitted.
    ///
    /// # Errors
    /// As [`ClientError`] says.
    pub async fn letter_body(&self, id: RequestId) -> Result<Bytes, ClientError> {
        let request = self.request(Method::GET, &format!("v1/dlq/{id}?body=true"));
        Ok(self.send(request, Duration::ZERO).await?.body)
    }

    /// Does it to one letter; typed and as the server wrote it.
    ///
    /// # Errors
    /// As [`ClientError`] says.
    pub async fn handle_letter(&self, act: Act, id: RequestId) -> Result<(Handled, Bytes), ClientError> {
        let request = match act {
            Act::Redrive => self.request(Method::POST, &format!("v1/dlq/{id}/redrive")),
            Act::Drop => self.request(Method::DELETE, &format!("v1/dlq/{id}")),
        };
        let answer = self.send(request, Duration::ZERO).await?;
        Ok((self.read(&answer)?, answer.body))
    }

    /// Does it to the next batch of those that are meant.
    ///
    /// # Errors
    /// As [`ClientError`] says; the batch may have been done to then, and doing it again harms nothing.
    pub async fn sweep_letters(&self, act: Act, meant: &Meant) -> Result<Swept, ClientError> {
        let answer = match act {
            Act::Redrive => self.post("v1/dlq/redrive", &json!(meant)).await?,
            Act::Drop => {
                let request = self.request(Method::DELETE, &format!("v1/dlq{}", query(meant)));
                self.send(request, Duration::ZERO).await?
            }
        };
        self.read(&answer)
    }

    /// Holds a lane's breaker `open` or `closed`, or lets it go (`auto`).
    ///
    /// # Errors
    /// As [`ClientError`] says.
    pub async fn hold_breaker(&self, lane: &str, state: &str) -> Result<(Held, Bytes), ClientError> {
        let path = format!("v1/lanes/{lane}/breaker");
        let answer = self.post(&path, &json!({"state": state})).await?;
        Ok((self.read(&answer)?, answer.body))
    }

    async fn post(&self, path: &str, body: &Value) -> Result<Answer, ClientError> {
        let request = self
            .request(Method::POST, path)
            .header(CONTENT_TYPE, "application/json")
            .body(body.to_string());
        self.send(request, Duration::ZERO).await
    }
}

/// The query that says which are meant, with its question mark.
fn query(meant: &Meant) -> String {
    let Ok(Value::Object(members)) = serde_json::to_value(meant) else {
        return String::new();
    };
    let pairs = members.into_iter().map(|(name, value)| {
        let value = match value {
            Value::String(text) => text,
            other => other.to_string(),
        };
        (name, value)
    });
    let Ok(mut url) = reqwest::Url::parse("http://localhost/") else {
        return String::new();
    };
    url.query_pairs_mut().extend_pairs(pairs);
    url.query().map_or_else(String::new, |query| format!("?{query}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_meant_is_written_so_that_it_is_read_as_it_was() {
        let meant = Meant {
            lane: Some("a b".to_owned()),
            after: Some("2026-01-01T00:00:00+02:00".to_owned()),
            limit: Some(5),
            ..Meant::default()
        };
        assert_eq!(
            query(&meant),
            "?after=2026-01-01T00%3A00%3A00%2B02%3A00&lane=a+b&limit=5"
        );
        let all = Meant {
            all: true,
            ..Meant::default()
        };
        assert_eq!(query(&all), "?all=true");
    }
}
