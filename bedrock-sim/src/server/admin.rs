//! What is not Bedrock's: `/stats`, `/stats/reset`, `/calls`, `/control`, `/script`, `/healthz`.

use bytes::Bytes;
use http::{Method, Response, StatusCode};
use percent_encoding::percent_decode_str;
use serde::Serialize;
use serde_json::json;

use super::Shared;
use super::reply::{self, Reply};
use crate::script::Script;

/// Answers a path of the simulator's own; nothing if it has none such.
pub(super) fn answer(
    shared: &Shared,
    method: &Method,
    path: &str,
    query: Option<&str>,
    body: &Bytes,
) -> Option<Response<Reply>> {
    let (get, post) = (method == Method::GET, method == Method::POST);
    Some(match path {
        "/healthz" if get => ok(&json!({ "status": "ok" })),
        "/stats" if get => {
            let report = shared.state().report(shared.clock.now());
            ok(&report)
        }
        "/stats/reset" if post => {
            shared.state().reset();
            ok(&json!({}))
        }
        "/calls" if get => {
            let id = query.and_then(id_of);
            let calls = shared.state().calls(id.as_deref());
            ok(&json!({ "calls": calls }))
        }
        "/control" if get => {
            let settings = shared.state().settings();
            ok(&*settings)
        }
        "/control" if post => control(shared, body),
        "/script" if get => script(shared),
        "/script" if method == Method::PUT => match Script::read(body) {
            Ok(script) => put(shared, Some(script)),
            Err(error) => problem(StatusCode::BAD_REQUEST, &error.to_string()),
        },
        "/script" if method == Method::DELETE => put(shared, None),
        "/healthz" | "/stats" | "/stats/reset" | "/calls" | "/control" | "/script" => problem(
            StatusCode::METHOD_NOT_ALLOWED,
            &format!("{method} is not served at {path}"),
        ),
        _ => return None,
    })
}

/// The value of `id` in a query.
fn id_of(query: &str) -> Option<String> {
    let value = query.split('&').find_map(|pair| pair.strip_prefix("id="))?;
    Some(percent_decode_str(value).decode_utf8_lossy().into_owned())
}

/// Patches the settings and answers all of them.
fn control(shared: &Shared, body: &Bytes) -> Response<Reply> {
    let patch = match serde_json::from_slice(body) {
        Ok(patch) => patch,
        Err(error) => return problem(StatusCode::BAD_REQUEST, &format!("the body is not JSON: {error}")),
    };
    let mut state = shared.state();
    match state.settings().patched(&patch) {
        Ok(settings) => {
            let answer = ok(&settings);
            state.configure(shared.clock.now(), settings);
            answer
        }
        Err(error) => problem(StatusCode::BAD_REQUEST, &error.to_string()),
    }
}

/// The script in place, its own time, and which of its spans cover this moment.
fn script(shared: &Shared) -> Response<Reply> {
    let (state, now) = (shared.state(), shared.clock.now());
    let Some(running) = state.script() else {
        return ok(&json!({ "script": null }));
    };
    ok(&json!({
        "script": running.script(),
        "elapsed_ms": running.elapsed_ms(now),
        "active": running.active(now),
    }))
}

/// Puts a script in place, or takes it away, and answers as `GET` does.
fn put(shared: &Shared, new: Option<Script>) -> Response<Reply> {
    shared.state().set_script(shared.clock.now(), new);
    script(shared)
}

fn ok(value: &impl Serialize) -> Response<Reply> {
    match serde_json::to_vec(value) {
        Ok(json) => reply::json(StatusCode::OK, None, json),
        Err(error) => problem(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()),
    }
}

fn problem(status: StatusCode, message: &str) -> Response<Reply> {
    reply::json(status, None, json!({ "message": message }).to_string())
}
