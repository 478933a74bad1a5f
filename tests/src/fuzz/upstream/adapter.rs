//! The adapter to Bedrock, in front of a server on the loopback that answers what it is told to.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use smoother_bedrock::{Bedrock, Options};
use smoother_core::config::Config;
use smoother_core::ports::Model;
use smoother_core::{CallNo, LaneId, ModelCall, ModelError, ModelId, ModelStream, RequestId};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::{MODEL, Reply};

/// The adapter and its server. One call at a time.
#[derive(Debug)]
pub struct Adapter {
    bedrock: Bedrock,
    next: Arc<Mutex<Vec<u8>>>,
    lane: LaneId,
    model: ModelId,
    serving: tokio::task::JoinHandle<()>,
}

impl Drop for Adapter {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl Adapter {
    /// Starts the server on the loopback and connects the adapter to it.
    ///
    /// # Errors
    /// The port or the adapter cannot be opened.
    pub async fn open() -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let next = Arc::new(Mutex::new(Vec::new()));
        let serving = tokio::spawn(serve(listener, Arc::clone(&next)));
        let (config, lane) = lane(address)?;
        Ok(Self {
            bedrock: Bedrock::connect(config.lanes.values(), Options::default()).await?,
            next,
            lane,
            model: ModelId::new(MODEL)?,
            serving,
        })
    }

    /// Makes a call that is answered with `reply`.
    ///
    /// # Errors
    /// As the adapter has it.
    pub async fn call(&self, reply: &Reply) -> Result<ModelStream, ModelError> {
        *self.next.lock().unwrap_or_else(PoisonError::into_inner) = reply.wire();
        let call = ModelCall {
            request: RequestId::from_bytes([7; 16]),
            number: CallNo::new(1),
            lane: self.lane.clone(),
            operation: reply.operation,
            model: self.model.clone(),
            body: Bytes::from_static(b"{}"),
            headers: Vec::new(),
        };
        self.bedrock.call(call).await
    }
}

fn lane(address: SocketAddr) -> anyhow::Result<(Config, LaneId)> {
    let text = format!(
        "[lanes.a]\nmodel = \"{MODEL}\"\nregion = \"us-east-1\"\nendpoint = \"http://{address}\"\n\
         tokens_per_minute = 1000000\n"
    );
    Ok((Config::load(Some(("upstream", &text)), None)?, LaneId::new("a")?))
}

async fn serve(listener: TcpListener, next: Arc<Mutex<Vec<u8>>>) {
    while let Ok((stream, _)) = listener.accept().await {
        let wire = next.lock().unwrap_or_else(PoisonError::into_inner).clone();
        // Whoever has heard enough may hang up.
        drop(tokio::spawn(async move { drop(answer(stream, &wire).await) }));
    }
}

async fn answer(mut stream: TcpStream, wire: &[u8]) -> std::io::Result<()> {
    let mut head = Vec::new();
    let mut more = [0; 4096];
    // The body is two bytes and follows the head; a client that waits for an answer has sent it.
    while !head.ends_with(b"{}") {
        let count = stream.read(&mut more).await?;
        if count == 0 {
            return Ok(());
        }
        head.extend_from_slice(&more[..count]);
    }
    stream.write_all(wire).await?;
    stream.shutdown().await
}
