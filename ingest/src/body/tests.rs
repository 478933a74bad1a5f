//! What passes, what does not, and what is read of it.
#![allow(clippy::unwrap_used)]

use super::*;
use serde_json::{Value, json};

const CLAUDE: &str = "us.anthropic.claude-sonnet-4-5-20250929-v1:0";
const PROFILE: &str = "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abc123";

fn converse(body: &Value) -> Result<Facts, Refusal> {
    read(Operation::Converse, CLAUDE, body.to_string().as_bytes())
}

fn invoke(model: &str, body: &Value) -> Result<Facts, Refusal> {
    read(Operation::Invoke, model, body.to_string().as_bytes())
}

fn hello() -> Value {
    json!([{"role": "user", "content": [{"text": "Hello there"}]}])
}

#[test]
fn converse_says_its_maximum_and_its_haste() {
    let facts = converse(&json!({
        "messages": hello(), "system": [], "inferenceConfig": {"maxTokens": 7, "temperature": 0.5},
        "requestMetadata": {"priority": "batch", "team": "x"}, "serviceTier": {"type": "priority"},
    }))
    .unwrap();
    assert_eq!((facts.max_output, facts.hint), (Some(7), Some(Priority::Batch)));
    let facts =
        converse(&json!({"messages": hello(), "serviceTier": {"type": "flex"}, "inferenceConfig": {}}))
            .unwrap();
    assert_eq!((facts.max_output, facts.hint), (None, Some(Priority::Batch)));
    // The metadata is the caller's own.
    let facts = converse(&json!({"messages": hello(), "requestMetadata": {"priority": "P1"}})).unwrap();
    assert_eq!(facts.hint, None);
}

#[test]
fn converse_refuses_what_bedrock_would_refuse() {
    for (body, word) in [
        (json!({}), "at least one message"),
        (json!({"messages": []}), "at least one message"),
        (
            json!({"messages": [{"role": "user", "content": []}]}),
            "messages.0 is empty",
        ),
        (
            json!({"messages": [{"role": "user", "content": [{"text": " \n"}]}]}),
            "messages.0.content.0 is blank",
        ),
        (
            json!({"messages": [{"role": "system", "content": [{"text": "x"}]}]}),
            "messages.0.role",
        ),
        (
            json!({"messages": "x"}),
            "messages is a string; it must be an array",
        ),
        (
            json!({"messages": hello(), "inferenceConfig": {"maxTokens": 0}}),
            "inferenceConfig.maxTokens is 0",
        ),
        (
            json!({"messages": hello(), "inferenceConfig": {"maxTokens": -4}}),
            "is -4",
        ),
        (
            json!({"messages": hello(), "inferenceConfig": {"maxTokens": 1.5}}),
            "is 1.5",
        ),
        (
            json!({"messages": hello(), "inferenceConfig": {"maxTokens": "9"}}),
            "is \"9\"",
        ),
    ] {
        let refusal = converse(&body).unwrap_err();
        assert_eq!(refusal.status(), 400);
        assert!(refusal.to_string().contains(word), "{body}: {refusal}");
    }
}

#[test]
fn a_thousand_messages_pass_and_one_more_does_not() {
    let messages = |count| vec![json!({"role": "user", "content": [{"text": "x"}]}); count];
    assert!(converse(&json!({"messages": messages(1_000)})).is_ok());
    let said = converse(&json!({"messages": messages(1_001)}))
        .unwrap_err()
        .to_string();
    assert!(said.contains("1001") && said.contains("at most 1000"), "{said}");
}

#[test]
fn broken_json_says_where_it_breaks() {
    for bad in [
        "",
        "  ",
        "{",
        "[1,2",
        "{\"messages\": nope}",
        "null",
        "{} trailing",
        "\u{0}",
    ] {
        let refusal = read(Operation::Converse, CLAUDE, bad.as_bytes()).unwrap_err();
        assert_eq!(refusal.reason(), "malformed", "{bad:?}: {refusal}");
    }
    assert_eq!(
        read(Operation::Invoke, "mistral.x", b"{\"a\":\"\xff\"}")
            .unwrap_err()
            .reason(),
        "malformed"
    );
    // Nesting without end is refused, not followed.
    let deep = format!(
        "{{\"messages\":[{{\"role\":\"user\",\"content\":{}",
        "[{\"toolResult\":{\"content\":".repeat(9_000)
    );
    assert!(read(Operation::Converse, CLAUDE, deep.as_bytes()).is_err());
}

