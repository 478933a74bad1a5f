#![allow(clippy::unwrap_used, clippy::panic)]

use aws_smithy_eventstream::frame::read_message_from;
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Buf;
use serde_json::{Value, json};

use super::frames::Frames;
use super::{Answer, Timing};
use crate::quota::cost::Usage;
use crate::request::{Operation, Plan};
use crate::settings::Settings;

const TIMING: Timing = Timing {
    first_byte: 3,
    whole: 9,
};
const CLAUDE: &str = "us.anthropic.claude-sonnet-4-5-20250929-v1:0";

fn answer(operation: Operation, model: &str, body: &Value) -> Answer {
    let bytes = serde_json::to_vec(body).unwrap();
    let plan = Plan::read(operation, model, model, &bytes, &Settings::default()).unwrap();
    Answer::new(plan, model.to_owned(), 42)
}

fn prompt(text: &str) -> Value {
    json!({"messages": [{"role": "user", "content": [{"text": text}]}]})
}

fn whole(answer: &Answer) -> Value {
    serde_json::from_slice(&answer.whole(TIMING)).unwrap()
}

/// All events of a stream whose deltas carry three tokens: (event type, JSON), chunks unpacked.
fn events(answer: &Answer) -> Vec<(String, Value)> {
    let mut frames = Frames::new(1);
    answer.begin(&mut frames);
    for from in (0..answer.usage.output).step_by(3) {
        answer.delta(&mut frames, from, (from + 3).min(answer.usage.output));
    }
    answer.end(&mut frames, TIMING);
    let mut bytes = frames.take();
    let mut events = Vec::new();
    while bytes.has_remaining() {
        let message = read_message_from(&mut bytes).unwrap();
        let header = |index: usize| {
            let header = &message.headers()[index];
            (
                header.name().as_str().to_owned(),
                header.value().as_string().unwrap().as_str().to_owned(),
            )
        };
        let (name, kind) = header(0);
        assert_eq!(name, ":event-type");
        assert_eq!(
            header(1),
            (":content-type".to_owned(), "application/json".to_owned())
        );
        assert_eq!(header(2), (":message-type".to_owned(), "event".to_owned()));
        let mut json: Value = serde_json::from_slice(message.payload()).unwrap();
        let padding = json.as_object_mut().unwrap().remove("p").unwrap();
        assert!(padding.as_str().unwrap().starts_with("abcd"));
        if kind == "chunk" {
            let inner = BASE64.decode(json["bytes"].as_str().unwrap()).unwrap();
            json = serde_json::from_slice(&inner).unwrap();
        }
        events.push((kind, json));
    }
    events
}

fn kinds(events: &[(String, Value)]) -> Vec<&str> {
    events.iter().map(|(kind, _)| kind.as_str()).collect()
}

#[test]
fn converse_answers_in_its_shape() {
    let answer = answer(
        Operation::Converse,
        CLAUDE,
        &prompt("[[sim in=7 out=2 cache_read=3 cache_write=4]]"),
    );
    let text = whole(&answer)["output"]["message"]["content"][0]["text"].clone();
    assert_eq!(text.as_str().unwrap().len(), 8);
    assert_eq!(
        whole(&answer),
        json!({
            "metrics": {"latencyMs": 9},
            "output": {"message": {"content": [{"text": text}], "role": "assistant"}},
            "stopReason": "end_turn",
            "usage": {"inputTokens": 7, "outputTokens": 2, "totalTokens": 16,
                "cacheReadInputTokens": 3, "cacheWriteInputTokens": 4},
        })
    );
}

#[test]
fn a_converse_stream_has_its_events_in_order_and_says_the_same_as_the_whole() {
    let answer = answer(Operation::ConverseStream, CLAUDE, &prompt("[[sim in=7 out=5]]"));
    let events = events(&answer);
    assert_eq!(
        kinds(&events),
        [
            "messageStart",
            "contentBlockDelta",
            "contentBlockDelta",
            "contentBlockStop",
            "messageStop",
            "metadata"
        ]
    );
    let deltas = events
        .iter()
        .filter_map(|(_, json)| json["delta"]["text"].as_str());
    assert_eq!(
        Value::from(deltas.collect::<String>()),
        whole(&answer)["output"]["message"]["content"][0]["text"]
    );
    assert_eq!(events[4].1, json!({"stopReason": "end_turn"}));
    assert_eq!(
        events[5].1,
        json!({"metrics": {"latencyMs": 9}, "usage": {"inputTokens": 7, "outputTokens": 5, "totalTokens": 12}})
    );
}

fn with_tool(text: &str) -> Value {
    let mut body = prompt(text);
    body["toolConfig"] = json!({
        "tools": [{"toolSpec": {"name": "weather", "inputSchema": {"json": {"type": "object",
            "properties": {"ort \"ü\"": {"type": "string"}}}}}}],
        "toolChoice": {"any": {}},
    });
    body
}

