//! A call in the form that a target understands.

use serde_json::{Map, Value, json};

use crate::files::{Speaks, Wire};
use crate::plan::Call;

/// The call with its path, headers and body; `fill` puts the values of a run into `${…}` places. A call that has a body
/// already keeps it, and its path.
pub fn spoken(mut call: Call, wire: &Wire, fill: impl Fn(&str) -> String) -> Call {
    let fill = |text: &str| {
        fill(text)
            .replace("${priority}", &call.class)
            .replace("${tenant}", &call.tenant)
    };
    call.headers = wire
        .headers
        .iter()
        .map(|(name, value)| (name.to_lowercase(), fill(value)))
        // A tenant, where a workload has none.
        .filter(|(_, value)| !value.is_empty())
        .collect();
    if !call.body.is_empty() {
        return call;
    }
    let mut body = match wire.speaks {
        Speaks::Converse => converse(&call),
        Speaks::OpenAi => chat_completion(&call),
    };
    lay_over(&mut body, &wire.body, fill);
    if let Some(over) = wire.body_of.get(&call.class) {
        lay_over(&mut body, over, fill);
    }
    call.path = wire.path.as_deref().map_or_else(|| own_path(&call), &fill);
    call.body = Value::Object(body).to_string();
    // It is in the body: a plan need not hold it twice.
    call.prompt = String::new();
    call
}

/// The body of `POST /v1/jobs` for a call.
pub fn job(call: &Call) -> String {
    let body = Value::Object(converse(call));
    json!({ "model": call.model, "operation": "converse", "body": body }).to_string()
}

/// Bedrock's path for a call.
fn own_path(call: &Call) -> String {
    let operation = if call.stream {
        "converse-stream"
    } else {
        "converse"
    };
    format!("/model/{}/{operation}", call.model)
}

fn converse(call: &Call) -> Map<String, Value> {
    let mut body = Map::new();
    body.insert(
        "messages".to_owned(),
        json!([{ "role": "user", "content": [{ "text": call.prompt }] }]),
    );
    body.insert(
        "inferenceConfig".to_owned(),
        json!({ "maxTokens": call.max_tokens }),
    );
    body
}

fn chat_completion(call: &Call) -> Map<String, Value> {
    let mut body = Map::new();
    body.insert("model".to_owned(), json!(call.model));
    body.insert(
        "messages".to_owned(),
        json!([{ "role": "user", "content": call.prompt }]),
    );
    body.insert("max_tokens".to_owned(), json!(call.max_tokens));
    body
}

fn lay_over(body: &mut Map<String, Value>, over: &Map<String, Value>, fill: impl Fn(&str) -> String) {
    for (key, value) in over {
        let value = match value {
            Value::String(text) => Value::String(fill(text)),
            other => other.clone(),
        };
        body.insert(key.clone(), value);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn call() -> Call {
        Call {
            model: "m:0".to_owned(),
            class: "batch".to_owned(),
            tenant: "acme".to_owned(),
            prompt: "Hello".to_owned(),
            max_tokens: 9,
            ..Call::default()
        }
    }

    #[test]
    fn bedrocks_wire_is_what_a_target_speaks_that_says_nothing() {
        let spoken = spoken(call(), &Wire::default(), str::to_owned);
        assert_eq!(spoken.path, "/model/m:0/converse");
        assert_eq!(
            serde_json::from_str::<Value>(&spoken.body).unwrap(),
            json!({ "messages": [{ "role": "user", "content": [{ "text": "Hello" }] }],
                    "inferenceConfig": { "maxTokens": 9 } })
        );
    }

    #[test]
    fn a_target_says_its_wire_by_run_priority_and_tenant() {
        let wire: Wire = toml::from_str(
            r#"
            speaks = "open_ai"
            path = "/v1/chat/completions"
            headers = { X-For = "${tenant} ${priority} ${port}", X-Of = "${nobody}" }
            body = { model = "sonnet" }
            body_of = { batch = { priority = 2 }, interactive = { priority = 0 } }
            "#,
        )
        .unwrap();
        let spoken = spoken(call(), &wire, |text| {
            text.replace("${port}", "80").replace("${nobody}", "")
        });
        assert_eq!(spoken.path, "/v1/chat/completions");
        assert_eq!(spoken.headers["x-for"], "acme batch 80");
        assert!(!spoken.headers.contains_key("x-of"), "it is empty");
        assert_eq!(
            serde_json::from_str::<Value>(&spoken.body).unwrap(),
            json!({ "model": "sonnet", "max_tokens": 9, "priority": 2,
                    "messages": [{ "role": "user", "content": "Hello" }] })
        );
    }
}