#[test]
fn each_family_names_its_maximum_its_own_way() {
    let messages = json!([{"role": "user", "content": "Hello"}]);
    for (model, body, most) in [
        (
            CLAUDE,
            json!({"anthropic_version": "bedrock-2023-05-31", "messages": messages, "max_tokens": 11}),
            Some(11),
        ),
        (
            PROFILE,
            json!({"anthropic_version": "bedrock-2023-05-31", "messages": messages, "max_tokens": 11}),
            Some(11),
        ),
        (
            "anthropic.claude-v2",
            json!({"prompt": "\n\nHuman: hi", "max_tokens_to_sample": 12}),
            Some(12),
        ),
        (
            "us.amazon.nova-lite-v1:0",
            json!({"messages": hello(), "inferenceConfig": {"maxTokens": 13}}),
            Some(13),
        ),
        (
            PROFILE,
            json!({"messages": hello(), "inferenceConfig": {"max_new_tokens": 13}}),
            Some(13),
        ),
        (
            "amazon.titan-text-express-v1",
            json!({"inputText": "hi", "textGenerationConfig": {"maxTokenCount": 14}}),
            Some(14),
        ),
        (
            "us.meta.llama3-3-70b-instruct-v1:0",
            json!({"prompt": "hi", "max_gen_len": 15}),
            Some(15),
        ),
        (
            "mistral.mistral-large",
            json!({"prompt": "hi", "max_tokens": 16}),
            None,
        ),
    ] {
        let facts = invoke(model, &body).unwrap();
        assert_eq!(facts.max_output, most, "{model}");
        assert!(facts.meter.tokens().get() > 8, "{model}");
    }
    let facts = invoke("amazon.titan-embed-text-v2:0", &json!({"inputText": "hi"})).unwrap();
    assert!(facts.no_output);
}

#[test]
fn each_family_refuses_an_empty_prompt() {
    for (model, body) in [
        (
            CLAUDE,
            json!({"anthropic_version": "x", "messages": [], "max_tokens": 1}),
        ),
        (
            CLAUDE,
            json!({"messages": [{"role": "user", "content": "  "}], "max_tokens": 1}),
        ),
        (
            CLAUDE,
            json!({"messages": [{"role": "user", "content": [{"type": "text", "text": ""}]}], "max_tokens": 1}),
        ),
        (CLAUDE, json!({"prompt": " "})),
        (
            "us.amazon.nova-lite-v1:0",
            json!({"messages": [{"role": "user", "content": [{"text": ""}]}]}),
        ),
        ("amazon.titan-text-express-v1", json!({"inputText": " "})),
        ("meta.llama3-8b-instruct-v1:0", json!({"prompt": ""})),
        ("meta.llama3-8b-instruct-v1:0", json!({})),
        ("mistral.mistral-large", json!({})),
        ("mistral.mistral-large", json!([1])),
    ] {
        assert_eq!(invoke(model, &body).unwrap_err().status(), 400, "{model} {body}");
    }
    // Anthropic lets a conversation end in a turn for the model to fill.
    let filled = json!([{"role": "user", "content": "x"}, {"role": "assistant", "content": ""}]);
    assert!(invoke(CLAUDE, &json!({"messages": filled, "max_tokens": 1})).is_ok());
}

