//! The four operations, whole and streamed, and the errors.

use aws_sdk_bedrockruntime::Client;
use aws_sdk_bedrockruntime::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_bedrockruntime::operation::converse::ConverseOutput;
use aws_sdk_bedrockruntime::primitives::Blob;
use aws_sdk_bedrockruntime::types::{
    ContentBlock, ConversationRole, ConverseStreamOutput, InferenceConfiguration, Message, ResponseStream,
};
use serde_json::{Value, json};

use crate::house::{House, MODEL};

const PROMPT: &str = "Name three rivers. [[sim out=20]]";

fn message(text: &str) -> Message {
    let content = ContentBlock::Text(text.to_owned());
    Message::builder()
        .role(ConversationRole::User)
        .content(content)
        .build()
        .unwrap()
}

fn at_most(tokens: i32) -> InferenceConfiguration {
    InferenceConfiguration::builder().max_tokens(tokens).build()
}

fn anthropic_body() -> Blob {
    let body = json!({
        "anthropic_version": "bedrock-2023-05-31",
        "max_tokens": 64,
        "messages": [{ "role": "user", "content": PROMPT }],
    });
    Blob::new(body.to_string())
}

async fn converse(client: &Client, prompt: &str) -> ConverseOutput {
    client
        .converse()
        .model_id(MODEL)
        .messages(message(prompt))
        .inference_config(at_most(64))
        .send()
        .await
        .unwrap()
}

/// The events of a stream, without what differs from call to call.
async fn converse_stream(client: &Client) -> Vec<String> {
    let answer = client
        .converse_stream()
        .model_id(MODEL)
        .messages(message(PROMPT))
        .inference_config(at_most(64))
        .send()
        .await
        .unwrap();
    let mut stream = answer.stream;
    let mut events = Vec::new();
    while let Some(event) = stream.recv().await.unwrap() {
        events.push(match event {
            ConverseStreamOutput::Metadata(metadata) => format!("{:?}", metadata.usage),
            other => format!("{other:?}"),
        });
    }
    events
}

async fn invoke(client: &Client) -> Value {
    let answer = client
        .invoke_model()
        .model_id(MODEL)
        .content_type("application/json")
        .body(anthropic_body())
        .send()
        .await
        .unwrap();
    without_id(serde_json::from_slice(answer.body.as_ref()).unwrap())
}

async fn invoke_stream(client: &Client) -> Vec<Value> {
    let answer = client
        .invoke_model_with_response_stream()
        .model_id(MODEL)
        .content_type("application/json")
        .body(anthropic_body())
        .send()
        .await
        .unwrap();
    let mut stream = answer.body;
    let mut events = Vec::new();
    while let Some(event) = stream.recv().await.unwrap() {
        let ResponseStream::Chunk(chunk) = event else {
            panic!("{event:?}")
        };
        events.push(without_id(
            serde_json::from_slice(chunk.bytes().unwrap().as_ref()).unwrap(),
        ));
    }
    events
}

/// Anthropic draws an id for each answer, and Bedrock adds its own measurement of time.
fn without_id(mut body: Value) -> Value {
    for place in ["/id", "/message/id", "/amazon-bedrock-invocationMetrics"] {
        if let Some(value) = body.pointer_mut(place) {
            *value = json!("varies");
        }
    }
    body
}

#[tokio::test]
async fn the_four_operations_are_answered_as_directly() {
    let mut house = House::open().await;

    let (direct, through) = (
        converse(&house.direct, PROMPT).await,
        converse(&house.through, PROMPT).await,
    );
    assert_eq!(through.output, direct.output);
    assert_eq!(through.usage, direct.usage);
    assert_eq!(through.usage.unwrap().output_tokens, 20);
    assert_eq!(through.stop_reason, direct.stop_reason);

    let events = converse_stream(&house.through).await;
    assert_eq!(events, converse_stream(&house.direct).await);
    assert!(events.len() > 5);

    assert_eq!(invoke(&house.through).await, invoke(&house.direct).await);
    assert_eq!(
        invoke_stream(&house.through).await,
        invoke_stream(&house.direct).await
    );
    assert!(house.stands());
}

#[tokio::test]
async fn an_error_keeps_its_name_and_its_message() {
    let house = House::open().await;
    let mut found = Vec::new();
    for client in [&house.direct, &house.through] {
        let refused = client
            .converse()
            .model_id(MODEL)
            .messages(message("Hello. [[sim fault=400]]"))
            .inference_config(at_most(64))
            .send()
            .await
            .unwrap_err();
        let SdkError::ServiceError(refused) = refused else {
            panic!("{refused:?}")
        };
        assert!(refused.err().is_validation_exception());
        found.push((
            refused.raw().status().as_u16(),
            refused.err().message().map(str::to_owned),
        ));
    }
    assert_eq!(found[0], found[1]);
    assert_eq!(found[0].0, 400);
}

/// The SDK's own retries are on here, but nothing is left for them to do: the smoother's one layer has done it.
#[tokio::test]
async fn a_throttle_upstream_is_no_error_of_the_client_and_retried_once() {
    let house = House::open().await;
    let answer = converse(
        &house.through,
        "Hello. [[sim out=5 fault=throttle times=1 id=throttled]]",
    )
    .await;
    assert_eq!(answer.usage.unwrap().output_tokens, 5);
    let log = smoother_tests::http::client()
        .get(format!("{}/calls?id=throttled", house.simulator_url))
        .send()
        .await
        .unwrap();
    let log: Value = serde_json::from_str(&log.text().await.unwrap()).unwrap();
    assert_eq!(log["calls"].as_array().unwrap().len(), 2);
}
