#![allow(clippy::unwrap_used, clippy::panic, clippy::needless_pass_by_value)]

use serde_json::{Value, json};

use super::*;
use crate::settings::Settings;

const CLAUDE: &str = "anthropic.claude-3-haiku-20240307-v1:0";

fn read_as(operation: Operation, model: &str, body: &Value, settings: &Settings) -> Result<Plan, String> {
    let bytes = serde_json::to_vec(body).unwrap();
    Plan::read(operation, model, quota_name(model), &bytes, settings)
        .map_err(|error| error.message.into_owned())
}

fn read(operation: Operation, model: &str, body: &Value) -> Result<Plan, String> {
    read_as(operation, model, body, &Settings::default())
}

fn converse(body: &Value) -> Result<Plan, String> {
    read(Operation::Converse, CLAUDE, body)
}

fn user(content: Value) -> Value {
    json!({"messages": [{"role": "user", "content": content}]})
}

#[test]
fn four_characters_are_a_token_in_every_wire() {
    let text = "sixteen letters!";
    let claude = user(json!([{"type": "text", "text": text}]));
    let cases = [
        (Operation::Converse, CLAUDE, user(json!([{"text": text}]))),
        (Operation::Invoke, CLAUDE, claude.clone()),
        (Operation::Invoke, CLAUDE, user(json!(text))),
        (
            Operation::Invoke,
            "amazon.nova-lite-v1:0",
            user(json!([{"text": text}])),
        ),
        (
            Operation::Invoke,
            "amazon.titan-text-lite-v1",
            json!({"inputText": text}),
        ),
        (
            Operation::Invoke,
            "meta.llama3-8b-instruct-v1:0",
            json!({"prompt": text}),
        ),
        (
            Operation::Invoke,
            "arn:aws:bedrock:us-east-1:1:application-inference-profile/x",
            claude,
        ),
    ];
    for (operation, model, body) in cases {
        let plan = read(operation, model, &body).unwrap();
        assert_eq!((plan.usage.input, plan.max_tokens), (4, 64_000), "{model} {body}");
    }
}

#[test]
fn system_tools_tool_results_and_media_count_too() {
    let tokens = |body: Value| converse(&body).unwrap().usage.input;
    let mut body = user(json!([{"text": "four"}, {"cachePoint": {"type": "default"}}]));
    assert_eq!(tokens(body.clone()), 1);
    body["system"] = json!([{"text": "12345678"}]);
    assert_eq!(tokens(body.clone()), 3);
    body["messages"][0]["content"][1] = json!({"image": {"format": "png", "source": {"bytes": "AAAAAAAA"}}});
    assert_eq!(tokens(body.clone()), 1_603);
    body["messages"][0]["content"][1] =
        json!({"toolResult": {"toolUseId": "t", "content": [{"text": "1234"}, {"json": {"abcd": 5}}]}});
    assert_eq!(tokens(body), 6);
}

#[test]
fn max_tokens_is_read_from_each_wires_own_place() {
    let max = |operation, model, body| read(operation, model, &body).unwrap().max_tokens;
    let mut body = user(json!([{"text": "hi"}]));
    body["inferenceConfig"] = json!({"maxTokens": 11});
    assert_eq!(max(Operation::Converse, CLAUDE, body.clone()), 11);
    assert_eq!(max(Operation::Invoke, "amazon.nova-lite-v1:0", body.clone()), 11);
    body["max_tokens"] = json!(12);
    assert_eq!(max(Operation::Invoke, CLAUDE, body), 12);
    let titan = json!({"inputText": "hi", "textGenerationConfig": {"maxTokenCount": 13}});
    assert_eq!(max(Operation::Invoke, "amazon.titan-text-lite-v1", titan), 13);
    assert_eq!(
        max(
            Operation::Invoke,
            "meta.llama3-8b",
            json!({"prompt": "hi", "max_gen_len": 14})
        ),
        14
    );
}

