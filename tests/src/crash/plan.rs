//! What a seed stands for: every request of every client, every blow, and the quotas that bind them.

use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};

/// A model with a lane of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Model {
    pub lane: &'static str,
    pub id: &'static str,
    /// Tokens of quota that one output token costs.
    pub burndown: u64,
}

/// The lanes of a run: one where output burns the quota down faster, one where it does not.
pub const MODELS: [Model; 2] = [
    Model {
        lane: "sonnet",
        id: "us.anthropic.claude-sonnet-4-5-20250929-v1:0",
        burndown: 5,
    },
    Model {
        lane: "nova",
        id: "us.amazon.nova-pro-v1:0",
        burndown: 1,
    },
];

/// Input tokens of every request as the simulator counts them; fewer than any estimate of its text, so that no
/// overshoot is explained away by a guess.
const INPUT: u64 = 6;

/// All is asked for within this share of the span, and the quota is such that the rest of it is needed to answer: so
/// requests wait, and the quota binds, from beginning to end.
const ASKED_WITHIN_PERCENT: u64 = 60;
/// What the quota allows within the span, of what is asked for; kills waste some.
const QUOTA_PERCENT: u64 = 110;

/// Mean span of a blow, start included; measured on two busy cores with a debug build.
const BLOW_MS: u64 = 2_000;

/// One of Bedrock's operations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    Converse,
    ConverseStream,
    Invoke,
    InvokeStream,
}

impl Operation {
    pub const fn path(self) -> &'static str {
        match self {
            Self::Converse => "converse",
            Self::ConverseStream => "converse-stream",
            Self::Invoke => "invoke",
            Self::InvokeStream => "invoke-with-response-stream",
        }
    }

    pub const fn streams(self) -> bool {
        matches!(self, Self::ConverseStream | Self::InvokeStream)
    }
}

/// By which door a request comes, and what its client does besides waiting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Way {
    /// On Bedrock's wire, with an SDK's retries.
    Sync {
        /// Hangs up after this long, and does not come back.
        leaves_after_ms: Option<u64>,
        /// Asks that the call be finished without it.
        finish: bool,
    },
    /// As a job.
    Job {
        /// Whether an idempotency key is sent.
        keyed: bool,
        /// Whether it is sent once more, and then with another body.
        again: bool,
        /// Calls it off after this long.
        cancel_after_ms: Option<u64>,
        /// Asks to fail where a call's fate is unknown.
        fail_on_indeterminate: bool,
    },
}

/// What upstream does to a request's first call, so that it takes another: by the simulator's names.
const TROUBLES: [&str; 3] = ["500", "cut-after", "stream-424"];

/// One request of one client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ask {
    /// Its name in every record: the simulator's mark `id`, the idempotency key, the invocation id.
    pub mark: String,
    /// When it is due, from the load's start.
    pub at_ms: u64,
    pub model: Model,
    pub operation: Operation,
    pub way: Way,
    pub priority: Option<&'static str>,
    pub timeout_ms: Option<u64>,
    pub max_wait_ms: Option<u64>,
    pub out: u64,
    pub max_tokens: u64,
    pub latency_ms: u64,
    /// What befalls its first call upstream.
    pub trouble: Option<&'static str>,
}

/// How the server is struck.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Blow {
    /// SIGKILL this long after it was ready.
    Serving { after_ms: u64 },
    /// SIGKILL before it is ready, or just after: at this many thousandths of its last start's time.
    Starting { permille: u64 },
    /// SIGTERM this long after it was ready, SIGKILL so much later if it still runs.
    Draining { after_ms: u64, then_ms: u64 },
}

/// A whole run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Plan {
    pub seed: u64,
    pub kills: u64,
    pub requests: u64,
    pub clients: u64,
}

impl Plan {
    /// How long the load lasts: as long as the kills are expected to take.
    pub const fn span_ms(&self) -> u64 {
        self.kills * BLOW_MS
    }

    const fn per_second(&self) -> u64 {
        let seconds = self.span_ms() / 1_000;
        self.requests / if seconds == 0 { 1 } else { seconds }
    }

    /// Calls at once of each lane: a call takes about half a second, and half of the calls are a lane's, so the
    /// tokens bind before this does.
    pub fn max_concurrency(&self) -> u32 {
        u32::try_from(self.per_second() / 2).unwrap_or(u32::MAX).max(24)
    }

