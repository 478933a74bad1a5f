//! The programs as processes of their own.

use std::fs;
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use aws_config::{BehaviorVersion, Region};
use aws_credential_types::Credentials;
use aws_sdk_bedrockruntime::Client;
use tempfile::TempDir;

pub const MODEL: &str = "us.anthropic.claude-sonnet-4-5-20250929-v1:0";

/// A simulator and a smoother in front of it; both end with this value.
pub struct House {
    _simulator: Running,
    smoother: Running,
    pub direct: Client,
    pub through: Client,
    pub simulator_url: String,
    _folder: TempDir,
}

struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // Gone already is as good.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl House {
    /// Starts both and waits until they answer.
    pub async fn open() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (upstream, port) = (free_port(), free_port());
        let simulator_url = format!("http://127.0.0.1:{upstream}");
        let url = format!("http://127.0.0.1:{port}");
        let mut command = Command::new(program("bedrock-sim", "BEDROCK_SIM_BIN"));
        command.args(["--port", &upstream.to_string(), "--call-log", "100"]);
        let simulator = start(&mut command);
        let config = folder.path().join("smoother.toml");
        fs::write(
            &config,
            format!(
                "[server]\nlisten = \"127.0.0.1:{port}\"\ndata_dir = {:?}\n\n\
                 [lanes.sonnet]\nmodels = [\"{MODEL}\"]\nregion = \"us-east-1\"\n\
                 endpoint = \"{simulator_url}\"\ntokens_per_minute = 100000000\n",
                folder.path().join("data")
            ),
        )
        .unwrap();
        let mut command = Command::new(program("smoother", "SMOOTHER_BIN"));
        command
            .args(["serve", "--config"])
            .arg(&config)
            .current_dir(folder.path());
        let smoother = start(&mut command);
        until_ready(&format!("{simulator_url}/healthz")).await;
        until_ready(&format!("{url}/readyz")).await;
        Self {
            _simulator: simulator,
            smoother,
            direct: client(&simulator_url).await,
            through: client(&url).await,
            simulator_url,
            _folder: folder,
        }
    }

    /// Whether the smoother still runs.
    pub fn stands(&mut self) -> bool {
        self.smoother.0.try_wait().unwrap().is_none()
    }
}

/// What a user of the SDK writes, and an endpoint.
async fn client(url: &str) -> Client {
    let config = aws_config::defaults(BehaviorVersion::latest())
        .region(Region::from_static("us-east-1"))
        .credentials_provider(Credentials::for_tests())
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .endpoint_url(url)
        .load()
        .await;
    Client::new(&config)
}

fn start(command: &mut Command) -> Running {
    command
        .env("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
        .env(
            "AWS_SECRET_ACCESS_KEY",
            "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
        )
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .stdin(Stdio::null())
        .stdout(Stdio::null());
    Running(
        command
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?}: {error}")),
    )
}

/// The program as named by the environment, else from the folder above this test's own.
fn program(name: &str, variable: &str) -> PathBuf {
    let built = || {
        let own = std::env::current_exe().unwrap();
        own.parent().and_then(|deps| deps.parent()).unwrap().join(name)
    };
    let path = std::env::var_os(variable).map_or_else(built, PathBuf::from);
    assert!(
        path.is_file(),
        "{} is not built: run `cargo build -p smoother -p bedrock-sim`, or set {variable}",
        path.display()
    );
    path
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port()
}

async fn until_ready(url: &str) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !matches!(smoother_tests::http::client().get(url).send().await, Ok(answer) if answer.status().is_success())
    {
        assert!(Instant::now() < deadline, "{url} was not ready within 20 s");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
