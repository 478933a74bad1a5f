//! Each form, read back as its clients read it.
#![allow(clippy::unwrap_used)]

use super::*;
use aws_smithy_eventstream::frame::read_message_from;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

const TEXT: &str = "We are \"busy\"; später.";
const FORMS: [Form; 5] = [
    Form::Converse,
    Form::Anthropic,
    Form::Nova,
    Form::Titan,
    Form::Llama,
];

fn text_of(form: Form, value: &Value) -> Option<&str> {
    let path = match form {
        Form::Converse | Form::Nova => "/output/message/content/0/text",
        Form::Anthropic => "/content/0/text",
        Form::Titan => "/results/0/outputText",
        Form::Llama => "/generation",
    };
    value.pointer(path)?.as_str()
}

#[test]
fn a_whole_answer_holds_the_text_where_its_model_would() {
    for form in FORMS {
        let (outcome, body) = answer(Operation::Invoke, form, TEXT);
        let value: Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(text_of(form, &value), Some(TEXT), "{form:?}");
        let Outcome::Answer { head, usage, bytes } = outcome else {
            panic!("{form:?} is no answer")
        };
        assert_eq!(head.content_type, "application/json");
        assert_eq!((usage, bytes), (Some(Usage::default()), body.len() as u64));
    }
}

fn messages(mut body: Bytes) -> Vec<(String, Value)> {
    let mut all = Vec::new();
    while !body.is_empty() {
        let message = read_message_from(&mut body).unwrap();
        let kind = |name: &str| {
            let header = message
                .headers()
                .iter()
                .find(|header| header.name().as_str() == name);
            header.unwrap().value().as_string().unwrap().as_str().to_owned()
        };
        assert_eq!(kind(":message-type"), "event");
        all.push((
            kind(":event-type"),
            serde_json::from_slice(message.payload()).unwrap(),
        ));
    }
    all
}

#[test]
fn a_streamed_answer_comes_as_its_models_messages() {
    let (outcome, body) = answer(Operation::ConverseStream, Form::Converse, TEXT);
    assert!(matches!(outcome, Outcome::Answer { head, .. } if head.content_type.ends_with("eventstream")));
    let all = messages(body);
    let kinds: Vec<&str> = all.iter().map(|(kind, _)| kind.as_str()).collect();
    assert_eq!(
        kinds,
        [
            "messageStart",
            "contentBlockDelta",
            "contentBlockStop",
            "messageStop",
            "metadata"
        ]
    );
    assert_eq!(all[1].1["delta"]["text"], TEXT);
    for form in [Form::Anthropic, Form::Nova, Form::Titan, Form::Llama] {
        let (_, body) = answer(Operation::InvokeWithResponseStream, form, TEXT);
        let chunks: Vec<Value> = messages(body)
            .into_iter()
            .map(|(kind, payload)| {
                assert_eq!(kind, "chunk");
                let bytes = STANDARD.decode(payload["bytes"].as_str().unwrap()).unwrap();
                serde_json::from_slice(&bytes).unwrap()
            })
            .collect();
        let last = chunks.last().unwrap();
        assert!(last.get("amazon-bedrock-invocationMetrics").is_some(), "{form:?}");
        let whole = Value::from(chunks.clone()).to_string();
        assert!(whole.contains("sp\u{e4}ter"), "{form:?}: {whole}");
    }
}
