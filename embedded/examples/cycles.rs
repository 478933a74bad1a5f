//! How fast the store carries synchronous calls: insert → release → claim → end, alone and by many at once.
//!
//! `cargo run --release -p smoother-embedded --example cycles -- [tasks] [seconds] [strict|relaxed] [dir]`

use smoother_core::call::{CallEnding, Settlement};
use smoother_core::config::Durability;
use smoother_core::lifecycle::Change;
use smoother_core::ports::{Clock, Entropy, NewRequest, PayloadKind, PayloadRef, Payloads, Store};
use smoother_core::request::Fresh;
use smoother_core::{
    CallNo, Door, Estimate, IdError, LaneId, Millis, ModelId, Operation, Request, RequestId, TenantId,
    Timestamp, Tokens,
};
use smoother_embedded::{OpenOptions, OsEntropy, SqliteStore, SystemClock};
use std::error::Error;
use std::io::Write;
use std::sync::Arc;
use std::time::{Duration, Instant};

type Failure = Box<dyn Error + Send + Sync>;

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let mut args = std::env::args().skip(1);
    let tasks: usize = args.next().map_or(Ok(64), |text| text.parse())?;
    let seconds: u64 = args.next().map_or(Ok(5), |text| text.parse())?;
    let relaxed = args.next().is_some_and(|text| text == "relaxed");
    let dir = args
        .next()
        .map_or_else(|| std::env::temp_dir().join("smoother-cycles"), Into::into);

    let clock = Arc::new(SystemClock::new(smoother_core::Timestamp::EPOCH));
    let mut options = OpenOptions::new(dir);
    if relaxed {
        options.durability = Durability::Relaxed;
    }
    let opened = SqliteStore::open(&options, clock.clone())?;
    clock.raise(opened.newest);

    let (commits, started) = (opened.store.commits(), Instant::now());
    let until = started + Duration::from_secs(seconds);
    let mut running = tokio::task::JoinSet::new();
    for _ in 0..tasks {
        running.spawn(cycles(Arc::clone(&opened.store), clock.clone(), until));
    }
    let mut took = Vec::new();
    while let Some(one) = running.join_next().await {
        took.extend(one??);
    }
    let elapsed = started.elapsed();
    let commits = opened.store.commits() - commits;
    took.sort_unstable();
    let at = |percent: usize| took.get(took.len() * percent / 100).copied().unwrap_or_default();
    writeln!(
        std::io::stdout(),
        "{tasks} tasks, {}: {:.0} cycles/s, {:.3} commits/cycle, cycle p50 {:?} p99 {:?}",
        if relaxed { "relaxed" } else { "strict" },
        took.len() as f64 / elapsed.as_secs_f64(),
        commits as f64 / took.len().max(1) as f64,
        at(50),
        at(99),
    )?;
    Ok(opened.store.close().await?)
}

async fn cycles(
    store: Arc<SqliteStore>,
    clock: Arc<SystemClock>,
    until: Instant,
) -> Result<Vec<Duration>, Failure> {
    let mut took = Vec::new();
    while Instant::now() < until {
        let began = Instant::now();
        cycle(&store, &clock).await?;
        took.push(began.elapsed());
    }
    Ok(took)
}

/// One call as the stages drive it: nothing is awaited before the claim.
async fn cycle(store: &SqliteStore, clock: &SystemClock) -> Result<(), Failure> {
    let now = clock.now();
    let call = CallNo::new(1);
    let request = request(RequestId::fresh(now, OsEntropy.bytes()), now)?;
    let (id, lane) = (request.id, request.lane.clone());
    let body = PayloadRef::Inline(vec![b'x'; 600].into());
    let inserted = store.insert(NewRequest { request, body });
    let release = Change::Release {
        lane,
        call,
        reserve: Tokens::new(400),
        start_by: now + Millis::from_secs(20),
        at: now,
    };
    let released = store.change(id, release);
    store
        .change(
            id,
            Change::Claim {
                call,
                at: clock.now(),
            },
        )
        .await?;
    store.fetch(id, PayloadKind::Body).await?;
    let at = clock.now();
    let settlement = Settlement {
        call,
        ending: CallEnding::Completed,
        charged: Tokens::new(300),
        usage: None,
        throttle: None,
        error: None,
        upstream_request_id: Some("11111111-2222-3333-4444-555555555555".to_owned()),
        at,
    };
    let complete = Change::Complete {
        call,
        answer: smoother_core::Outcome::Answer {
            head: smoother_core::ModelHead::default(),
            usage: None,
            bytes: 500,
        },
        first_output_at: Some(at),
        at,
    };
    let result = PayloadRef::Inline(vec![b'y'; 500].into());
    store
        .end(id, settlement, Some(complete), Some(result))
        .await?
        .request?;
    inserted.await?;
    released.await?;
    Ok(())
}

fn request(id: RequestId, arrived_at: Timestamp) -> Result<Request, IdError> {
    Ok(Request::fresh(Fresh {
        id,
        tenant: TenantId::default(),
        lane: LaneId::new("sonnet")?,
        model: ModelId::new("us.anthropic.claude-sonnet-4-5-20250929-v1:0")?,
        operation: Operation::Converse,
        door: Door::Sync,
        arrived_at,
        body_hash: [0xab; 32],
        body_bytes: 600,
        estimate: Estimate {
            input: Tokens::new(150),
            max_output: Tokens::new(256),
            expected_output: Tokens::new(60),
        },
    }))
}