    /// Requests of one client under way at once: the backlog that the quota makes has this bound.
    pub fn at_once(&self) -> usize {
        usize::try_from(self.per_second() * 2 / self.clients)
            .unwrap_or(usize::MAX)
            .clamp(64, 400)
    }

    /// How many requests this client makes.
    pub const fn share_of(&self, client: u64) -> u64 {
        self.requests / self.clients
            + if client < self.requests % self.clients {
                1
            } else {
                0
            }
    }

    /// The `n`th request of a client.
    pub fn ask(&self, client: u64, n: u64) -> Ask {
        let mut rng = StdRng::seed_from_u64(mix(self.seed, 1 + client, n));
        let step = self.span_ms().max(1_000) * 10 * ASKED_WITHIN_PERCENT / self.share_of(client).max(1);
        let at_ms = (n * step + rng.random_range(0..=step)) / 1_000;
        let model = *MODELS.choose(&mut rng).unwrap_or(&MODELS[0]);
        let out = rng.random_range(5..=40);
        Ask {
            mark: format!("s{}-c{client}-n{n}", self.seed),
            at_ms,
            model,
            operation: operation(&mut rng),
            way: way(&mut rng),
            priority: *[None, Some("interactive"), Some("normal"), Some("batch")]
                .choose(&mut rng)
                .unwrap_or(&None),
            timeout_ms: rng.random_bool(0.15).then(|| rng.random_range(2_000..60_000)),
            max_wait_ms: rng.random_bool(0.15).then(|| rng.random_range(1_000..30_000)),
            out,
            max_tokens: out * model.burndown + rng.random_range(0..100),
            latency_ms: rng.random_range(20..900),
            trouble: rng
                .random_bool(0.06)
                .then(|| *TROUBLES.choose(&mut rng).unwrap_or(&TROUBLES[0])),
        }
    }

    /// The `n`th blow.
    pub fn blow(&self, n: u64) -> Blow {
        let mut rng = StdRng::seed_from_u64(mix(self.seed, 0, n));
        match rng.random_range(0..10) {
            0..6 => Blow::Serving {
                // Short runs are as telling as long ones, and quicker: the square leans towards them.
                after_ms: rng.random_range(5u64..65).pow(2),
            },
            6..8 => Blow::Starting {
                permille: rng.random_range(0..1_200),
            },
            _ => Blow::Draining {
                after_ms: rng.random_range(200..1_500),
                then_ms: rng.random_range(0..1_200),
            },
        }
    }

    /// Tokens per minute of a model: less than what is asked of it, and room for the largest request in the burst of
    /// the smallest limiter.
    pub fn quota(&self, model: Model) -> u64 {
        let asks = (0..self.clients).flat_map(|c| (0..self.share_of(c)).map(move |n| self.ask(c, n)));
        let (mut cost, mut largest) = (0, 0);
        for ask in asks.filter(|ask| ask.model == model) {
            cost += INPUT + ask.out * model.burndown;
            largest = largest.max(ask.max_tokens);
        }
        (cost * QUOTA_PERCENT / 100 * 60_000 / self.span_ms().max(1_000)).max((largest + 200) * 12)
    }

    /// The limiter that stands upstream; each admits what the paced ledger releases.
    pub const fn limiter(&self) -> &'static str {
        ["sliding", "bucket", "fixed"][(self.seed % 3) as usize]
    }
}

impl Ask {
    /// The operation's body, in its model's wire.
    pub fn body(&self) -> serde_json::Value {
        self.body_of("")
    }

    /// A body that differs from [`Self::body`] in its text.
    pub fn other_body(&self) -> serde_json::Value {
        self.body_of(" Something else.")
    }

    fn body_of(&self, more: &str) -> serde_json::Value {
        let (out, latency, mark) = (self.out, self.latency_ms, &self.mark);
        let trouble = self.trouble.map(|fault| format!(" fault={fault} times=1"));
        let trouble = trouble.unwrap_or_default();
        let text = format!(
            "Tell of the river's way to the sea, slowly.{more} [[sim in={INPUT} out={out} latency_ms={latency} \
             token_ms=4 id={mark}{trouble}]]"
        );
        let converse = serde_json::json!({
            "messages": [{ "role": "user", "content": [{ "text": text }] }],
            "inferenceConfig": { "maxTokens": self.max_tokens },
        });
        match (self.operation, self.model.lane) {
            (Operation::Converse | Operation::ConverseStream, _) => converse,
            (_, "nova") => {
                let mut nova = converse;
                nova["schemaVersion"] = "messages-v1".into();
                nova
            }
            _ => serde_json::json!({
                "anthropic_version": "bedrock-2023-05-31",
                "max_tokens": self.max_tokens,
                "messages": [{ "role": "user", "content": text }],
            }),
        }
    }
}

