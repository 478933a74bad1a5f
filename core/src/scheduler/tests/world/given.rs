//! What a world is made of: moments, names, a lane and its requests, and chance.

use crate::config::{LaneConfig, Pacing, PriorityWeights};
use crate::ids::{CallNo, LaneId, ModelId, RequestId, TenantId};
use crate::request::Priority;
use crate::scheduler::{Handing, SchedulerConfig, Waiting};
use crate::units::{Millis, RequestsPerMinute, Timestamp, Tokens, TokensPerMinute};
use std::collections::BTreeMap;

/// 2026-11-20T12:00:07Z: not on a minute.
pub(crate) const START: u64 = 1_795_176_007_000;

pub(crate) fn at(ms: u64) -> Timestamp {
    Timestamp::from_millis(START + ms)
}

pub(crate) fn id(number: u64) -> RequestId {
    let mut bytes = [0u8; 16];
    bytes[8..].copy_from_slice(&number.to_be_bytes());
    RequestId::from_bytes(bytes)
}

pub(crate) fn tenant(name: &str) -> TenantId {
    TenantId::new(name).unwrap()
}

pub(crate) fn lane(tokens: u64, requests: Option<u64>, pacing: Pacing) -> LaneConfig {
    LaneConfig {
        id: LaneId::new("test").unwrap(),
        models: vec![ModelId::new("model").unwrap()],
        region: "us-east-1".to_owned(),
        endpoint: None,
        role_arn: None,
        tokens_per_minute: TokensPerMinute::new(tokens),
        requests_per_minute: requests.map(RequestsPerMinute::new),
        tokens_per_day: None,
        max_concurrency: 10_000,
        output_burndown: 5,
        max_output_tokens: 64_000,
        pacing,
        chunk_timeout: Millis::from_secs(60),
        call_timeout: Millis::from_secs(600),
        max_tries: 3,
        fallback: crate::config::FallbackConfig::default(),
        breaker: crate::breaker::BreakerConfig::default(),
    }
}

pub(crate) fn config(lane: LaneConfig) -> SchedulerConfig {
    SchedulerConfig {
        lane,
        priorities: PriorityWeights::default(),
        tenants: BTreeMap::new(),
        caps: BTreeMap::new(),
        limits: crate::config::Limits::default(),
        bounds: BTreeMap::new(),
        window: None,
        handing: Handing::default(),
    }
}

pub(crate) fn waiting(number: u64, arrived: u64, priority: Priority, reserve: u64) -> Waiting {
    Waiting {
        id: id(number),
        tenant: TenantId::default(),
        priority,
        arrived_at: at(arrived),
        deadline: None,
        latest_start: None,
        reserve: Tokens::new(reserve),
        expected: Tokens::new(reserve),
        surplus: Tokens::ZERO,
        last_call: CallNo::NONE,
        not_before: None,
        retries: false,
        may_leave: false,
        has_next_lane: false,
        by_caller: false,
    }
}

/// Numbers that look random and are the same in every run (SplitMix64).
#[derive(Debug, Clone)]
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// 0 to 1, without 1.
    pub(crate) fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }

    pub(crate) fn exponential(&mut self, mean: f64) -> f64 {
        -mean * (1.0 - self.unit()).ln()
    }

    pub(crate) fn below(&mut self, most: u64) -> u64 {
        self.next() % most.max(1)
    }
}
