//! Callers: on the connection through the doors as they are served, or by job through the way in.

use super::house::House;
use super::judge::Judge;
use super::scenario::{Ask, Key};
use super::town::Town;
use aws_smithy_eventstream::frame::read_message_from;
use axum::body::Body;
use bytes::{Buf, Bytes, BytesMut};
use http::{Request, StatusCode};
use http_body_util::BodyExt;
use smoother_core::{Door, Millis, OnDisconnect, OnIndeterminate, Operation, RequestId, TenantId};
use smoother_ingest::{Key as GivenKey, Refusal, Submission};
use std::time::Duration;
use tower::ServiceExt;

/// How one attempt went.
enum Attempt {
    /// There is nothing more to ask.
    Over,
    /// The caller hung up.
    Left,
    /// The process went away, or asked to come back.
    Again,
}

/// Asks, and asks again, as the caller's patience has it.
pub async fn ask(town: Town, ask: Ask) {
    for attempt in 1..=ask.attempts {
        let house = town.some_house().await;
        let leaves = async {
            match ask.leaves_after {
                Some(after) if ask.waits && attempt < 3 => tokio::time::sleep(after).await,
                _ => std::future::pending().await,
            }
        };
        let went = tokio::select! {
            biased;
            () = house.front.gone() => Attempt::Again,
            () = leaves => Attempt::Left,
            went = try_once(&house, &town.judge, &ask, attempt) => went,
        };
        match went {
            Attempt::Over => return,
            Attempt::Left => town.judge.note("left", format!("ask {}", ask.number)),
            Attempt::Again => town.judge.note("cut off", format!("ask {}", ask.number)),
        }
        if ask.key == Key::None {
            return;
        }
        tokio::time::sleep(ask.returns_after).await;
    }
}

async fn try_once(house: &House, judge: &Judge, ask: &Ask, attempt: u32) -> Attempt {
    if ask.waits {
        return call(house, judge, ask, attempt).await;
    }
    match house.ingest.submit(submission(ask)).await {
        Ok(accepted) => {
            judge.accepted(ask, accepted.request.id);
            Attempt::Over
        }
        Err(refusal) => {
            judge.note("refused", format!("ask {}: {}", ask.number, refusal));
            match refusal {
                Refusal::Store(_)
                | Refusal::Lane(_)
                | Refusal::Stopping
                | Refusal::Full { .. }
                | Refusal::TooLate { .. } => Attempt::Again,
                _ => Attempt::Over,
            }
        }
    }
}

async fn call(house: &House, judge: &Judge, ask: &Ask, attempt: u32) -> Attempt {
    let request = request(ask, attempt);
    let Ok(response) = house.router.clone().oneshot(request).await;
    let status = response.status();
    let id = response.headers().get("x-smoother-job-id");
    let id: Option<RequestId> = id.and_then(|id| id.to_str().ok()?.parse().ok());
    let mut body = response.into_body();
    let mut read = BytesMut::new();
    while let Some(frame) = body.frame().await {
        match frame {
            Ok(frame) => read.extend_from_slice(&frame.into_data().unwrap_or_default()),
            Err(error) => {
                judge.note("broken", format!("ask {}: {error}", ask.number));
                return Attempt::Again;
            }
        }
        // Whoever has read a stream's closing message has the whole answer, whatever follows.
        if status == StatusCode::OK && ask.operation.streams() && last_kind(&read) == "metadata" {
            break;
        }
    }
    let Some(id) = id.filter(|_| status == StatusCode::OK) else {
        judge.note("answered", format!("{status} to ask {}", ask.number));
        let later = matches!(status.as_u16(), 429 | 500 | 503);
        return if later { Attempt::Again } else { Attempt::Over };
    };
    let read = read.freeze();
    match (ask.operation.streams(), last_kind(&read).as_str()) {
        (false, _) | (true, "metadata") => judge.answered(ask, id, read),
        (true, "exception") => judge.note("broken", format!("the stream of ask {}", ask.number)),
        (true, other) => {
            let what = format!("G3: the stream of {id} ended with {other:?} and without a word of why");
            judge.book().fault(what);
        }
    }
    Attempt::Over
}

