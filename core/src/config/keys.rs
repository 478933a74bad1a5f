//! Every key there is: the one table by which keys are known, read, checked and documented.

use Preset::{Depends, Required, Value};
use std::fmt;

/// What a key's value has to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A whole number.
    Number {
        /// The smallest allowed.
        least: u64,
        /// The largest allowed.
        most: u64,
        /// Its unit.
        unit: &'static str,
    },
    /// One of these words.
    Word(&'static [&'static str]),
    /// A text of this form.
    Text(&'static str),
    /// A list of texts of this form; by environment variable separated by commas, or in TOML's syntax.
    List(&'static str),
    /// `true` or `false`.
    Flag,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number {
                least,
                most: u64::MAX,
                unit,
            } => write!(f, "a whole number of {unit}, at least {least}"),
            Self::Number { least, most, unit } => {
                write!(f, "a whole number of {unit} from {least} to {most}")
            }
            Self::Word(words) => {
                let quoted: Vec<String> = words.iter().map(|word| format!("{word:?}")).collect();
                match quoted.split_last() {
                    Some((last, [])) => f.write_str(last),
                    Some((last, rest)) => write!(f, "{} or {last}", rest.join(", ")),
                    None => Ok(()),
                }
            }
            Self::Text(form) => f.write_str(form),
            Self::List(form) => write!(f, "a list of at least one of: {form}"),
            Self::Flag => f.write_str("true or false"),
        }
    }
}

/// What counts where a key is not set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Preset {
    /// This value.
    Value(&'static str),
    /// Something that depends on the rest, in a few words.
    Depends(&'static str),
    /// The key must be set.
    Required,
}

impl fmt::Display for Preset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Value(text) | Self::Depends(text) => text,
            Self::Required => "required",
        })
    }
}

/// One key of `smoother.toml`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Key {
    /// Its path; `*` stands for a name of the user's.
    pub path: &'static str,
    /// What it has to be.
    pub kind: Kind,
    /// What counts where it is not set.
    pub preset: Preset,
    /// One sentence.
    pub help: &'static str,
}

impl Key {
    /// The environment variable that overrides it, with `*` for the user's name: `SMOOTHER__SERVER__LISTEN`.
    pub fn env(&self) -> String {
        format!(
            "{}{}",
            super::env::PREFIX,
            self.path.replace('.', "__").to_ascii_uppercase()
        )
    }

    /// The parts of its path.
    pub(super) fn parts(&self) -> impl Iterator<Item = &'static str> {
        self.path.split('.')
    }
}

const fn key(path: &'static str, kind: Kind, preset: Preset, help: &'static str) -> Key {
    Key {
        path,
        kind,
        preset,
        help,
    }
}

const fn from(least: u64, unit: &'static str) -> Kind {
    Kind::Number {
        least,
        most: u64::MAX,
        unit,
    }
}

const fn within(least: u64, most: u64, unit: &'static str) -> Kind {
    Kind::Number { least, most, unit }
}

const WORDS: Kind = Kind::Word(&["interactive", "normal", "batch"]);
const MODEL: &str = "a model id, inference profile id or ARN";
const DAY_MS: u64 = 24 * 60 * 60 * 1_000;
const MILLION: u64 = 1_000_000;

