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
//! or may not be used) ends the process with an error that names it, before it takes an event.

mod batch;
mod budget;
mod house;
mod log;
mod role;
mod roles;

use house::House;
use role::Role;
use std::process::ExitCode;

fn main() -> ExitCode {
    let run = || -> anyhow::Result<()> {
        log::to_stderr()?;
        let role = Role::parse(std::env::var("_HANDLER").ok().as_deref())?;
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        runtime.block_on(serve(role))
    };
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn serve(role: Role) -> anyhow::Result<()> {
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
