//! What happens in one run, drawn from its seed before it begins: lanes, weather, callers, accidents.

use super::weather::Weather;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use smoother_core::{Operation, Priority};
use std::time::Duration;

/// Models that are called; lanes name the first, the second, or both.
pub const MODELS: [&str; 2] = [
    "anthropic.claude-sonnet-4-20250514-v1:0",
    "us.anthropic.claude-haiku-4-5-20251001-v1:0",
];
/// The lanes there may be.
pub const LANES: [&str; 3] = ["east", "north", "west"];
pub const TENANTS: [&str; 3] = ["default", "acme", "beta"];

/// One run.
#[derive(Debug, Clone)]
pub struct Scenario {
    pub seed: u64,
    /// The store commits in the order of writes and queues are channels, as on one machine; else neither holds.
    pub one_machine: bool,
    pub settings: String,
    pub weather: Weather,
    /// How long things go wrong.
    pub storm: Duration,
    pub plan: Vec<(Duration, Action)>,
}

/// Something that somebody does, or that befalls the house.
#[derive(Debug, Clone)]
pub enum Action {
    Ask(Ask),
    /// Somebody cancels one of the requests there are.
    Cancel(usize),
    /// An operator sends dead letters on their way again.
    Redrive,
    /// The process is killed, and started again so much later.
    Crash(Duration),
    /// It is told to stop, and started again so much later.
    Stop(Duration),
    /// It stands still for so long while another takes its place; its worker goes on after that.
    Replace(Duration),
}

/// How somebody asks for a call.
#[derive(Debug, Clone)]
pub struct Ask {
    pub number: u32,
    /// Waits on the connection, else reads the job later.
    pub waits: bool,
    pub tenant: &'static str,
    pub model: &'static str,
    pub operation: Operation,
    /// Which body goes with its key.
    pub body: u32,
    pub max_tokens: u64,
    pub key: Key,
    pub priority: Option<Priority>,
    pub timeout_ms: Option<u64>,
    pub max_wait_ms: Option<u64>,
    pub finish: bool,
    pub fail_if_lost: bool,
    pub fallback: Option<Vec<String>>,
    /// A smaller max_tokens may go upstream.
    pub right_size: Option<bool>,
    /// Hangs up after so long.
    pub leaves_after: Option<Duration>,
    /// Sends again so long after it hung up or was cut off.
    pub returns_after: Duration,
    pub attempts: u32,
}

/// By what a caller can come back to its request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Key {
    None,
    Own(u32),
    Sdk(u32),
}

impl Scenario {
    pub fn of(seed: u64) -> Self {
        let mut chance = StdRng::seed_from_u64(seed ^ 0x5ce0_a210);
        let one_machine = chance.random_bool(0.6);
        let storm_s = chance.random_range(8..45);
        let storm = Duration::from_secs(storm_s);
        let settings = settings(&mut chance) + &bounds(seed);
        let weather = Weather::of(&mut chance, one_machine, storm);
        let mut plan = asks(&mut chance, storm);
        plan.extend(accidents(&mut chance, storm, &weather));
        plan.sort_by_key(|(at, _)| *at);
        Self {
            seed,
            one_machine,
            settings,
            weather,
            storm,
            plan,
        }
    }
}

fn moment(chance: &mut StdRng, within: Duration) -> Duration {
    within.mul_f64(chance.random())
}

fn some<T>(chance: &mut StdRng, probability: f64, draw: impl FnOnce(&mut StdRng) -> T) -> Option<T> {
    chance.random_bool(probability).then(|| draw(chance))
}

fn asks(chance: &mut StdRng, storm: Duration) -> Vec<(Duration, Action)> {
    let count = chance.random_range(6..32);
    let keys = chance.random_range(2..8);
    let bursts = chance.random_bool(0.5);
    let mut plan = Vec::new();
    for number in 0..count {
        let at = if bursts {
            // A few crowds instead of a trickle.
            storm / 4 * chance.random_range(0..4) + Duration::from_millis(chance.random_range(0..50))
        } else {
            moment(chance, storm)
        };
        plan.push((at, Action::Ask(ask(chance, number, keys))));
        if chance.random_bool(0.12) {
            let later = at + Duration::from_millis(chance.random_range(0..6_000));
            plan.push((later, Action::Cancel(chance.random_range(0..1_000))));
        }
    }
    plan
}

fn ask(chance: &mut StdRng, number: u32, keys: u32) -> Ask {
    let waits = chance.random_bool(0.5);
    let key = match chance.random_range(0..10) {
        0..=3 => Key::None,
        4..=6 => Key::Own(chance.random_range(0..keys)),
        // An invocation is one caller's own; two never share one.
        _ if waits => Key::Sdk(number),
        _ => Key::Own(1_000 + number),
    };
    let shared = matches!(key, Key::Own(k) if k < 1_000);
    let whose = match key {
        Key::Own(k) if shared => k,
        _ => 1_000 + number,
    };
    // Whoever shares a key means the same call, as a rule.
    let body = if shared && chance.random_bool(0.1) {
        whose + 500
    } else {
        whose
    };
    let streams = body.is_multiple_of(2);
    Ask {
        number,
        waits,
        // Whoever waits is the tenant without keys of its own; a job may come to the same request by the same key.
        tenant: if waits || (shared && chance.random_bool(0.7)) {
            TENANTS[0]
        } else {
            TENANTS[chance.random_range(0..3)]
        },
        model: MODELS[(body / 2 % 2) as usize],
        operation: match (streams, body.is_multiple_of(5)) {
            (true, _) => Operation::ConverseStream,
            (false, true) => Operation::Invoke,
            (false, false) => Operation::Converse,
        },
        body,
        max_tokens: 200 + u64::from(body * 37 % 12) * 150,
        key,
        priority: some(chance, 0.6, |c| Priority::ALL[c.random_range(0..3)]),
        timeout_ms: some(chance, 0.2, |c| c.random_range(500..30_000)),
        max_wait_ms: some(chance, 0.15, |c| c.random_range(500..20_000)),
        finish: chance.random_bool(0.25),
        fail_if_lost: chance.random_bool(0.25),
        fallback: some(chance, 0.1, |c| vec![LANES[c.random_range(0..2)].to_owned()]),
        right_size: body.is_multiple_of(3).then_some(true),
        leaves_after: some(chance, 0.35, |c| Duration::from_millis(c.random_range(0..8_000))),
        returns_after: Duration::from_millis(chance.random_range(10..4_000)),
        attempts: chance.random_range(1..4),
    }
}

