//! Looks at the target and the simulator all through a run, and puts the script in place as the first call comes.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::time::Duration;

use anyhow::ensure;
use bytes::Bytes;
use http::Method;
use serde_json::Value;
use tokio::time::Instant;

use super::number;
use crate::driver::Stand;
use crate::wire::Connection;

const EVERY: Duration = Duration::from_millis(250);

/// Refusals for quota or connections that the script makes.
const INJECTED: [&str; 6] = [
    "throttle",
    "429",
    "throttle-requests",
    "throttle-day",
    "throttle-connections",
    "503-connections",
];

/// How things stood.
#[derive(Debug, Clone, Default)]
pub(super) struct Moment {
    /// Milliseconds after the first call.
    pub(super) at_ms: u64,
    /// Requests that waited in the target's lanes.
    pub(super) waiting: u64,
    /// Times a breaker of the target had opened.
    pub(super) opened: u64,
    /// Calls that the simulator had got.
    pub(super) calls: u64,
    /// Of these, refused for quota or connections.
    pub(super) refused: u64,
}

#[derive(Debug, Default)]
pub(super) struct Watch {
    begun: Option<Instant>,
    pub(super) moments: Vec<Moment>,
}

impl Watch {
    /// Looks on until it is dropped.
    pub(super) async fn keep(&mut self, stand: &Stand<'_>, script: &Bytes) -> anyhow::Result<Infallible> {
        while number(&stand.simulator.json("/stats").await?, "/calls") == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        self.begun = Some(Instant::now());
        let mut simulator = Connection::open(&stand.simulator.url).await?;
        let put = simulator
            .send(Method::PUT, "/script", &BTreeMap::new(), script.clone())
            .await?;
        ensure!(
            put.status == 200,
            "the simulator refused the script: {}",
            String::from_utf8_lossy(&put.body)
        );
        loop {
            self.look(stand).await?;
            tokio::time::sleep(EVERY).await;
        }
    }

    /// Looks once.
    pub(super) async fn look(&mut self, stand: &Stand<'_>) -> anyhow::Result<()> {
        let at = self.begun.map_or(Duration::ZERO, |begun| begun.elapsed());
        let stats = stand.simulator.json("/stats").await?;
        let lanes = match &stand.server {
            Some(server) => server.json("/v1/lanes").await?,
            None => Value::Null,
        };
        let lanes = lanes["lanes"].as_array().map_or(&[][..], Vec::as_slice);
        self.moments.push(Moment {
            at_ms: u64::try_from(at.as_millis())?,
            waiting: lanes.iter().map(waiting).sum(),
            opened: lanes.iter().map(|lane| number(lane, "/breaker/opened")).sum(),
            calls: number(&stats, "/calls"),
            refused: refused(&stats),
        });
        Ok(())
    }
}

fn waiting(lane: &Value) -> u64 {
    let bands = lane["waiting"].as_object();
    bands
        .into_iter()
        .flatten()
        .map(|(_, band)| number(band, "/requests"))
        .sum()
}

fn refused(stats: &Value) -> u64 {
    let limits = stats["throttled"].as_object();
    let by_limit: u64 = limits
        .into_iter()
        .flatten()
        .filter_map(|(_, count)| count.as_u64())
        .sum();
    let injected: u64 = INJECTED
        .iter()
        .map(|name| number(&stats["faults"], &format!("/{name}")))
        .sum();
    by_limit + injected
}

/// How things stood at the beginning and the end of a span: the newest look at each.
pub(super) fn around(moments: &[Moment], from_ms: u64, until_ms: u64) -> (Moment, Moment) {
    let at = |ms: u64| {
        let before = moments.partition_point(|moment| moment.at_ms <= ms);
        moments
            .get(before.saturating_sub(1))
            .filter(|_| before > 0)
            .cloned()
            .unwrap_or_default()
    };
    (at(from_ms), at(until_ms))
}

/// The looks within a span.
pub(super) fn within(moments: &[Moment], from_ms: u64, until_ms: u64) -> impl Iterator<Item = &Moment> {
    let during = from_ms..until_ms;
    moments
        .iter()
        .filter(move |moment| during.contains(&moment.at_ms))
}

/// When after `from_ms` nothing waited for the first time, in seconds.
pub(super) fn emptied(moments: &[Moment], from_ms: u64, until_ms: u64) -> Option<f64> {
    let empty = moments
        .iter()
        .find(|moment| (from_ms..until_ms).contains(&moment.at_ms) && moment.waiting == 0)?;
    Some((empty.at_ms - from_ms) as f64 / 1e3)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn moment(at_ms: u64, waiting: u64, calls: u64) -> Moment {
        Moment {
            at_ms,
            waiting,
            calls,
            ..Moment::default()
        }
    }

    #[test]
    fn a_span_counts_from_the_look_before_it_to_its_last() {
        let moments = [
            moment(0, 0, 1),
            moment(250, 9, 40),
            moment(500, 3, 90),
            moment(750, 0, 95),
        ];
        let (first, last) = around(&moments, 300, 700);
        assert_eq!((first.calls, last.calls), (40, 90));
        assert_eq!(within(&moments, 250, 700).map(|m| m.waiting).max(), Some(9));
        assert_eq!(emptied(&moments, 200, 10_000), Some(0.55));
        assert_eq!(emptied(&moments, 800, 10_000), None);
        assert_eq!(emptied(&moments, 200, 700), None, "not within the phase");
    }

    #[test]
    fn refusals_are_those_of_the_limits_and_those_of_the_script() {
        let stats = json!({
            "throttled": { "tokens": 3, "requests": 0, "day": 0, "concurrency": 2 },
            "faults": { "throttle": 10, "500": 7, "503-connections": 1 },
        });
        assert_eq!(refused(&stats), 16);
        let lane = json!({ "waiting": { "batch": { "requests": 2 }, "normal": { "requests": 5 } } });
        assert_eq!(waiting(&lane), 7);
    }
}
