//! A client process: makes its share of the plan's requests at their times, and writes down what it is told.
//!
//! It is never killed, so what it has written is what it knew. Its records go out line by line; the driver reads
//! them when the process has ended.

mod job;
mod sync;
mod wire;

use std::fs::File;
use std::io::{LineWriter, Write};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::plan::{Ask, Plan, Way};
use super::records::{Told, What};
use super::wall::now_ms;
use wire::Wire;
pub(super) use wire::digest;

/// What a client process is told by its command line.
#[derive(Debug, Clone)]
pub struct Client {
    pub plan: Plan,
    pub number: u64,
    /// Where the server listens, when it does.
    pub url: String,
    /// Where to write.
    pub told: PathBuf,
    /// How long one request may take before it is given up.
    pub patience: Duration,
}

/// What every request of a client shares.
struct Desk {
    wire: Wire,
    told: Mutex<LineWriter<File>>,
    patience: Duration,
}

impl Client {
    /// Makes every request, and ends when each has its end.
    ///
    /// # Errors
    /// The file cannot be written.
    pub async fn run(self) -> anyhow::Result<()> {
        let file =
            File::create(&self.told).with_context(|| format!("cannot write {}", self.told.display()))?;
        let desk = Arc::new(Desk {
            wire: Wire::new(&self.url)?,
            told: Mutex::new(LineWriter::new(file)),
            patience: self.patience,
        });
        let (begun, places) = (Instant::now(), Arc::new(Semaphore::new(self.plan.at_once())));
        let mut requests = JoinSet::new();
        for n in 0..self.plan.share_of(self.number) {
            let ask = self.plan.ask(self.number, n);
            tokio::time::sleep_until(begun + Duration::from_millis(ask.at_ms)).await;
            let place = Arc::clone(&places).acquire_owned().await?;
            let desk = Arc::clone(&desk);
            requests.spawn(async move {
                let outcome = desk.see_through(&ask).await;
                drop(place);
                outcome
            });
            while let Some(done) = requests.try_join_next() {
                done??;
            }
        }
        while let Some(done) = requests.join_next().await {
            done??;
        }
        Ok(())
    }
}

impl Desk {
    async fn see_through(&self, ask: &Ask) -> anyhow::Result<()> {
        let fail_on_indeterminate = matches!(
            ask.way,
            Way::Job {
                fail_on_indeterminate: true,
                ..
            }
        );
        let how = format!(
            "{:?} {} {:?}, timeout {:?}, max wait {:?}, trouble {:?}",
            ask.operation, ask.model.lane, ask.way, ask.timeout_ms, ask.max_wait_ms, ask.trouble
        );
        self.note(
            ask,
            What::Asked {
                how,
                fail_on_indeterminate,
            },
        )?;
        match &ask.way {
            Way::Sync { .. } => sync::call(self, ask).await,
            Way::Job { .. } => job::see_through(self, ask).await,
        }
    }

    fn note(&self, ask: &Ask, what: What) -> anyhow::Result<()> {
        let told = Told {
            at_ms: now_ms(),
            mark: ask.mark.clone(),
            what,
        };
        let mut line = serde_json::to_vec(&told)?;
        line.push(b'\n');
        let mut file = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(file.write_all(&line)?)
    }
}
