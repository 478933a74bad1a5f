//! Closed loop: every connection sends its next call when the last was answered.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::Context;
use tokio::time::Instant;

use super::{Prepared, micros};
use crate::plan::{Outcome, Results};
use crate::wire::Connection;

/// Runs `warmup` calls, then `count` counted ones, over `connections`.
pub(super) async fn run(
    url: &str,
    calls: Vec<Prepared>,
    connections: usize,
    warmup: usize,
    count: usize,
) -> anyhow::Result<Results> {
    let calls = Arc::new(calls);
    loops(url, &calls, connections, warmup).await?;
    let start = Instant::now();
    let outcomes = loops(url, &calls, connections, count).await?;
    Ok(Results {
        outcomes,
        elapsed_us: micros(start),
        ..Results::default()
    })
}

async fn loops(
    url: &str,
    calls: &Arc<Vec<Prepared>>,
    connections: usize,
    count: usize,
) -> anyhow::Result<Vec<Outcome>> {
    let next = Arc::new(AtomicUsize::new(0));
    let mut running = Vec::with_capacity(connections);
    for _ in 0..connections {
        let connection = Connection::open(url).await?;
        running.push(tokio::spawn(one_loop(
            url.to_owned(),
            connection,
            Arc::clone(calls),
            Arc::clone(&next),
            count,
        )));
    }
    let mut outcomes = Vec::with_capacity(count);
    for each in running {
        outcomes.extend(each.await.context("a connection's loop ended early")?);
    }
    Ok(outcomes)
}

async fn one_loop(
    url: String,
    mut connection: Connection,
    calls: Arc<Vec<Prepared>>,
    next: Arc<AtomicUsize>,
    count: usize,
) -> Vec<Outcome> {
    let mut outcomes = Vec::new();
    loop {
        let number = next.fetch_add(1, Ordering::Relaxed);
        if number >= count || calls.is_empty() {
            return outcomes;
        }
        let call = &calls[number % calls.len()];
        let due = Instant::now();
        if !connection.usable() {
            match Connection::open(&url).await {
                Ok(fresh) => connection = fresh,
                Err(error) => {
                    outcomes.push(call.outcome(due, Err(error)));
                    continue;
                }
            }
        }
        let answer = call.send(&mut connection).await;
        outcomes.push(call.outcome(due, answer));
    }
}
