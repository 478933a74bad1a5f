//! A service that answers as a test has it written down, and what it was asked.

use crate::retry::Patience;
use crate::store::{DynamoStore, Parts};
use crate::table::row::{Lifetimes, Terms};
use aws_config::retry::RetryConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_async::rt::sleep::{SharedAsyncSleep, TokioSleep};
use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::timeout::TimeoutConfig;
use serde_json::{Value, json};
use smoother_core::ports::{Clock, Entropy};
use smoother_core::{Millis, Timestamp};
use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// What a service was asked.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    /// DynamoDB's operation, or method and path.
    pub(crate) what: String,
    /// The body, where it is JSON.
    pub(crate) body: Value,
}

/// What it answers.
pub(crate) enum Answer {
    /// A status and a JSON body.
    Json(u16, Value),
    /// A status and any body.
    Raw(u16, Vec<u8>),
    /// Nothing, ever.
    Never,
    /// The connection breaks.
    Broken,
}

impl Answer {
    /// DynamoDB's error of this name.
    pub(crate) fn error(name: &str) -> Self {
        let kind = format!("com.amazonaws.dynamodb.v20120810#{name}");
        Self::Json(400, json!({ "__type": kind, "message": "as the test has it" }))
    }

    /// A cancelled transaction with these reasons: a code and, where it has one, the item.
    pub(crate) fn cancelled(reasons: &[(&str, Option<&Value>)]) -> Self {
        let reason = |(code, item): &(&str, Option<&Value>)| match item {
            Some(item) => json!({ "Code": code, "Item": item }),
            None => json!({ "Code": code }),
        };
        let reasons: Vec<Value> = reasons.iter().map(reason).collect();
        let kind = "com.amazonaws.dynamodb.v20120810#TransactionCanceledException";
        Self::Json(400, json!({ "__type": kind, "CancellationReasons": reasons }))
    }

    /// A put whose condition did not hold.
    pub(crate) fn unmet(item: &Value) -> Self {
        let kind = "com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException";
        Self::Json(400, json!({ "__type": kind, "message": "unmet", "Item": item }))
    }

    pub(crate) fn done() -> Self {
        Self::Json(200, json!({}))
    }
}

type Line = Box<dyn FnOnce(&[Request]) -> Answer + Send>;

/// Answers in the order in which they are written down; what was asked is kept.
#[derive(Clone, Default)]
pub(crate) struct Script {
    lines: Arc<Mutex<VecDeque<Line>>>,
    asked: Arc<Mutex<Vec<Request>>>,
}

impl std::fmt::Debug for Script {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Script")
    }
}

impl Script {
    /// One line more, whatever was asked.
    pub(crate) fn then(self, answer: Answer) -> Self {
        self.and(move |_| answer)
    }

    /// One line more, made of what was asked up to then.
    pub(crate) fn and(self, answer: impl FnOnce(&[Request]) -> Answer + Send + 'static) -> Self {
        self.lines.lock().unwrap().push_back(Box::new(answer));
        self
    }

    /// So many times the same.
    pub(crate) fn times(self, times: usize, answer: impl Fn() -> Answer) -> Self {
        (0..times).fold(self, |script, _| script.then(answer()))
    }

    /// What was asked, by its operations.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.requests().into_iter().map(|request| request.what).collect()
    }

    pub(crate) fn requests(&self) -> Vec<Request> {
        self.asked.lock().unwrap().clone()
    }

    /// An environment in which every client asks this script.
    pub(crate) fn environment(&self) -> SdkConfig {
        let client = self.clone();
        SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("us-east-1"))
            .credentials_provider(SharedCredentialsProvider::new(Credentials::for_tests()))
            .retry_config(RetryConfig::disabled())
            .timeout_config(timeouts())
            .sleep_impl(SharedAsyncSleep::new(TokioSleep::new()))
            .http_client(http_client_fn(move |_, _| {
                SharedHttpConnector::new(client.clone())
            }))
            .build()
    }

    /// A store that asks this script.
    pub(crate) fn store(&self) -> DynamoStore {
        let (client, timeouts) = (self.clone(), timeouts());
        let http = http_client_fn(move |_, _| SharedHttpConnector::new(client.clone()));
        let dynamodb = aws_sdk_dynamodb::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("us-east-1"))
            .credentials_provider(Credentials::for_tests())
            .retry_config(aws_sdk_dynamodb::config::retry::RetryConfig::disabled())
            .timeout_config(timeouts.clone())
            .http_client(http.clone())
            .build();
        let s3 = aws_sdk_s3::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("us-east-1"))
            .credentials_provider(Credentials::for_tests())
            .retry_config(aws_sdk_s3::config::retry::RetryConfig::disabled())
            .timeout_config(timeouts)
            .force_path_style(true)
            .http_client(http)
            .build();
        DynamoStore::new(Parts {
            dynamodb: aws_sdk_dynamodb::Client::from_conf(dynamodb),
            table: "requests".to_owned(),
            s3: aws_sdk_s3::Client::from_conf(s3),
            bucket: "calls".to_owned(),
            patience: Patience::default(),
            terms: Terms {
                lifetimes: Lifetimes::new(Millis::from_secs(3_600)),
                burndowns: [].into(),
            },
            clock: Arc::new(Still),
            entropy: Arc::new(Counting::default()),
        })
    }
}

fn timeouts() -> TimeoutConfig {
    TimeoutConfig::builder()
        .operation_attempt_timeout(Duration::from_secs(1))
        .build()
}

impl HttpConnector for Script {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let target = request
            .headers()
            .get("x-amz-target")
            .and_then(|target| target.split('.').nth(1));
        let path = request.uri().split('?').next().unwrap_or_default();
        let path = path.split_once("amazonaws.com").map_or(path, |(_, path)| path);
        let what = target.map_or_else(|| format!("{} {path}", request.method()), str::to_owned);
        let body = request
            .body()
            .bytes()
            .and_then(|body| serde_json::from_slice(body).ok());
        let answer = {
            let mut asked = self.asked.lock().unwrap();
            asked.push(Request {
                what,
                body: body.unwrap_or_default(),
            });
            let line = self.lines.lock().unwrap().pop_front();
            line.unwrap_or_else(|| panic!("not in the script: {:?}", asked.last()))(&asked)
        };
        HttpConnectorFuture::new(async move {
            let (status, body) = match answer {
                Answer::Json(status, body) => (status, body.to_string().into_bytes()),
                Answer::Raw(status, body) => (status, body),
                Answer::Never => std::future::pending().await,
                Answer::Broken => return Err(ConnectorError::io("broken".into())),
            };
            let bytes = body.len().to_string();
            let mut response = HttpResponse::new(status.try_into().unwrap(), SdkBody::from(body));
            response.headers_mut().insert("content-length", bytes);
            Ok(response)
        })
    }
}

/// Time that stands still.
struct Still;

impl Clock for Still {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(1_790_000_000_000)
    }
}

/// The chance of a test.
pub(crate) fn chance() -> Arc<dyn Entropy> {
    Arc::new(Counting::default())
}

/// Bytes that never repeat; pauses of the full length.
#[derive(Default)]
struct Counting(AtomicU64);

impl Entropy for Counting {
    fn bytes(&self) -> [u8; 10] {
        let mut bytes = [0; 10];
        bytes[2..].copy_from_slice(&self.0.fetch_add(1, Ordering::Relaxed).to_be_bytes());
        bytes
    }

    fn below(&self, bound: u64) -> u64 {
        bound.saturating_sub(1)
    }
}
