//! How fast a lane with many waiting jobs comes back after a restart.
//!
//! `cargo run --release -p smoother-embedded --example recovery -- [requests] [dir]`; the directory must be new.

use smoother_core::ports::{Clock, Entropy, NewRequest, PayloadRef, Store};
use smoother_core::{LaneId, Request, RequestId, Timestamp};
use smoother_embedded::{OpenOptions, OsEntropy, SqliteStore, SystemClock};
use std::error::Error;
use std::io::Write;
use std::sync::Arc;
use std::time::Instant;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let requests: usize = args.next().map_or(Ok(100_000), |text| text.parse())?;
    let dir = args
        .next()
        .map_or_else(|| std::env::temp_dir().join("smoother-recovery"), Into::into);
    let options = OpenOptions::new(dir);
    let clock = Arc::new(SystemClock::new(Timestamp::EPOCH));
    let mut out = std::io::stdout();

    let store = SqliteStore::open(&options, clock.clone())?.store;
    let started = Instant::now();
    for chunk in 0..requests.div_ceil(1_000) {
        let count = (requests - chunk * 1_000).min(1_000);
        let inserts: Result<Vec<_>, _> = (0..count).map(|_| Ok(store.insert(job(&clock)?))).collect();
        for insert in inserts.map_err(|error: serde_json::Error| error)? {
            insert.await?;
        }
    }
    let rate = requests as f64 / started.elapsed().as_secs_f64();
    writeln!(out, "{requests} jobs inserted at {rate:.0}/s")?;
    drop(store);

    let started = Instant::now();
    let store = SqliteStore::open(&options, clock.clone())?.store;
    let opened = started.elapsed();
    let lane = LaneId::new("sonnet")?;
    let found = store.recover(&lane, Timestamp::EPOCH).await?;
    let whole = started.elapsed();
    writeln!(
        out,
        "open {opened:?}, with recovery of {} requests {whole:?}",
        found.waiting.len()
    )?;
    Ok(())
}

fn job(clock: &SystemClock) -> Result<NewRequest, serde_json::Error> {
    let now = clock.now();
    let id = RequestId::fresh(now, OsEntropy.bytes());
    let request: Request = serde_json::from_value(serde_json::json!({
        "id": id.to_string(), "tenant": "default", "lane": "sonnet",
        "model": "us.anthropic.claude-sonnet-4-5-20250929-v1:0",
        "operation": "converse", "priority": "batch", "door": "job", "state": "QUEUED", "rev": 1,
        "arrived_at": now.as_millis(), "deadline": null, "latest_start": null, "body_hash": "ab".repeat(32),
        "body_bytes": 600, "estimate": {"input": 150, "max_output": 256, "expected_output": 60},
        "on_disconnect": "finish", "on_indeterminate": "retry", "tries": 0, "call": 0, "calls_made": 0,
        "reserved": 0, "start_by": null, "not_before": null, "released_at": null, "started_at": null,
        "first_output_at": null, "ended_at": null, "outcome": null
    }))?;
    let body = PayloadRef::Inline(vec![b'x'; 600].into());
    Ok(NewRequest { request, body })
}