fn operation(rng: &mut StdRng) -> Operation {
    match rng.random_range(0..4) {
        0 => Operation::Converse,
        1 => Operation::ConverseStream,
        2 => Operation::Invoke,
        _ => Operation::InvokeStream,
    }
}

fn way(rng: &mut StdRng) -> Way {
    if rng.random_bool(0.5) {
        let leaves = rng.random_bool(0.08);
        return Way::Sync {
            leaves_after_ms: leaves.then(|| rng.random_range(20..2_000)),
            finish: rng.random_bool(0.1),
        };
    }
    let keyed = rng.random_bool(0.7);
    let cancels = rng.random_bool(0.12);
    Way::Job {
        keyed,
        again: keyed && rng.random_bool(0.4),
        cancel_after_ms: cancels.then(|| rng.random_range(0..3_000)),
        fail_on_indeterminate: rng.random_bool(0.2),
    }
}

/// SplitMix64 over the three, so that neighbours share nothing.
fn mix(seed: u64, who: u64, n: u64) -> u64 {
    let step = |x: u64| {
        let x = x.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        x ^ (x >> 31)
    };
    step(step(step(seed) ^ who) ^ n)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAN: Plan = Plan {
        seed: 7,
        kills: 50,
        requests: 1_001,
        clients: 4,
    };

    #[test]
    fn a_seed_is_a_run() {
        assert_eq!(PLAN.ask(2, 30), PLAN.ask(2, 30));
        assert_ne!(PLAN.ask(2, 30).body(), PLAN.ask(2, 31).body());
        let other = Plan { seed: 8, ..PLAN };
        assert!((0..50).any(|n| PLAN.blow(n) != other.blow(n)));
        assert_eq!((0..4).map(|c| PLAN.share_of(c)).sum::<u64>(), 1_001);
    }

    #[test]
    fn every_door_and_every_blow_comes_up() {
        let asks: Vec<Ask> = (0..250).map(|n| PLAN.ask(0, n)).collect();
        let paths: std::collections::BTreeSet<_> = asks
            .iter()
            .filter(|a| matches!(a.way, Way::Sync { .. }))
            .map(|a| a.operation.path())
            .collect();
        assert_eq!(paths.len(), 4);
        let unkeyed = |ask: &&Ask| matches!(ask.way, Way::Job { keyed: false, .. });
        let keyed = |ask: &&Ask| matches!(ask.way, Way::Job { keyed: true, .. });
        assert!(asks.iter().find(unkeyed).is_some() && asks.iter().find(keyed).is_some());
        let troubled = |fault: &str| asks.iter().any(|ask| ask.trouble == Some(fault));
        assert!(TROUBLES.iter().all(|fault| troubled(fault)));
        let blows: Vec<Blow> = (0..50).map(|n| PLAN.blow(n)).collect();
        for kind in [
            |b: &Blow| matches!(b, Blow::Serving { .. }),
            |b: &Blow| matches!(b, Blow::Starting { .. }),
            |b: &Blow| matches!(b, Blow::Draining { .. }),
        ] {
            assert!(blows.iter().filter(|b| kind(b)).count() > 3);
        }
    }

    #[test]
    fn the_quota_binds_and_fits_every_request() {
        for model in MODELS {
            let quota = PLAN.quota(model);
            let asks: Vec<Ask> = (0..4)
                .flat_map(|c| (0..PLAN.share_of(c)).map(move |n| PLAN.ask(c, n)))
                .filter(|ask| ask.model == model)
                .collect();
            let asked: u64 = asks.iter().map(|ask| INPUT + ask.out * model.burndown).sum();
            let last = asks.iter().map(|ask| ask.at_ms).max().unwrap();
            assert!(quota * last / 60_000 * 5 < asked * 4, "{}", model.lane);
            assert!(asks.iter().all(|ask| ask.max_tokens + 200 < quota / 6));
            assert!(
                asks.iter().all(|ask| ask.max_tokens >= ask.out * model.burndown),
                "no call may cost more than it reserves"
            );
        }
    }
}