#[test]
fn a_tool_use_streams_its_input_in_pieces_of_json() {
    let answer = answer(Operation::ConverseStream, CLAUDE, &with_tool("[[sim out=9]]"));
    let whole = whole(&answer);
    let used = &whole["output"]["message"]["content"][0]["toolUse"];
    assert_eq!(
        (used["name"].as_str(), whole["stopReason"].as_str()),
        (Some("weather"), Some("tool_use"))
    );
    let events = events(&answer);
    assert_eq!(
        kinds(&events)[..3],
        ["messageStart", "contentBlockStart", "contentBlockDelta"]
    );
    assert_eq!(events[1].1["start"]["toolUse"]["toolUseId"], used["toolUseId"]);
    let pieces = events
        .iter()
        .filter_map(|(_, json)| json["delta"]["toolUse"]["input"].as_str());
    let input: Value = serde_json::from_str(&pieces.collect::<String>()).unwrap();
    assert_eq!(input, used["input"]);
}

#[test]
fn anthropic_answers_and_streams_its_own_messages() {
    let body = json!({"anthropic_version": "bedrock-2023-05-31", "max_tokens": 4, "system": "Be brief",
        "messages": [{"role": "user", "content": "[[sim in=7 out=100]]"}]});
    let answer = answer(Operation::Invoke, CLAUDE, &body);
    let message = whole(&answer);
    assert_eq!(message["model"], "claude-sonnet-4-5-20250929");
    assert_eq!(message["stop_reason"], "max_tokens");
    assert_eq!(message["usage"]["input_tokens"], 7);
    assert_eq!(message["usage"]["output_tokens"], 4);
    let events = events(&answer);
    let types: Vec<_> = events
        .iter()
        .map(|(_, json)| json["type"].as_str().unwrap())
        .collect();
    assert_eq!(
        types,
        [
            "message_start",
            "content_block_start",
            "content_block_delta",
            "content_block_delta",
            "content_block_stop",
            "message_delta",
            "message_stop"
        ]
    );
    let text: String = events
        .iter()
        .filter_map(|(_, json)| json["delta"]["text"].as_str())
        .collect();
    assert_eq!(message["content"][0]["text"], text.as_str());
    assert_eq!(
        events[6].1["amazon-bedrock-invocationMetrics"],
        json!({"inputTokenCount": 7, "outputTokenCount": 4, "invocationLatency": 9, "firstByteLatency": 3})
    );
}

#[test]
fn nova_titan_and_llama_answer_and_stream_their_own_json() {
    let nova = answer(
        Operation::Invoke,
        "us.amazon.nova-pro-v1:0",
        &json!({"inferenceConfig": {"maxTokens": 5}, "messages": prompt("[[sim out=5]]")["messages"]}),
    );
    assert_eq!(
        whole(&nova)["output"]["message"]["content"][0]["text"]
            .as_str()
            .unwrap()
            .len(),
        20
    );
    let chunks = events(&nova);
    assert_eq!(chunks[0].1, json!({"messageStart": {"role": "assistant"}}));
    assert_eq!(chunks.last().unwrap().1["metadata"]["usage"]["outputTokens"], 5);

    let titan = answer(
        Operation::Invoke,
        "amazon.titan-text-express-v1",
        &json!({"inputText": "[[sim in=3 out=9]]", "textGenerationConfig": {"maxTokenCount": 6}}),
    );
    assert_eq!(whole(&titan)["inputTextTokenCount"], 3);
    assert_eq!(whole(&titan)["results"][0]["tokenCount"], 6);
    assert_eq!(whole(&titan)["results"][0]["completionReason"], "LENGTH");
    let chunks = events(&titan);
    assert_eq!(
        (
            &chunks[0].1["inputTextTokenCount"],
            &chunks[1].1["inputTextTokenCount"]
        ),
        (&json!(3), &Value::Null)
    );
    assert_eq!(chunks.last().unwrap().1["totalOutputTextTokenCount"], 6);

    let llama = answer(
        Operation::Invoke,
        "meta.llama3-70b-instruct-v1:0",
        &json!({"prompt": "[[sim in=3 out=6]]", "max_gen_len": 6}),
    );
    assert_eq!(whole(&llama)["stop_reason"], "stop");
    assert_eq!(whole(&llama)["generation_token_count"], 6);
    let chunks = events(&llama);
    let text: String = chunks
        .iter()
        .filter_map(|(_, json)| json["generation"].as_str())
        .collect();
    assert_eq!(whole(&llama)["generation"], text.as_str());
    assert_eq!(
        chunks.last().unwrap().1["amazon-bedrock-invocationMetrics"]["outputTokenCount"],
        6
    );
}

#[test]
fn long_answers_repeat_the_text() {
    let answer = answer(Operation::Converse, CLAUDE, &prompt("[[sim out=20000]]"));
    let Usage { output, .. } = answer.usage;
    let text = whole(&answer)["output"]["message"]["content"][0]["text"]
        .as_str()
        .unwrap()
        .len();
    assert_eq!((output, text), (20_000, 80_000));
}
