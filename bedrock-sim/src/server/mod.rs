//! The HTTP server: accepts connections on the caller's runtime and ends gracefully.

mod admin;
mod call;
mod generation;
mod guardrail;
mod reply;
mod route;
mod ticket;

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde::{Deserialize, Serialize};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::calls::CallRecord;
use crate::clock::Clock;
use crate::hash;
use crate::script::Script;
use crate::settings::{Settings, SettingsError};
use crate::state::State;
use crate::stats::StatsReport;

/// How long [`RunningSim::stop`] lets running calls finish.
const GRACE: Duration = Duration::from_secs(2);

/// How a simulator starts.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SimConfig {
    /// Port on 127.0.0.1; 0 takes a free one.
    pub port: u16,
    /// How many calls the log at `GET /calls` keeps; 0 keeps none.
    pub call_log: usize,
    /// What may change later.
    pub settings: Settings,
    /// What goes wrong from the start on.
    pub script: Option<Script>,
}

/// A simulator that could not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A setting outside its range.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// The port is taken or not allowed.
    #[error("cannot listen on {address}: {source}; choose another port, or 0 for a free one")]
    Listen {
        /// Where it should have listened.
        address: SocketAddr,
        /// Why it cannot.
        source: io::Error,
    },
}

/// The simulator.
#[derive(Debug)]
pub struct Sim;

impl Sim {
    /// Starts a simulator on the current tokio runtime.
    ///
    /// # Errors
    /// A setting is out of range, or the port cannot be listened on.
    pub async fn start(config: SimConfig) -> Result<RunningSim, StartError> {
        config.settings.check()?;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, config.port));
        let listen = |source| StartError::Listen { address, source };
        let listener = TcpListener::bind(address).await.map_err(listen)?;
        let addr = listener.local_addr().map_err(listen)?;
        let shared = Arc::new(Shared {
            clock: Clock::start(),
            state: Mutex::new(State::new(config.settings, config.script, config.call_log)),
            ids: RequestIds::new(addr),
        });
        let server = Server {
            shared: Arc::clone(&shared),
            tasks: TaskTracker::new(),
            stopping: CancellationToken::new(),
            ended: CancellationToken::new(),
        };
        let tasks = server.tasks.clone();
        let (stopping, ended) = (server.stopping.clone(), server.ended.clone());
        tasks.spawn(server.accept(listener));
        Ok(RunningSim {
            addr,
            shared,
            tasks,
            stopping,
            ended,
        })
    }
}

/// A simulator that answers. Dropping it ends it at once; [`Self::stop`] ends it gracefully.
#[derive(Debug)]
pub struct RunningSim {
    addr: SocketAddr,
    shared: Arc<Shared>,
    tasks: TaskTracker,
    stopping: CancellationToken,
    ended: CancellationToken,
}

impl RunningSim {
    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Its endpoint URL, `http://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// What `GET /stats` answers.
    pub fn stats(&self) -> StatsReport {
        self.shared.state().report(self.shared.clock.now())
    }

    /// What `POST /stats/reset` does.
    pub fn reset_stats(&self) {
        self.shared.state().reset();
    }

    /// What `GET /calls` answers; with `id`, only calls of this mark.
    pub fn calls(&self, id: Option<&str>) -> Vec<CallRecord> {
        self.shared.state().calls(id)
    }

    /// The settings in force.
    pub fn settings(&self) -> Settings {
        Settings::clone(&self.shared.state().settings())
    }

    /// Changes the settings for all calls that arrive from now on.
    ///
    /// # Errors
    /// A setting is out of range; nothing changes.
    pub fn configure(&self, settings: Settings) -> Result<(), SettingsError> {
        settings.check()?;
        self.shared.state().configure(self.shared.clock.now(), settings);
        Ok(())
    }

    /// Puts a script in place of the one before, from now on; none takes it away.
    pub fn set_script(&self, script: Option<Script>) {
        self.shared.state().set_script(self.shared.clock.now(), script);
    }

    /// Accepts no more calls, lets running ones finish for two seconds, ends the rest.
    pub async fn stop(self) {
        self.stop_within(GRACE).await;
    }

    /// As [`Self::stop`], with another time to finish.
    pub async fn stop_within(self, grace: Duration) {
        self.stopping.cancel();
        self.tasks.close();
        if tokio::time::timeout(grace, self.tasks.wait()).await.is_err() {
            self.ended.cancel();
            self.tasks.wait().await;
        }
    }
}

impl Drop for RunningSim {
    fn drop(&mut self) {
        self.stopping.cancel();
        self.ended.cancel();
    }
}

/// What every connection shares.
#[derive(Debug)]
struct Shared {
    clock: Clock,
    state: Mutex<State>,
    ids: RequestIds,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        // The state is counters; a panic elsewhere cannot leave them unusable.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Makes ids that look as Bedrock's: random UUIDs.
#[derive(Debug)]
struct RequestIds {
    seed: u64,
    next: std::sync::atomic::AtomicU64,
}

impl RequestIds {
    /// Ids differ between simulators that run at once, which have different ports.
    fn new(addr: SocketAddr) -> Self {
        let seed = hash::mix(u64::from(addr.port()) ^ (u64::from(std::process::id()) << 16));
        Self {
            seed,
            next: std::sync::atomic::AtomicU64::new(0),
        }
    }

    /// A number of its own for one call.
    fn next(&self) -> u64 {
        self.seed
            .wrapping_add(self.next.fetch_add(1, std::sync::atomic::Ordering::Relaxed))
    }

    fn uuid(nonce: u64) -> String {
        let (high, low) = (hash::mix(nonce), hash::mix(!nonce));
        uuid::Builder::from_random_bytes((u128::from(high) << 64 | u128::from(low)).to_be_bytes())
            .into_uuid()
            .to_string()
    }
}

struct Server {
    shared: Arc<Shared>,
    tasks: TaskTracker,
    stopping: CancellationToken,
    ended: CancellationToken,
}

impl Server {
    async fn accept(self, listener: TcpListener) {
        loop {
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                () = self.stopping.cancelled() => return,
            };
            match accepted {
                Ok((stream, _)) => self.serve(stream),
                // Out of file descriptors, as a rule: others close theirs meanwhile.
                Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
            }
        }
    }

    fn serve(&self, stream: TcpStream) {
        // Without it small events of a stream wait for the client's acknowledgement.
        let _best_effort = stream.set_nodelay(true);
        let shared = Arc::clone(&self.shared);
        let service = service_fn(move |request| route::answer(Arc::clone(&shared), request));
        let connection = http1::Builder::new()
            .header_read_timeout(None)
            .serve_connection(TokioIo::new(stream), service);
        let (stopping, ended) = (self.stopping.clone(), self.ended.clone());
        self.tasks.spawn(async move {
            let mut connection = std::pin::pin!(connection);
            // Errors of a connection are the client's to see: it was closed, by either side.
            tokio::select! {
                _closed = connection.as_mut() => return,
                () = stopping.cancelled() => connection.as_mut().graceful_shutdown(),
            }
            tokio::select! {
                _closed = connection.as_mut() => {}
                () = ended.cancelled() => {}
            }
        });
    }
}
