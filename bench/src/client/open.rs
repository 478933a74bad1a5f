//! Open loop: calls start when they are due, whatever became of the earlier ones.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::task::LocalSet;
use tokio::time::Instant;

use super::{Prepared, micros};
use crate::plan::{Outcome, Results, UNANSWERED};
use crate::wire::Connection;

/// Connections that wait for their next call, the last used first: few are open when few are needed.
type Idle = Rc<RefCell<Vec<(Connection, Instant)>>>;

/// A connection that was idle for longer is not used again: common servers close theirs after 5 s, and a call that meets
/// that moment would fail by no fault of the server's.
const IDLE: Duration = Duration::from_secs(3);

/// Runs every call at its own time; what is not answered so many microseconds after the start is given up.
pub(super) async fn run(url: &str, calls: Vec<Prepared>, until_us: Option<u64>) -> Results {
    let local = LocalSet::new();
    local.run_until(schedule(url, calls, until_us)).await
}

async fn schedule(url: &str, calls: Vec<Prepared>, until_us: Option<u64>) -> Results {
    let idle = Idle::default();
    let mut running = Vec::with_capacity(calls.len());
    let start = Instant::now();
    let until = until_us.map(|until| start + Duration::from_micros(until));
    let mut due = pace(start, calls);
    while let Some((call, at)) = due.recv().await {
        running.push(tokio::task::spawn_local(one(
            url.to_owned(),
            call,
            at,
            until,
            Rc::clone(&idle),
        )));
    }
    let mut results = Results::default();
    for call in running {
        results.outcomes.push(call.await.unwrap_or_else(|error| Outcome {
            error: Some(error.to_string()),
            ..Outcome::default()
        }));
    }
    results.elapsed_us = micros(start);
    results
}

/// Hands out each call when it is due. A thread that sleeps is on time within some 50 µs and costs nothing
/// between two calls; the runtime's own timers have a grain of 1 ms, most of what is measured here.
fn pace(start: Instant, calls: Vec<Prepared>) -> UnboundedReceiver<(Prepared, Instant)> {
    let (sender, receiver) = unbounded_channel();
    std::thread::spawn(move || {
        for call in calls {
            let due = start + Duration::from_micros(call.call.at_us);
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
            if sender.send((call, due)).is_err() {
                return;
            }
        }
    });
    receiver
}

async fn one(url: String, call: Prepared, due: Instant, until: Option<Instant>, idle: Idle) -> Outcome {
    let answer = async {
        let mut connection = match free(&idle) {
            Some(connection) => connection,
            None => Connection::open(&url).await?,
        };
        let answer = call.send(&mut connection).await?;
        idle.borrow_mut().push((connection, Instant::now()));
        Ok(answer)
    };
    let answer = match until {
        Some(until) => tokio::time::timeout_at(until, answer)
            .await
            .unwrap_or_else(|_| Err(anyhow::anyhow!("{UNANSWERED}"))),
        None => answer.await,
    };
    call.outcome(due, answer)
}

fn free(idle: &Idle) -> Option<Connection> {
    let mut idle = idle.borrow_mut();
    idle.retain(|(connection, since)| connection.usable() && since.elapsed() < IDLE);
    idle.pop().map(|(connection, _)| connection)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::plan::Call;

    fn at(at_us: u64) -> Prepared {
        Prepared::from(Call {
            at_us,
            path: "/".to_owned(),
            class: "normal".to_owned(),
            max_tokens: 1,
            ..Call::default()
        })
    }

    /// A server that never answers must not delay the calls after: that would hide its slowness.
    #[tokio::test]
    async fn calls_start_when_they_are_due_whatever_became_of_earlier_ones() {
        let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", silent.local_addr().unwrap());
        let calls = (0..5).map(|n| at(n * 2_000)).collect();
        let local = LocalSet::new();
        let running = local.run_until(async move {
            let running = tokio::task::spawn_local(async move { schedule(&url, calls, None).await });
            let mut open = Vec::new();
            for _ in 0..5 {
                open.push(silent.accept().await.unwrap());
            }
            // All five are connected while none was answered; closing them ends the calls.
            drop(open);
            running.await.unwrap()
        });
        let results = running.await;
        assert_eq!(results.outcomes.len(), 5);
        assert!(results.outcomes.iter().all(|outcome| outcome.error.is_some()));
    }

    #[tokio::test]
    async fn what_is_not_answered_in_time_is_given_up_and_told() {
        let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", silent.local_addr().unwrap());
        let results = run(&url, vec![at(0), at(1_000)], Some(20_000)).await;
        let told: Vec<&str> = results
            .outcomes
            .iter()
            .filter_map(|outcome| outcome.error.as_deref())
            .collect();
        assert_eq!(told, [UNANSWERED, UNANSWERED]);
    }
}