/// What the last whole message of a stream is.
fn last_kind(stream: &[u8]) -> String {
    let mut rest = stream;
    let mut kind = String::new();
    while rest.has_remaining() {
        let Ok(message) = read_message_from(&mut rest) else {
            return "half a message".to_owned();
        };
        let text = |name: &str| {
            let header = message
                .headers()
                .iter()
                .find(|header| header.name().as_str() == name)?;
            Some(header.value().as_string().ok()?.as_str().to_owned())
        };
        kind = match text(":message-type").as_deref() {
            Some("exception") => "exception".to_owned(),
            _ => text(":event-type").unwrap_or_default(),
        };
    }
    kind
}

fn request(ask: &Ask, attempt: u32) -> Request<Body> {
    let path = format!("/model/{}/{}", ask.model, ask.operation);
    let mut request = Request::post(path).header("content-type", "application/json");
    let mut say = |name: &str, value: Option<String>| {
        if let (Some(value), Some(headers)) = (value, request.headers_mut()) {
            let name = http::HeaderName::try_from(name).expect("a header's name");
            headers.insert(name, value.parse().expect("a header's value"));
        }
    };
    say(
        "x-smoother-priority",
        ask.priority.map(|priority| priority.to_string()),
    );
    say("x-smoother-timeout-ms", ask.timeout_ms.map(|ms| ms.to_string()));
    say("x-smoother-max-wait-ms", ask.max_wait_ms.map(|ms| ms.to_string()));
    say(
        "x-smoother-on-disconnect",
        ask.finish.then(|| "finish".to_owned()),
    );
    say(
        "x-smoother-fallback",
        ask.fallback.as_ref().map(|lanes| lanes.join(",")),
    );
    say(
        "x-smoother-right-size",
        ask.right_size.map(|wanted| wanted.to_string()),
    );
    match ask.key {
        Key::None => {}
        Key::Own(key) => say("idempotency-key", Some(key.to_string())),
        Key::Sdk(call) => {
            say("amz-sdk-invocation-id", Some(format!("call-{call}")));
            say(
                "amz-sdk-request",
                Some(format!("attempt={attempt}; max={}", ask.attempts)),
            );
        }
    }
    request.body(Body::from(body(ask))).expect("a request")
}

fn submission(ask: &Ask) -> Submission {
    Submission {
        tenant: TenantId::new(ask.tenant).expect("a tenant's name"),
        model: ask.model.to_owned(),
        operation: ask.operation,
        body: body(ask),
        door: Door::Job,
        priority: ask.priority,
        hint: None,
        timeout: ask.timeout_ms.map(Millis::new),
        max_wait: ask.max_wait_ms.map(Millis::new),
        key: match ask.key {
            Key::Own(key) => GivenKey::given(&key.to_string()).expect("a key"),
            _ => GivenKey::None,
        },
        headers: Vec::new(),
        fallback: ask.fallback.clone(),
        right_size: ask.right_size,
        on_disconnect: OnDisconnect::Finish,
        on_indeterminate: if ask.fail_if_lost {
            OnIndeterminate::Fail
        } else {
            OnIndeterminate::Retry
        },
    }
}

/// Bodies differ in their number and in what they may answer; all are as long.
fn body(ask: &Ask) -> Bytes {
    let text = format!(
        "Tell me more of number {:08}, if you please, and do not leave anything out.",
        ask.body
    );
    let most = ask.max_tokens;
    let body = if ask.operation == Operation::Invoke {
        serde_json::json!({
            "anthropic_version": "bedrock-2023-05-31", "max_tokens": most,
            "messages": [{"role": "user", "content": text}],
        })
    } else {
        serde_json::json!({
            "messages": [{"role": "user", "content": [{"text": text}]}],
            "inferenceConfig": {"maxTokens": most},
        })
    };
    Bytes::from(body.to_string())
}

/// How long a job's result may take to be read.
pub const READING: Duration = Duration::from_secs(30);
