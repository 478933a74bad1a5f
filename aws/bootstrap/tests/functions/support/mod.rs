//! The surroundings of a function on this machine: Lambda's runtime API, which hands it events and takes its answers,
//! and as much of the AWS services as the functions ask, which remember what they are given. What AWS itself would
//! refuse is for the tests against the emulator; here the real binary meets real events.

mod aws;
mod breaks;
mod runtime;

pub use aws::{Aws, table};
pub use breaks::Breaks;
pub use runtime::Lambda;

use axum::Router;
use axum::body::{Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::response::Response;
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::process::{Child, Command};

pub const MODEL: &str = "us.amazon.nova-pro-v1:0";

/// A function and what is around it; gone when dropped.
pub struct Function {
    pub aws: Arc<Aws>,
    pub lambda: Arc<Lambda>,
    _folder: TempDir,
    pub process: Child,
}

#[derive(Clone)]
struct Around {
    aws: Arc<Aws>,
    lambda: Arc<Lambda>,
}

/// Lambda and the services, listening.
pub struct Surroundings {
    pub aws: Arc<Aws>,
    pub lambda: Arc<Lambda>,
    pub url: String,
    folder: TempDir,
}

impl Surroundings {
    pub async fn new() -> Self {
        let around = Around {
            aws: Arc::default(),
            lambda: Arc::new(Lambda::new()),
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new().fallback(answer).with_state(around.clone());
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self {
            aws: around.aws,
            lambda: around.lambda,
            url,
            folder: tempfile::tempdir().unwrap(),
        }
    }

    /// The binary among them.
    pub fn command(&self, handler: &str) -> Command {
        command(handler, self.folder.path(), &self.url)
    }
}

impl Function {
    /// Starts the binary as the function with this handler.
    pub async fn start(handler: &str) -> Self {
        let around = Surroundings::new().await;
        let command = around.command(handler);
        Self::among(around, command)
    }

    /// Starts it as this command says.
    pub fn among(around: Surroundings, mut command: Command) -> Self {
        let process = command
            .stdout(Stdio::null())
            .stderr(Stdio::inherit())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        Self {
            aws: around.aws,
            lambda: around.lambda,
            _folder: around.folder,
            process,
        }
    }
}

/// The binary in its environment, with every service at `url`.
pub fn command(handler: &str, folder: &Path, url: &str) -> Command {
    let config = folder.join("smoother.toml");
    let lane =
        format!("[lanes.nova]\nmodels = [\"{MODEL}\"]\nregion = \"us-east-1\"\ntokens_per_minute = 100000\n");
    std::fs::write(&config, lane).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_bootstrap"));
    command
        .env_clear()
        .env("_HANDLER", handler)
        .env("AWS_LAMBDA_RUNTIME_API", url.trim_start_matches("http://"))
        .env("AWS_LAMBDA_FUNCTION_NAME", handler)
        .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "512")
        .env("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")
        .env("AWS_REGION", "us-east-1")
        .env("AWS_ACCESS_KEY_ID", "test")
        .env("AWS_SECRET_ACCESS_KEY", "test")
        .env("AWS_ENDPOINT_URL", url)
        .env("SMOOTHER_CONFIG", config)
        .env("SMOOTHER_TABLE", "requests")
        .env("SMOOTHER_BUCKET", "calls")
        .env(
            "SMOOTHER_LANE_QUEUES",
            format!("{{\"nova\": \"{url}/1/lane-nova\"}}"),
        )
        .env("SMOOTHER_DISPATCH_QUEUE", format!("{url}/1/dispatch"))
        .env("SMOOTHER_RESULTS_QUEUE", format!("{url}/1/results"))
        .env("SMOOTHER_UNTOLD_QUEUE", format!("{url}/1/untold"))
        .env("SMOOTHER_INPUT_DLQ", format!("{url}/1/input-dlq"))
        .env("SMOOTHER_TOPIC", "arn:aws:sns:us-east-1:1:ended")
        .env("SMOOTHER_SOCKETS", format!("{url}/live"))
        .env("SMOOTHER_PRIORITIZER", "prioritizer")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

async fn answer(State(around): State<Around>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body: Bytes = to_bytes(body, usize::MAX).await.unwrap();
    let path = parts.uri.path().to_owned();
    match path.strip_prefix("/2018-06-01/runtime/") {
        Some(path) => around.lambda.answer(path, &body).await,
        None => {
            around.aws.hold_up(&parts, &body).await;
            around.aws.answer(&parts, &body)
        }
    }
}
