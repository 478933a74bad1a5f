//! Who asks: a caller on Bedrock's wire, and one that hands in a job.

use axum::body::Body;
use bytes::Bytes;
use http::{HeaderMap, Method, Request};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use smoother_core::{Operation, RequestId};
use tower::ServiceExt;

use super::Trial;
use crate::fuzz::upstream::MODEL;
use crate::fuzz::{Fault, Kind};

/// A whole answer.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

/// A job at its end.
pub(super) struct Job {
    pub(super) id: RequestId,
    pub(super) status: String,
    /// Its status in full.
    pub(super) said: Value,
    pub(super) result: Option<Bytes>,
}

impl Trial {
    /// A call on Bedrock's wire, to its last byte.
    pub(super) async fn on_the_wire(&self) -> Result<Answer, Fault> {
        let path = format!("/model/{MODEL}/{}", self.operation.as_str());
        self.ask(Method::POST, &path, Body::from(body(self.operation).to_string()))
            .await
    }

    /// A job, to its result.
    pub(super) async fn as_a_job(&self) -> Result<Job, Fault> {
        let form =
            json!({ "model": MODEL, "operation": self.operation.as_str(), "body": body(self.operation) });
        let accepted = self
            .ask(Method::POST, "/v1/jobs", Body::from(form.to_string()))
            .await?
            .json(202)?;
        let id = accepted["id"].as_str().and_then(|id| id.parse().ok());
        let id: RequestId = id.ok_or_else(|| Fault::new(Kind::Lost, "an accepted job has no id"))?;
        let said = loop {
            let path = format!("/v1/jobs/{id}?wait_ms=60000");
            let said = self.ask(Method::GET, &path, Body::empty()).await?.json(200)?;
            if !["QUEUED", "PROCESSING"].contains(&said["status"].as_str().unwrap_or_default()) {
                break said;
            }
        };
        let result = self
            .ask(Method::GET, &format!("/v1/jobs/{id}/result"), Body::empty())
            .await?;
        Ok(Job {
            id,
            status: said["status"].as_str().unwrap_or_default().to_owned(),
            said,
            result: (result.status == 200).then_some(result.body),
        })
    }

    async fn ask(&self, method: Method, path: &str, body: Body) -> Result<Answer, Fault> {
        let mut request = Request::new(body);
        *request.method_mut() = method;
        let uri: Result<http::Uri, _> = path.parse();
        *request.uri_mut() = uri.map_err(|error| Fault::new(Kind::Lost, error))?;
        let headers = request.headers_mut();
        headers.insert("content-type", http::HeaderValue::from_static("application/json"));
        // A door never fails: what goes wrong is an answer.
        let Ok(answer) = self.pipeline.router.clone().oneshot(request).await;
        let (head, body) = answer.into_parts();
        let body = body.collect().await;
        let body =
            body.map_err(|error| Fault::new(Kind::ServerError, format_args!("the answer breaks: {error}")))?;
        Ok(Answer {
            status: head.status.as_u16(),
            headers: head.headers,
            body: body.to_bytes(),
        })
    }
}

impl Answer {
    fn json(&self, wanted: u16) -> Result<Value, Fault> {
        let said = String::from_utf8_lossy(&self.body);
        if self.status != wanted {
            let what = format!("{} in place of {wanted}: {said}", self.status);
            return Err(Fault::new(Kind::Lost, what));
        }
        serde_json::from_str(&said).map_err(|error| Fault::new(Kind::Shape, error))
    }
}

fn body(operation: Operation) -> Value {
    let text = "Tell nobody of the blue door behind the mill.";
    if operation.is_converse() {
        json!({
            "messages": [{ "role": "user", "content": [{ "text": text }] }],
            "inferenceConfig": { "maxTokens": 200 },
        })
    } else {
        json!({
            "anthropic_version": "bedrock-2023-05-31",
            "max_tokens": 200,
            "messages": [{ "role": "user", "content": text }],
        })
    }
}
