//! What could be had at best: a client that sees the limiter's own state, knows each call's length, and lets the highest
//! priority go first and each priority in order of arrival, whenever there is room. It is a bound to compare with, not a
//! proven optimum: one that packs calls of unlike size could use a window's end a little better.

mod greedy;
mod limit;

use anyhow::{Context, bail};
use serde_json::Value;

use crate::plan::Call;
use greedy::{Greedy, Order};
use limit::Kind;

/// What the upstream does, from the settings of its simulator.
#[derive(Debug, Clone)]
pub struct Upstream {
    kind: Kind,
    tokens_per_minute: f64,
    requests_per_minute: Option<f64>,
    burndown: f64,
    base_s: f64,
    per_token_s: f64,
    /// What other clients leave.
    left: f64,
}

/// How it would go.
#[derive(Debug, Clone, Default)]
pub struct Best {
    /// Each call's wait in seconds, by its place; none for a call that can never be admitted.
    pub waits: Vec<Option<f64>>,
    /// Of the limit that binds, as the simulator counts it, from the first admission to the last answer.
    pub utilisation: f64,
    /// That time.
    pub busy_s: f64,
}

impl Upstream {
    /// Reads the simulator's settings.
    ///
    /// # Errors
    /// They have no quota of tokens.
    pub fn new(settings: &Value) -> anyhow::Result<Self> {
        let number = |pointer: &str| settings.pointer(pointer).and_then(Value::as_f64);
        let kind = match settings.pointer("/quota/limiter").and_then(Value::as_str) {
            None | Some("bucket") => Kind::Bucket {
                seconds: number("/quota/bucket_seconds").unwrap_or(10.0),
            },
            Some("fixed") => Kind::Fixed {
                phase: number("/quota/window_phase_ms").unwrap_or_default() / 1e3,
            },
            Some("sliding") => Kind::Sliding,
            Some(other) => bail!("the limiter {other:?} is unknown"),
        };
        Ok(Self {
            kind,
            tokens_per_minute: number("/quota/tokens_per_minute")
                .context("the simulator's settings have no quota.tokens_per_minute")?,
            requests_per_minute: number("/quota/requests_per_minute"),
            burndown: number("/output_burndown").unwrap_or(5.0),
            base_s: number("/latency/base_ms").unwrap_or_default() / 1e3,
            per_token_s: number("/latency/per_token_ms").unwrap_or_default() / 1e3,
            left: 1.0 - number("/external_load").unwrap_or_default(),
        })
    }

    /// How long the model takes for a call.
    pub fn service_s(&self, call: &Call) -> f64 {
        self.base_s + self.per_token_s * call.output_tokens as f64
    }

    /// What a call costs in the end.
    pub fn cost(&self, call: &Call) -> f64 {
        call.input_tokens as f64 + self.burndown * call.output_tokens as f64
    }

    /// What of the quota is left to this client.
    pub fn left(&self) -> f64 {
        self.left
    }

    pub(super) fn reserved(call: &Call) -> f64 {
        (call.input_tokens + call.max_tokens) as f64
    }

    /// The best that could be had of these calls, which are in order of arrival.
    pub fn best(&self, calls: &[Call]) -> Best {
        Greedy::new(self, calls, Order::ByPriority).run()
    }

    /// The same where whoever came first goes first, whatever his priority.
    pub fn first_come(&self, calls: &[Call]) -> Best {
        Greedy::new(self, calls, Order::FirstCome).run()
    }
}

pub(super) fn seconds(micros: u64) -> f64 {
    micros as f64 / 1e6
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use serde_json::json;

    use super::*;

    fn call(at_us: u64, class: &str, max_tokens: u64) -> Call {
        Call {
            at_us,
            class: class.to_owned(),
            input_tokens: 100,
            output_tokens: 20,
            max_tokens,
            ..Call::default()
        }
    }

    fn upstream(limiter: &str) -> Upstream {
        Upstream::new(&json!({
            "output_burndown": 5, "latency": { "base_ms": 1000.0, "per_token_ms": 0.0 },
            "quota": { "tokens_per_minute": 1200, "limiter": limiter, "bucket_seconds": 10.0 },
        }))
        .unwrap()
    }

    #[test]
    fn a_bucket_lets_its_capacity_go_at_once_and_the_rest_at_the_rate() {
        // Each reserves and costs 200 tokens; the bucket holds 200 and 20 come back each second.
        let calls: Vec<Call> = (0..3).map(|_| call(0, "batch", 100)).collect();
        let best = upstream("bucket").best(&calls);
        let waits: Vec<f64> = best.waits.iter().map(|wait| wait.unwrap().round()).collect();
        assert_eq!(waits, [0.0, 10.0, 20.0]);
        assert!((best.busy_s - 21.0).abs() < 0.01);
        assert!((best.utilisation - 600.0 / (20.0 * 21.0)).abs() < 0.01);
    }

    #[test]
    fn the_first_priority_overtakes_and_what_never_fits_is_left_out() {
        let calls = [
            call(0, "batch", 100),
            call(0, "batch", 100),
            call(0, "batch", 1_000),
            call(1_000_000, "interactive", 100),
        ];
        let best = upstream("bucket").best(&calls);
        let waits: Vec<Option<f64>> = best.waits.iter().map(|wait| wait.map(f64::round)).collect();
        assert_eq!(waits, [Some(0.0), Some(20.0), None, Some(9.0)]);
    }

    #[test]
    fn who_came_first_goes_first_where_nothing_else_counts() {
        let calls = [
            call(0, "batch", 100),
            call(0, "batch", 100),
            call(1_000_000, "interactive", 100),
        ];
        let first_come = upstream("bucket").first_come(&calls);
        let waits: Vec<f64> = first_come
            .waits
            .iter()
            .map(|wait| wait.unwrap().round())
            .collect();
        assert_eq!(waits, [0.0, 10.0, 19.0]);
    }

    #[test]
    fn windows_give_a_minutes_quota_at_once() {
        for (limiter, last) in [("fixed", 60.0), ("sliding", 60.0)] {
            let calls: Vec<Call> = (0..7).map(|_| call(0, "normal", 100)).collect();
            let best = upstream(limiter).best(&calls);
            let waits: Vec<f64> = best.waits.iter().map(|wait| wait.unwrap().round()).collect();
            assert_eq!(waits[..6], [0.0; 6], "{limiter}");
            assert_eq!(waits[6], last, "{limiter}");
        }
    }
}