fn accidents(chance: &mut StdRng, storm: Duration, weather: &Weather) -> Vec<(Duration, Action)> {
    if weather.is_fair() {
        return Vec::new();
    }
    let mut plan = Vec::new();
    for _ in 0..chance.random_range(0..4) {
        let down = Duration::from_millis(chance.random_range(0..3_000));
        let action = match chance.random_range(0..10) {
            0..=4 => Action::Crash(down),
            5..=6 => Action::Stop(down),
            // One machine lets no second process at its data.
            _ if weather.one_machine => Action::Crash(down),
            _ => Action::Replace(Duration::from_millis(chance.random_range(100..20_000))),
        };
        plan.push((moment(chance, storm), action));
    }
    for _ in 0..chance.random_range(0..2) {
        plan.push((moment(chance, storm), Action::Redrive));
    }
    plan
}

/// Two lanes or three: the first two may share a model, the first may fall back to the last, which may answer in
/// the end for want of any.
fn settings(chance: &mut StdRng) -> String {
    let shared = chance.random_bool(0.4);
    let chain = chance.random_bool(0.6);
    let grace = chance.random_range(100..5_000);
    let sync = chance.random_range(5_000..60_000);
    let mut text = format!(
        "[server]\nsync_timeout_ms = {sync}\ndisconnect_grace_ms = {grace}\ndrain_timeout_ms = {}\n",
        chance.random_range(500..8_000)
    );
    for (number, name) in LANES.iter().enumerate() {
        let models = match (number, shared) {
            (0, true) => vec![MODELS[0], MODELS[1]],
            (0, false) => vec![MODELS[0]],
            (1, _) => vec![MODELS[1]],
            _ => vec![MODELS[1], MODELS[0]],
        };
        text += &format!("[lanes.{name}]\nmodels = {models:?}\nregion = \"us-{name}-1\"\n");
        text += &limits(chance);
        if number == 2 {
            text += "standby = true\n";
            if chance.random_bool(0.5) {
                text += "degraded_answer = \"Nobody is here just now.\"\n";
            }
        } else if chain {
            text += "fallback = [\"west\"]\n";
        }
    }
    text + "[tenants.acme]\nweight = 2\n"
}

/// How much may wait, in some of the runs: drawn by itself, so that the rest of a run stays what it was.
fn bounds(seed: u64) -> String {
    let mut chance = StdRng::seed_from_u64(seed ^ 0xb0d5_11ed);
    if !chance.random_bool(0.5) {
        return String::new();
    }
    let mut text = "[limits]\n".to_owned();
    // Where little may wait there is much to shed.
    let sheds = chance.random_bool(0.6);
    let most = if sheds { 3 } else { 8 };
    if sheds {
        text += "shed = true\n";
    }
    for (key, likely) in [
        ("waiting", if sheds { 1.0 } else { 0.6 }),
        ("interactive_waiting", 0.2),
        ("normal_waiting", 0.2),
        ("batch_waiting", 0.2),
        ("tenant_waiting", 0.3),
    ] {
        if chance.random_bool(likely) {
            text += &format!("{key} = {}\n", chance.random_range(1..most));
        }
    }
    if chance.random_bool(0.3) {
        text += "admission = \"flag\"\n";
    }
    if chance.random_bool(0.3) {
        text += &format!("waiting_tokens = {}\n", chance.random_range(2_000..20_000));
    }
    text
}

fn limits(chance: &mut StdRng) -> String {
    let tokens = chance.random_range(15_000..60_000);
    let mut text = format!(
        "tokens_per_minute = {}\nmax_concurrency = {}\noutput_burndown = {}\nmax_output_tokens = 4096\n\
         chunk_timeout_ms = {}\ncall_timeout_ms = {}\nmax_tries = {}\n",
        tokens,
        chance.random_range(1..10),
        [1, 5][chance.random_range(0..2)],
        chance.random_range(1_500..6_000),
        chance.random_range(6_000..15_000),
        chance.random_range(1..4),
    );
    if chance.random_bool(0.3) {
        text += &format!("requests_per_minute = {}\n", chance.random_range(12..40));
    }
    if chance.random_bool(0.2) {
        text += "pacing = \"window\"\n";
    } else if tokens % 8 == 0 {
        text += "pacing = \"eager\"\n";
    }
    text + &format!(
        "breaker_window_ms = 10000\nbreaker_min_calls = {}\nbreaker_open_ms = {}\nbreaker_probes = {}\n\
         breaker_slow_call_ms = 5000\n",
        chance.random_range(2..6),
        chance.random_range(300..3_000),
        chance.random_range(1..3),
    )
}
