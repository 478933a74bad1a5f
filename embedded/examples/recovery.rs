//! How fast a lane with many waiting jobs comes back after a restart.
//!
//! `cargo run --release -p smoother-embedded --example recovery -- [requests] [dir]`; the directory must be new.

use smoother_core::ports::{Clock, Entropy, NewRequest, PayloadRef, Store};
use smoother_core::request::Fresh;
use smoother_core::{
    Door, Estimate, IdError, LaneId, ModelId, Operation, Priority, Request, RequestId, TenantId, Timestamp,
    Tokens,
};
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
        for insert in inserts.map_err(|error: IdError| error)? {
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

fn job(clock: &SystemClock) -> Result<NewRequest, IdError> {
    let now = clock.now();
    let request = Request {
        priority: Priority::Batch,
        ..Request::fresh(Fresh {
            id: RequestId::fresh(now, OsEntropy.bytes()),
            tenant: TenantId::default(),
            lane: LaneId::new("sonnet")?,
            model: ModelId::new("us.anthropic.claude-sonnet-4-5-20250929-v1:0")?,
            operation: Operation::Converse,
            door: Door::Job,
            arrived_at: now,
            body_hash: [0xab; 32],
            body_bytes: 600,
            estimate: Estimate {
                input: Tokens::new(150),
                max_output: Tokens::new(256),
                expected_output: Tokens::new(60),
            },
        })
    };
    let body = PayloadRef::Inline(vec![b'x'; 600].into());
    Ok(NewRequest { request, body })
}