#[test]
fn the_same_prompt_gives_the_same_length_and_another_prompt_another() {
    let plan = |text: &str| converse(&user(json!([{"text": text}]))).unwrap();
    assert_eq!(plan("a prompt"), plan("a prompt"));
    let lengths: std::collections::HashSet<_> = (0..50)
        .map(|i| plan(&format!("prompt {i}")).usage.output)
        .collect();
    assert!(lengths.len() > 30 && lengths.iter().all(|length| (16..528).contains(length)));
}

#[test]
fn what_bedrock_refuses_is_refused_in_its_words() {
    let refused = |body: Value| converse(&body).unwrap_err();
    assert!(refused(json!({"messages": []})).starts_with("A conversation must start with a user message"));
    assert!(refused(json!({})).starts_with("A conversation must start with a user message"));
    assert!(
        refused(user(json!([])))
            .starts_with("The content field in the Message object at messages.0 is empty")
    );
    assert!(refused(user(json!([{"text": " "}]))).contains("messages.0.content.0 is blank"));
    let role = |role: &str| refused(json!({"messages": [{"role": role, "content": [{"text": "hi"}]}]}));
    assert!(role("assistant").starts_with("A conversation must start with a user message"));
    assert!(role("system").contains("enum value set: [user, assistant]"));
    let mut body = user(json!([{"text": "hi"}]));
    body["inferenceConfig"] = json!({"maxTokens": 64_001});
    assert!(
        refused(body.clone())
            .starts_with("The maximum tokens you requested exceeds the model limit of 64000.")
    );
    body["inferenceConfig"] = json!({"maxTokens": -1});
    assert!(refused(body).starts_with("Malformed input request"));
    assert!(refused(user(json!([{"text": "[[sim fualt=500]]"}]))).contains("fualt"));
    let empty = read(Operation::Invoke, CLAUDE, &json!({"messages": []})).unwrap_err();
    assert_eq!(empty, "messages: at least one message is required");
    let titan = read(Operation::Invoke, "amazon.titan-text-lite-v1", &json!({})).unwrap_err();
    assert!(titan.contains("required key [inputText] not found"));
}

#[test]
fn models_and_input_lengths_may_be_limited() {
    let settings = Settings::default()
        .patched(&json!({"models": {CLAUDE: {}}, "only_known_models": true, "max_input_tokens": 100}))
        .unwrap();
    let body = user(json!([{"text": "hi"}]));
    assert!(read_as(Operation::Converse, CLAUDE, &body, &settings).is_ok());
    let arn = format!("arn:aws:bedrock:us-east-1:1:foundation-model/{CLAUDE}");
    assert!(read_as(Operation::Converse, &arn, &body, &settings).is_ok());
    let unknown = read_as(Operation::Converse, "amazon.nova-lite-v1:0", &body, &settings);
    assert_eq!(unknown.unwrap_err(), "The provided model identifier is invalid.");
    let long = user(json!([{"text": "x".repeat(500)}]));
    let long = read_as(Operation::Converse, CLAUDE, &long, &settings);
    assert_eq!(long.unwrap_err(), "Input is too long for requested model.");
}

#[test]
fn an_anthropic_tool_choice_is_answered_by_that_tool() {
    let mut body = user(json!("hi [[sim out=5]]"));
    body["tools"] = json!([{"name": "a", "input_schema": {}}, {"name": "b", "input_schema": {}}]);
    assert_eq!(read(Operation::Invoke, CLAUDE, &body).unwrap().tool, None);
    body["tool_choice"] = json!({"type": "tool", "name": "b"});
    let plan = read(Operation::Invoke, CLAUDE, &body).unwrap();
    assert_eq!(
        (plan.tool.unwrap().name.as_str(), plan.stop),
        ("b", Stop::ToolUse)
    );
}

