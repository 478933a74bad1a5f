//! Every function of Bedrock Smoother on AWS Lambda, as one binary: the handler's name says which.
//!
//! | handler | invoked by | does |
//! |---|---|---|
//! | `input` | the input queue | takes messages in |
//! | `http` | the function URL | serves every HTTP door, and runs the calls of those who wait there |
//! | `ws` | the WebSocket API | answers connections |
//! | `prioritizer` | whoever tells a lane something; a schedule | holds lanes |
//! | `worker` | the dispatch queue | makes calls |
//! | `results` | the table's stream | tells ends |
//!
//! This root wires the stages to the ports on AWS, and decides nothing. Whatever can be wrong at a start (a role that
//! is none, an environment that lacks something, a configuration with a mistake, a table or a bucket that is missing
//! or may not be used) ends the process with an error that names it, before it takes an event; Lambda is told it too.

mod batch;
mod budget;
mod house;
mod init_error;
mod log;
mod role;
mod roles;

use anyhow::ensure;
use house::House;
use init_error::RUNTIME_API;
use role::Role;
use roles::RuntimeEnded;
use std::process::ExitCode;

fn main() -> ExitCode {
    let logged = log::to_stderr();
    let run = || -> anyhow::Result<()> {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        runtime.block_on(async {
            let ended = start(logged).await;
            if let Err(error) = &ended
                && !error.is::<RuntimeEnded>()
            {
                init_error::tell(error).await;
            }
            ended
        })
    };
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn start(logged: anyhow::Result<()>) -> anyhow::Result<()> {
    logged?;
    let role = Role::parse(std::env::var("_HANDLER").ok().as_deref())?;
    ensure!(
        std::env::var_os(RUNTIME_API).is_some(),
        "{RUNTIME_API} is missing: Lambda sets it, and this binary runs as a Lambda function only"
    );
    let house = House::build().await?;
    match role {
        Role::Input => roles::input::serve(house).await,
        Role::Http => roles::http::serve(house).await,
        Role::Ws => roles::ws::serve(house).await,
        Role::Prioritizer => roles::prioritizer::serve(house).await,
        Role::Worker => roles::worker::serve(house).await,
        Role::Results => roles::results::serve(house).await,
    }
}
