//! A request is signed as AWS's documentation says, and asks for what the AWS SDK asks for.
//!
//! The signature is computed once more here, from the request as it came, by the few steps of
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html>. That these steps are
//! right shows on the SDK's own requests.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use aws_config::{BehaviorVersion, Region};
use aws_credential_types::Credentials;
use aws_sdk_bedrockruntime::Client;
use aws_sdk_bedrockruntime::config::retry::RetryConfig;
use aws_sdk_bedrockruntime::primitives::Blob;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use sha2::{Digest, Sha256};
use smoother_core::ids::ModelId;
use smoother_core::model::Operation;
use smoother_core::ports::Model;
use std::collections::BTreeSet;
use std::fmt::Write;
use support::{Reply, Seen, Server, call, collect};

/// What is signed with, whatever credentials are around: [`apart`] sees to it.
const KEY: &str = "AKIDEXAMPLE";
const SECRET: &str = "simulator";
const ARN: &str = "arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.x";

/// What stays as it is where a path is encoded once more.
const KEPT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'/')
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~');

/// Runs a test of this file in a process of its own, whose environment holds the keys above. True there.
fn apart(test: &str) -> bool {
    const MARK: &str = "SMOOTHER_TEST_APART";
    if std::env::var_os(MARK).is_some() {
        return true;
    }
    let mut child = std::process::Command::new(std::env::current_exe().unwrap());
    let run = child
        .args(["--exact", test, "--nocapture"])
        .env(MARK, "1")
        .env("AWS_ACCESS_KEY_ID", KEY)
        .env("AWS_SECRET_ACCESS_KEY", SECRET)
        .env_remove("AWS_SESSION_TOKEN")
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&run.stdout);
    assert!(
        run.status.success() && told.contains("1 passed"),
        "{told}\n{}",
        String::from_utf8_lossy(&run.stderr)
    );
    false
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}

/// RFC 2104, for keys of at most a block.
fn hmac(key: &[u8], message: &[u8]) -> Vec<u8> {
    let pad = |with: u8| {
        let mut block = [with; 64];
        block.iter_mut().zip(key).for_each(|(byte, key)| *byte ^= key);
        block
    };
    let inner = Sha256::new().chain_update(pad(0x36)).chain_update(message);
    let outer = Sha256::new()
        .chain_update(pad(0x5c))
        .chain_update(inner.finalize());
    outer.finalize().to_vec()
}

/// The fields of `authorization`: credential scope, names of the signed headers, signature.
fn fields(seen: &Seen) -> (Vec<&str>, Vec<&str>, &str) {
    let text = seen.header("authorization").unwrap();
    let text = text.strip_prefix("AWS4-HMAC-SHA256 ").unwrap();
    let field = |name: &str| {
        let mut all = text.split(", ").filter_map(|part| part.strip_prefix(name));
        all.next().unwrap()
    };
    let scope = field("Credential=").split('/').skip(1).collect();
    let signed = field("SignedHeaders=").split(';').collect();
    (scope, signed, field("Signature="))
}

fn expected(seen: &Seen, secret: &str) -> String {
    let (scope, signed, _) = fields(seen);
    let path = seen.line.split(' ').nth(1).unwrap();
    let encoded = utf8_percent_encode(path, KEPT).to_string();
    let mut canonical = format!("POST\n{encoded}\n\n");
    for name in &signed {
        writeln!(canonical, "{name}:{}", seen.header(name).unwrap().trim()).unwrap();
    }
    write!(
        canonical,
        "\n{}\n{}",
        signed.join(";"),
        hex(&Sha256::digest(&seen.body))
    )
    .unwrap();
    let text = format!(
        "AWS4-HMAC-SHA256\n{}\n{}\n{}",
        seen.header("x-amz-date").unwrap(),
        scope.join("/"),
        hex(&Sha256::digest(canonical))
    );
    let first = format!("AWS4{secret}").into_bytes();
    let key = scope.iter().fold(first, |key, part| hmac(&key, part.as_bytes()));
    hex(&hmac(&key, text.as_bytes()))
}

fn names(seen: &Seen) -> BTreeSet<&str> {
    seen.headers.iter().map(|(name, _)| name.as_str()).collect()
}

async fn by_the_sdk(server: &Server, secret: &str, model: &str) {
    let credentials = Credentials::new(KEY, secret, None, None, "test");
    let config = aws_sdk_bedrockruntime::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .credentials_provider(credentials)
        .endpoint_url(format!("http://{}", server.address))
        .retry_config(RetryConfig::disabled())
        .http_client(
            aws_smithy_http_client::Builder::new()
                .tls_provider(aws_smithy_http_client::tls::Provider::Rustls(
                    aws_smithy_http_client::tls::rustls_provider::CryptoMode::Ring,
                ))
                .build_https(),
        )
        .build();
    let body = Blob::new(b"{}".to_vec());
    let sent = Client::from_conf(config)
        .invoke_model()
        .model_id(model)
        .body(body);
    sent.send().await.unwrap();
}

async fn by_the_port(server: &Server, model: &str, body: &str) {
    let mut request = call(Operation::Invoke, body);
    request.model = ModelId::new(model).unwrap();
    collect(server.bedrock().await.call(request).await.unwrap()).await;
}

#[tokio::test]
async fn a_signature_holds_over_path_headers_and_body() {
    if !apart("a_signature_holds_over_path_headers_and_body") {
        return;
    }
    let models = [ARN, "us.anthropic.claude-sonnet-4-5-20250929-v1:0"];
    let replies = (0..6).map(|_| Reply::json(200, "{}"));
    let server = Server::start(replies.collect()).await;
    for model in models {
        by_the_sdk(&server, SECRET, model).await;
        by_the_port(&server, model, "{}").await;
        by_the_port(&server, model, "{\"é\": 1}").await;
    }
    for seen in server.requests() {
        let (scope, signed, signature) = fields(&seen);
        let date = seen.header("x-amz-date").unwrap();
        assert_eq!(scope, [&date[..8], "us-east-1", "bedrock", "aws4_request"]);
        for name in ["host", "x-amz-date", "content-type"] {
            assert!(signed.contains(&name), "{name} is not signed: {signed:?}");
        }
        assert_eq!(signature, expected(&seen, SECRET), "{}", seen.line);
        assert_ne!(signature, expected(&seen, "another"), "{}", seen.line);
    }
}

#[tokio::test]
async fn it_asks_for_what_the_sdk_asks_for() {
    if !apart("it_asks_for_what_the_sdk_asks_for") {
        return;
    }
    let server = Server::start(vec![Reply::json(200, "{}"), Reply::json(200, "{}")]).await;
    by_the_sdk(&server, SECRET, ARN).await;
    by_the_port(&server, ARN, "{}").await;
    let seen = server.requests();
    let (sdk, port) = (&seen[0], &seen[1]);
    assert_eq!(sdk.line, port.line);
    assert_eq!(sdk.body, port.body);
    assert_eq!(sdk.header("content-type"), Some("application/octet-stream"));
    assert_eq!(port.header("content-type"), Some("application/json"));
    for name in ["host", "content-length", "amz-sdk-request"] {
        assert_eq!(sdk.header(name), port.header(name), "{name}");
    }
    // Of the SDK's own: a second agent, and a number of its own for each call.
    let more: Vec<_> = names(sdk).difference(&names(port)).copied().collect();
    assert!(
        more.iter()
            .all(|name| ["x-amz-user-agent", "amz-sdk-invocation-id"].contains(name)),
        "{more:?}"
    );
    assert!(names(port).is_subset(&names(sdk)), "{:?}", names(port));
}
