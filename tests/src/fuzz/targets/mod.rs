//! The places of the house that take bytes from outside.

use std::path::Path;
use std::sync::Arc;

use super::Target;

pub mod batch;
pub mod calls;
pub mod config;
pub mod doors;
pub mod operator;
pub mod script;
pub mod store;
pub mod upstream;

/// Every target; `programs` is the folder in which the built programs are.
///
/// # Errors
/// One cannot be set up.
pub async fn all(programs: &Path) -> anyhow::Result<Vec<Arc<dyn Target>>> {
    Ok(vec![
        Arc::new(doors::Doors::open().await?),
        Arc::new(operator::Operator::open().await?),
        Arc::new(upstream::Frames::open().await?),
        Arc::new(calls::Calls::open().await?),
        Arc::new(config::Configs),
        Arc::new(script::Scripts),
        Arc::new(batch::Batches::open(programs).await?),
        Arc::new(store::Stores::open().await?),
    ])
}