/// Every key, in the order of the documentation.
#[rustfmt::skip]
pub static KEYS: &[Key] = &[
    key("server.listen", Kind::Text("a loopback address with its port, such as \"127.0.0.1:8080\""), Value("127.0.0.1:8080"),
        "Where the server listens; a loopback address, since no key guards it."),
    key("server.data_dir", Kind::Text("a path"), Value("./smoother-data"),
        "Where requests, results and what was learned are kept; one server at a time."),
    key("server.durability", Kind::Word(&["strict", "relaxed"]), Value("strict"),
        "Whether a synchronous call waits until it is on the disk; jobs always do."),
    key("server.max_body_bytes", within(1, 1 << 30, "bytes"), Value("20971520"),
        "The largest body accepted."),
    key("server.sync_timeout_ms", within(1, DAY_MS, "milliseconds"), Value("900000"),
        "How long a caller on Bedrock's wire is kept waiting for completion where it names no time itself."),
    key("server.disconnect_grace_ms", within(1, DAY_MS, "milliseconds"), Value("30000"),
        "How long a caller that went away may come back before its request is cancelled."),
    key("server.drain_timeout_ms", within(1, DAY_MS, "milliseconds"), Value("120000"),
        "How long running calls may take to end when the server is told to stop."),
    key("server.trust_tenant", Kind::Flag, Value("false"),
        "Whether the header `x-smoother-tenant` is believed, for a server behind a proxy that authenticates its callers and sets it; without it all callers are the tenant `default`."),
    key("server.retention_hours", within(1, 87_600, "hours"), Value("168"),
        "How long results stay readable after their end."),
    key("server.retention_minutes", within(1, 5_256_000, "minutes"), Depends("`retention_hours`"),
        "The same in minutes, instead of `retention_hours`."),

    key("lanes.*.models", Kind::List(MODEL), Depends("`model`; one of the two is required"),
        "The models whose calls go through this lane. A model that several lanes name is spread over them by what each has free."),
    key("lanes.*.model", Kind::Text(MODEL), Depends("`models`; one of the two is required"),
        "Short for `models` with a single one."),
    key("lanes.*.region", Kind::Text("an AWS Region, such as \"us-east-1\""), Required,
        "The Region of the quota."),
    key("lanes.*.endpoint", Kind::Text("a URL that begins with http:// or https://"), Depends("the Region's own"),
        "Another endpoint: a simulator or a VPC endpoint."),
    key("lanes.*.role_arn", Kind::Text("the ARN of an IAM role, such as \"arn:aws:iam::123456789012:role/name\""), Depends("no role is assumed"),
        "A role of another account, whose quota the lane then is."),
    key("lanes.*.tokens_per_minute", from(1, "tokens per minute"), Required,
        "The quota, as Service Quotas states it."),
    key("lanes.*.requests_per_minute", from(1, "requests per minute"), Depends("not limited"),
        "The quota of requests, for models that enforce one."),
    key("lanes.*.tokens_per_day", from(1, "tokens per day"), Depends("not limited"),
        "The quota of a day (UTC)."),
    key("lanes.*.max_concurrency", within(1, 4_294_967_295, "calls"), Value("64"),
        "Calls under way at once."),
    key("lanes.*.output_burndown", within(1, 1_000, "tokens"), Depends("5 for Claude 3.7 and later, else 1"),
        "Tokens of quota that one output token costs."),
    key("lanes.*.max_output_tokens", from(1, "tokens"), Depends("by the model's family, else 64000"),
        "The model's own maximum of output tokens: reserved where a caller sets no max_tokens."),
    key("lanes.*.pacing", Kind::Word(&["auto", "eager", "window", "bucket"]), Value("auto"),
        "The limiter that releases are paced for: `auto` is safe under every known one; `eager` finds out which it is, with a few refused calls, and drains up to twice as fast."),
    key("lanes.*.bucket_seconds", within(1, 60, "seconds"), Value("10"),
        "The bucket's capacity in seconds of quota, for `pacing = \"bucket\"`."),
    key("lanes.*.chunk_timeout_ms", within(1, DAY_MS, "milliseconds"), Value("120000"),
        "The longest silence of a streamed answer, the one before its first event included."),
    key("lanes.*.call_timeout_ms", within(1, DAY_MS, "milliseconds"), Value("900000"),
        "The longest time of one call."),
    key("lanes.*.max_tries", within(1, 100, "tries"), Value("3"),
        "The transient error with this number ends a request's calls in the lane; throttles do not count."),

    key("lanes.*.fallback", Kind::List("the name of a lane"), Depends("none; lanes that share the model first"),
        "The lanes in which a request goes on that this one cannot serve, in this order; each hop spends that lane's quota."),
    key("lanes.*.standby", Kind::Flag, Value("false"),
        "Whether the lane serves only what falls back to it."),
    key("lanes.*.call_model", Kind::Text(MODEL), Depends("the caller's, if the lane names it, else the lane's first"),
        "The model that is called, whichever of the lane's the caller names."),
    key("lanes.*.degraded_answer", Kind::Text("a text of at most 4096 bytes"), Depends("none: the request fails"),
        "The text a request is answered with in the end, marked as degraded, where no lane could serve it."),

    key("lanes.*.breaker_window_ms", within(1_000, 3_600_000, "milliseconds"), Value("30000"),
        "The time back over which the circuit breaker counts calls."),
    key("lanes.*.breaker_min_calls", within(1, 1_000_000, "calls"), Value("20"),
        "With fewer calls in its window the breaker stays closed."),
    key("lanes.*.breaker_failure_percent", within(1, 100, "percent"), Value("50"),
        "The breaker opens when this share of calls failed; throttles are no failures."),
    key("lanes.*.breaker_slow_percent", within(1, 100, "percent"), Value("80"),
        "The breaker opens when this share of calls was slow."),
    key("lanes.*.breaker_slow_call_ms", within(1, DAY_MS, "milliseconds"), Value("120000"),
        "A call that takes longer than this is slow."),
    key("lanes.*.breaker_open_ms", within(100, 3_600_000, "milliseconds"), Value("5000"),
        "How long the breaker stays open before calls probe; twice as long after a failed probe, up to four times."),
    key("lanes.*.breaker_probes", within(1, 1_000, "calls"), Value("3"),
        "Calls that probe at once, all of which must succeed."),

    key("auto_lanes", Kind::Flag, Value("false"),
        "Whether a model without a lane gets one of its own; not available yet."),

    key("priorities.interactive", within(1, MILLION, "shares"), Value("70"),
        "The share of interactive requests while others wait too."),
    key("priorities.normal", within(1, MILLION, "shares"), Value("25"),
        "The share of normal requests."),
    key("priorities.batch", within(1, MILLION, "shares"), Value("5"),
        "The share of batch requests: a floor, not a rest."),

    key("limits.waiting", from(1, "requests"), Depends("not limited"),
        "Requests that may wait in a lane; beyond it new ones are refused with 429 and `retry-after`. What was accepted is not."),
    key("limits.waiting_tokens", from(1, "tokens"), Depends("not limited"),
        "The same in the tokens that they will reserve. One request may wait, however large it is."),
    key("limits.interactive_waiting", from(1, "requests"), Depends("not limited"),
        "Requests of this priority that may wait in a lane."),
    key("limits.interactive_waiting_tokens", from(1, "tokens"), Depends("not limited"),
        "The same in tokens."),
    key("limits.normal_waiting", from(1, "requests"), Depends("not limited"),
        "Requests of this priority that may wait in a lane."),
    key("limits.normal_waiting_tokens", from(1, "tokens"), Depends("not limited"),
        "The same in tokens."),
    key("limits.batch_waiting", from(1, "requests"), Depends("not limited"),
        "Requests of this priority that may wait in a lane."),
    key("limits.batch_waiting_tokens", from(1, "tokens"), Depends("not limited"),
        "The same in tokens."),
    key("limits.tenant_waiting", from(1, "requests"), Depends("not limited"),
        "Requests of each tenant that may wait in a lane, unless it has a bound of its own."),
    key("limits.tenant_waiting_tokens", from(1, "tokens"), Depends("not limited"),
        "The same in tokens."),
    key("limits.shed", Kind::Flag, Value("false"),
        "Whether, at a bound of the lane or a tenant, the last in line of a lower priority fails to make room for a request of a higher one."),
    key("limits.admission", Kind::Word(&["refuse", "flag"]), Value("refuse"),
        "A request that cannot meet its own timeout or longest wait, even if all goes better than it looks, is refused with 429, or is taken in and flagged."),

    key("tenants.*.weight", within(1, MILLION, "shares"), Value("1"),
        "The tenant's share among the tenants of its band."),
    key("tenants.*.default_priority", WORDS, Depends("normal, or the highest allowed if that is lower"),
        "The priority of requests that name none."),
    key("tenants.*.highest_priority", WORDS, Value("interactive"),
        "The best priority the tenant may ask for."),
    key("tenants.*.max_concurrency", within(1, 4_294_967_295, "calls"), Depends("not limited"),
        "Calls of the tenant under way at once in each lane; what is beyond waits, nothing is refused."),
    key("tenants.*.max_waiting", from(1, "requests"), Depends("`limits.tenant_waiting`"),
        "Requests of the tenant that may wait in each lane; beyond it new ones are refused with 429 and `retry-after`."),
    key("tenants.*.max_waiting_tokens", from(1, "tokens"), Depends("`limits.tenant_waiting_tokens`"),
        "The same in the tokens that they will reserve."),
    key("tenants.*.right_size", Kind::Flag, Value("false"),
        "Whether requests go with a smaller `max_tokens` than they ask for, as large as 99 % of the tenant's answers need and some more; an answer that is cut short by it is made again, once, with the request's own."),
];