#[test]
fn the_input_grows_with_whatever_the_model_reads() {
    let tokens = |body: Value| converse(&body).unwrap().meter.tokens().get();
    let plain = tokens(json!({"messages": hello()}));
    let text = "word ".repeat(1_000);
    let long = tokens(json!({"messages": [{"role": "user", "content": [{"text": text}]}]}));
    assert!((1_000..2_000).contains(&long), "{long}");
    let system = tokens(json!({"messages": hello(), "system": [{"text": text}]}));
    assert!(system > plain + 1_000);
    let tools = tokens(json!({"messages": hello(), "toolConfig": {"tools": [{"toolSpec": {"name": "f"}}]}}));
    assert!(tools > plain + 346);
    let picture = json!({"image": {"format": "png", "source": {"bytes": "A".repeat(400_000)}}});
    let with_picture =
        json!({"messages": [{"role": "user", "content": [{"toolResult": {"content": [picture]}}]}]});
    assert!(
        (1_600..1_700).contains(&tokens(with_picture)),
        "a picture counts as one, however it is wrapped"
    );
    let pages = json!({"document": {"format": "pdf", "name": "d", "source": {"bytes": "A".repeat(400_000)}}});
    assert!(tokens(json!({"messages": [{"role": "user", "content": [pages]}]})) > 20_000);
}

#[test]
fn escapes_are_read_as_what_they_stand_for() {
    let facts = |text: &str| {
        let body = format!(r#"{{"messages":[{{"role":"user","content":[{{"text":"{text}"}}]}}]}}"#);
        read(Operation::Converse, CLAUDE, body.as_bytes())
    };
    assert_eq!(
        facts("a b").unwrap().meter.tokens(),
        facts(r"a\u0020b").unwrap().meter.tokens()
    );
    assert_eq!(facts(r"\n\t ").unwrap_err().reason(), "invalid");
}

#[test]
fn an_array_is_no_object_in_any_format() {
    let message = json!(["user", [{"text": "Hello"}]]);
    let blocks = json!([{"role": "user", "content": [["Hello"]]}]);
    let plain = json!([{"role": "user", "content": "Hello"}]);
    for (model, body, place) in [
        (CLAUDE, json!([plain]), "the body"),
        (
            CLAUDE,
            json!({"messages": [message], "max_tokens": 1}),
            "messages.0",
        ),
        (
            CLAUDE,
            json!({"messages": blocks, "max_tokens": 1}),
            "messages.0.content.0",
        ),
        ("us.amazon.nova-lite-v1:0", json!([hello()]), "the body"),
        (
            "us.amazon.nova-lite-v1:0",
            json!({"messages": [message]}),
            "messages.0",
        ),
        (
            "us.amazon.nova-lite-v1:0",
            json!({"messages": blocks}),
            "messages.0.content.0",
        ),
        (
            "us.amazon.nova-lite-v1:0",
            json!({"messages": hello(), "inferenceConfig": [5]}),
            "inferenceConfig",
        ),
        ("amazon.titan-text-express-v1", json!(["hi"]), "the body"),
        (
            "amazon.titan-text-express-v1",
            json!({"inputText": "hi", "textGenerationConfig": [5]}),
            "textGenerationConfig",
        ),
        ("amazon.titan-embed-text-v2:0", json!(["hi"]), "the body"),
        ("meta.llama3-8b-instruct-v1:0", json!(["hi"]), "the body"),
        ("mistral.mistral-large", json!(["hi"]), "the body"),
        (PROFILE, json!(["bedrock-2023-05-31"]), "the body"),
    ] {
        let said = invoke(model, &body).unwrap_err().to_string();
        let wanted = format!("{place} is an array; it must be an object");
        assert!(said.contains(&wanted), "{model} {body}: {said}");
    }
    for (body, place) in [
        (json!([hello()]), "the body"),
        (json!({"messages": [message]}), "messages.0"),
        (json!({"messages": blocks}), "messages.0.content.0"),
        (json!({"messages": hello(), "system": [["Be brief"]]}), "system.0"),
        (
            json!({"messages": hello(), "inferenceConfig": [5]}),
            "inferenceConfig",
        ),
        (
            json!({"messages": hello(), "serviceTier": ["flex"]}),
            "serviceTier",
        ),
        (
            json!({"messages": hello(), "requestMetadata": ["batch"]}),
            "requestMetadata",
        ),
    ] {
        let said = converse(&body).unwrap_err().to_string();
        let wanted = format!("{place} is an array; it must be an object");
        assert!(said.contains(&wanted), "{body}: {said}");
    }
}