#[test]
fn tokens_are_counted_for_both_kinds_of_input() {
    use base64::Engine;
    let converse = json!({"input": {"converse": user(json!([{"text": "12345678"}]))}});
    let inner = user(json!("12345678")).to_string();
    let body = base64::engine::general_purpose::STANDARD.encode(inner);
    let invoke = json!({"input": {"invokeModel": {"body": body}}});
    for request in [converse, invoke] {
        let counted = count_tokens(
            CLAUDE,
            CLAUDE,
            request.to_string().as_bytes(),
            &Settings::default(),
        );
        assert_eq!(counted.unwrap(), 2, "{request}");
    }
}

#[test]
fn ids_are_read_encoded_plain_and_as_arns() {
    let read = |path| Operation::of_path(path).map(|(operation, id)| (operation.name(), id.into_owned()));
    let id = "us.anthropic.claude-sonnet-4-5-20250929-v1:0";
    assert_eq!(
        read("/model/us.anthropic.claude-sonnet-4-5-20250929-v1%3A0/converse").unwrap(),
        ("converse", id.to_owned())
    );
    assert_eq!(
        read("/model/us.anthropic.claude-sonnet-4-5-20250929-v1:0/invoke-with-response-stream").unwrap(),
        ("invoke-with-response-stream", id.to_owned())
    );
    let arn = format!("arn:aws:bedrock:us-east-1:111122223333:inference-profile/{id}");
    let encoded = arn.replace(':', "%3A").replace('/', "%2F");
    for path in [format!("/model/{arn}/invoke"), format!("/model/{encoded}/invoke")] {
        let (operation, read) = Operation::of_path(&path).unwrap();
        assert_eq!((operation, read.as_ref()), (Operation::Invoke, arn.as_str()));
        assert_eq!(quota_name(&read), id);
    }
    for path in [
        "/model/converse",
        "/model//converse",
        "/model/x/teapot",
        "/other/x/converse",
    ] {
        assert_eq!(read(path), None, "{path}");
    }
}

#[test]
fn an_array_is_not_taken_for_an_object() {
    let hi = json!([{"text": "hi"}]);
    let bodies = [
        json!([[{"role": "user", "content": hi}]]),
        json!({"messages": [["user", hi]]}),
        json!({"messages": [{"role": "user", "content": [["hi"]]}]}),
        json!({"messages": [{"role": "user", "content": hi}], "inferenceConfig": [5]}),
        json!({"messages": [{"role": "user", "content": hi}], "toolConfig": [[]]}),
        json!({"messages": [{"role": "user", "content": hi}], "toolConfig": {"tools": [[]]}}),
        json!({"messages": [{"role": "user", "content": hi}], "toolConfig": {"tools": {}}}),
        json!({"messages": [{"role": "user", "content": hi}], "toolConfig": {"tools": [], "toolChoice": [[]]}}),
        json!({"messages": [{"role": "user", "content": hi}],
            "toolConfig": {"tools": [], "toolChoice": {"tool": ["a"]}}}),
    ];
    for body in bodies {
        let refused = converse(&body).unwrap_err();
        assert!(
            refused.starts_with("Malformed input request"),
            "{body}: {refused}"
        );
    }
    let titan = json!({"inputText": "hi", "textGenerationConfig": [13]});
    let choice = json!({"messages": [{"role": "user", "content": "hi"}], "tool_choice": ["any", "a"]});
    for (model, body) in [("amazon.titan-text-lite-v1", titan), (CLAUDE, choice)] {
        let refused = read(Operation::Invoke, model, &body).unwrap_err();
        assert!(
            refused.starts_with("Malformed input request"),
            "{body}: {refused}"
        );
    }
    for request in [
        json!([{"converse": user(json!("hi"))}]),
        json!({"input": {"invokeModel": ["e30="]}}),
    ] {
        let bytes = request.to_string();
        let refused = count_tokens(CLAUDE, CLAUDE, bytes.as_bytes(), &Settings::default()).unwrap_err();
        assert!(
            refused.message.starts_with("Malformed input request"),
            "{request}"
        );
    }
}
