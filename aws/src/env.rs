//! The environment of a function, as the deployment sets it: one set for every role, read once.
//!
//! | variable | what it is |
//! |---|---|
//! | `SMOOTHER_CONFIG` | path of smoother.toml |
//! | `SMOOTHER_TABLE`, `SMOOTHER_BUCKET` | the table and the bucket |
//! | `SMOOTHER_LANE_QUEUES` | JSON, lane → queue URL |
//! | `SMOOTHER_DISPATCH_QUEUE`, `SMOOTHER_RESULTS_QUEUE`, `SMOOTHER_INPUT_DLQ` | queue URLs |
//! | `SMOOTHER_UNTOLD_QUEUE` | URL of the queue of ends that could not be told yet |
//! | `SMOOTHER_TOPIC` | ARN of the topic of ended requests |
//! | `SMOOTHER_SOCKETS` | management endpoint of the WebSocket API |
//! | `SMOOTHER_PRIORITIZER` | name of the function that holds lanes |
//! | `SMOOTHER_SENDERS` | JSON, SQS SenderId → tenant; optional |
//! | `SMOOTHER_TRUST_TENANT` | `true`: the attribute Tenant of an input message is believed; optional |
//! | `SMOOTHER_AVERAGE_REQUEST_DURATION` | seconds a call is taken to last while none has been measured; 5 |
//! | `SMOOTHER_MINUTES_TO_PROCESS` | minutes after which a release that nobody has claimed is void; 5 |
//! | `SMOOTHER_QUEUE_DEPTH_THRESHOLD` | while so many releases of a lane are unclaimed, no more are made; 100 |

use smoother_core::scheduler::Handing;
use smoother_core::{LaneId, Millis, TenantId};
use std::collections::BTreeMap;
use std::fmt;

/// Where everything is that a role may need.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Environment {
    /// Path of smoother.toml.
    pub config: String,
    /// Name of the table.
    pub table: String,
    /// Name of the bucket of bodies and results.
    pub bucket: String,
    /// Queue URL of each lane.
    pub lane_queues: BTreeMap<LaneId, String>,
    /// URL of the queue of released requests.
    pub dispatch_queue: String,
    /// URL of the queue on which ends are told.
    pub results_queue: String,
    /// URL of the queue of ends that could not be told yet.
    pub untold_queue: String,
    /// URL of the queue for input that cannot be taken.
    pub input_dlq: String,
    /// ARN of the topic on which ends are told.
    pub topic: String,
    /// Management endpoint of the WebSocket API.
    pub sockets: String,
    /// Name of the function that holds lanes.
    pub prioritizer: String,
    /// Whose a message is, by SQS SenderId.
    pub senders: BTreeMap<String, TenantId>,
    /// Whether a message's own word about its tenant is believed.
    pub trust_tenant: bool,
    /// How releases reach the workers, of each lane.
    pub handing: Handing,
}

/// Everything that is wrong with an environment, one line each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnvironmentErrors(Vec<String>);

impl fmt::Display for EnvironmentErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the function's environment is not as the deployment sets it: ")?;
        f.write_str(&self.0.join("; "))
    }
}

impl std::error::Error for EnvironmentErrors {}

impl Environment {
    /// Reads it; `get` gives a variable's value.
    ///
    /// # Errors
    /// Every variable that is missing or cannot be read, with what it is for.
    pub fn read(get: impl Fn(&str) -> Option<String>) -> Result<Self, EnvironmentErrors> {
        let mut reading = Reading {
            get: &get,
            wrong: Vec::new(),
        };
        let environment = Self {
            config: reading.text("SMOOTHER_CONFIG", "the path of smoother.toml"),
            table: reading.text("SMOOTHER_TABLE", "the name of the table"),
            bucket: reading.text("SMOOTHER_BUCKET", "the name of the bucket of bodies and results"),
            lane_queues: reading.lane_queues(),
            dispatch_queue: reading.url("SMOOTHER_DISPATCH_QUEUE", "the URL of the dispatch queue"),
            results_queue: reading.url("SMOOTHER_RESULTS_QUEUE", "the URL of the results queue"),
            untold_queue: reading.url(
                "SMOOTHER_UNTOLD_QUEUE",
                "the URL of the queue of ends that could not be told yet",
            ),
            input_dlq: reading.url(
                "SMOOTHER_INPUT_DLQ",
                "the URL of the input queue's dead-letter queue",
            ),
            topic: reading.topic(),
            sockets: reading.url("SMOOTHER_SOCKETS", "the management endpoint of the WebSocket API"),
            prioritizer: reading.text("SMOOTHER_PRIORITIZER", "the name of the prioritizer function"),
            senders: reading.senders(),
            trust_tenant: reading.flag("SMOOTHER_TRUST_TENANT"),
            handing: reading.handing(),
        };
        if reading.wrong.is_empty() {
            Ok(environment)
        } else {
            Err(EnvironmentErrors(reading.wrong))
        }
    }
}

struct Reading<'a> {
    get: &'a dyn Fn(&str) -> Option<String>,
    wrong: Vec<String>,
}

impl Reading<'_> {
    fn given(&self, name: &str) -> Option<String> {
        (self.get)(name).filter(|value| !value.trim().is_empty())
    }

    fn text(&mut self, name: &str, what: &str) -> String {
        self.given(name).unwrap_or_else(|| {
            self.wrong.push(format!("{name} is missing; it must be {what}"));
            String::new()
        })
    }

    fn url(&mut self, name: &str, what: &str) -> String {
        let value = self.text(name, what);
        if !value.is_empty() && !is_url(&value) {
            self.wrong.push(format!("{name} is {value:?}; it must be {what}"));
        }
        value
    }

    fn topic(&mut self) -> String {
        let (name, what) = ("SMOOTHER_TOPIC", "the ARN of the topic of ended requests");
        let value = self.text(name, what);
        if !value.is_empty() && !value.starts_with("arn:") {
            self.wrong.push(format!("{name} is {value:?}; it must be {what}"));
        }
        value
    }

    fn lane_queues(&mut self) -> BTreeMap<LaneId, String> {
        const NAME: &str = "SMOOTHER_LANE_QUEUES";
        let text = self.text(NAME, "a JSON object of each lane and the URL of its queue");
        if text.is_empty() {
            return BTreeMap::new();
        }
        let queues: BTreeMap<LaneId, String> = self.object(NAME, &text);
        for (lane, url) in queues.iter().filter(|(_, url)| !is_url(url)) {
            self.wrong
                .push(format!("{NAME}: lane {lane} has {url:?}, which is no URL"));
        }
        queues
    }

    fn senders(&mut self) -> BTreeMap<String, TenantId> {
        const NAME: &str = "SMOOTHER_SENDERS";
        match self.given(NAME) {
            Some(text) => self.object(NAME, &text),
            None => BTreeMap::new(),
        }
    }

    fn object<K, V>(&mut self, name: &str, text: &str) -> BTreeMap<K, V>
    where
        BTreeMap<K, V>: serde::de::DeserializeOwned,
    {
        serde_json::from_str(text).unwrap_or_else(|error| {
            self.wrong
                .push(format!("{name} is no JSON object of names: {error}"));
            BTreeMap::new()
        })
    }

    fn handing(&mut self) -> Handing {
        let seconds = self.whole("SMOOTHER_AVERAGE_REQUEST_DURATION", 5, 900);
        let minutes = self.whole("SMOOTHER_MINUTES_TO_PROCESS", 5, 1_440);
        Handing {
            start_within: Millis::from_secs(minutes * 60),
            most_unclaimed: self.whole("SMOOTHER_QUEUE_DEPTH_THRESHOLD", 100, 120_000),
            first_span: Millis::from_secs(seconds),
        }
    }

    /// A whole number from 1 to `most`.
    fn whole(&mut self, name: &str, default: u64, most: u64) -> u64 {
        let Some(given) = self.given(name) else {
            return default;
        };
        let read = given
            .trim()
            .parse()
            .ok()
            .filter(|number| (1..=most).contains(number));
        read.unwrap_or_else(|| {
            let wrong = format!("{name} is {given:?}; it must be a whole number from 1 to {most}");
            self.wrong.push(wrong);
            default
        })
    }

    fn flag(&mut self, name: &str) -> bool {
        match self.given(name).as_deref() {
            None | Some("false") => false,
            Some("true") => true,
            Some(other) => {
                self.wrong
                    .push(format!("{name} is {other:?}; it must be true or false"));
                false
            }
        }
    }
}

fn is_url(text: &str) -> bool {
    ["https://", "http://"].iter().any(|scheme| {
        text.strip_prefix(scheme)
            .is_some_and(|rest| !rest.is_empty() && !rest.starts_with('/'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHOLE: [(&str, &str); 11] = [
        ("SMOOTHER_CONFIG", "/var/task/smoother.toml"),
        ("SMOOTHER_TABLE", "requests"),
        ("SMOOTHER_BUCKET", "calls"),
        (
            "SMOOTHER_LANE_QUEUES",
            r#"{"sonnet": "https://sqs/1/lane-sonnet"}"#,
        ),
        ("SMOOTHER_DISPATCH_QUEUE", "https://sqs/1/dispatch"),
        ("SMOOTHER_RESULTS_QUEUE", "https://sqs/1/results"),
        ("SMOOTHER_UNTOLD_QUEUE", "https://sqs/1/untold"),
        ("SMOOTHER_INPUT_DLQ", "https://sqs/1/input-dlq"),
        ("SMOOTHER_TOPIC", "arn:aws:sns:us-east-1:1:ended"),
        ("SMOOTHER_SOCKETS", "https://abc.execute-api/prod"),
        ("SMOOTHER_PRIORITIZER", "prioritizer"),
    ];

    fn read(changed: &[(&str, &str)]) -> Result<Environment, EnvironmentErrors> {
        let mut all: BTreeMap<&str, &str> = WHOLE.into();
        all.extend(changed.iter().copied());
        Environment::read(|name| all.get(name).map(|value| (*value).to_owned()))
    }

    #[test]
    fn a_whole_environment_is_read() {
        let environment = read(&[("SMOOTHER_SENDERS", r#"{"AIDA1": "acme"}"#)]).unwrap();
        let lane = LaneId::new("sonnet").unwrap();
        assert_eq!(environment.lane_queues[&lane], "https://sqs/1/lane-sonnet");
        assert_eq!(environment.senders["AIDA1"].as_str(), "acme");
        assert!(!environment.trust_tenant);
        assert!(read(&[("SMOOTHER_TRUST_TENANT", "true")]).unwrap().trust_tenant);
        assert_eq!(environment.handing.start_within, Millis::from_secs(300));
        let told = read(&[
            ("SMOOTHER_AVERAGE_REQUEST_DURATION", "7"),
            ("SMOOTHER_MINUTES_TO_PROCESS", "2"),
            ("SMOOTHER_QUEUE_DEPTH_THRESHOLD", "30"),
        ]);
        let handing = Handing {
            start_within: Millis::from_secs(120),
            most_unclaimed: 30,
            first_span: Millis::from_secs(7),
        };
        assert_eq!(told.unwrap().handing, handing);
    }

    #[test]
    fn everything_missing_is_named_at_once_with_what_it_is_for() {
        let said = Environment::read(|_| None).unwrap_err().to_string();
        for (name, _) in WHOLE {
            assert!(said.contains(&format!("{name} is missing; it must be")), "{said}");
        }
        let said = read(&[("SMOOTHER_TABLE", " ")]).unwrap_err().to_string();
        assert!(said.contains("SMOOTHER_TABLE is missing; it must be the name of the table"));
        assert!(!said.contains("SMOOTHER_BUCKET"), "{said}");
    }

    #[test]
    fn values_that_cannot_be_meant_are_named() {
        for (name, value, word) in [
            ("SMOOTHER_LANE_QUEUES", "sonnet", "SMOOTHER_LANE_QUEUES"),
            ("SMOOTHER_LANE_QUEUES", r#"{"sonnet": "dispatch"}"#, "lane sonnet"),
            ("SMOOTHER_LANE_QUEUES", r#"{"a/b": "https://sqs/1/x"}"#, "a/b"),
            ("SMOOTHER_DISPATCH_QUEUE", "dispatch", "SMOOTHER_DISPATCH_QUEUE"),
            ("SMOOTHER_TOPIC", "ended", "SMOOTHER_TOPIC"),
            ("SMOOTHER_SOCKETS", "wss:/x", "SMOOTHER_SOCKETS"),
            ("SMOOTHER_SENDERS", "[]", "SMOOTHER_SENDERS"),
            ("SMOOTHER_TRUST_TENANT", "yes", "true or false"),
            ("SMOOTHER_MINUTES_TO_PROCESS", "0", "from 1 to 1440"),
            ("SMOOTHER_QUEUE_DEPTH_THRESHOLD", "many", "from 1 to 120000"),
            (
                "SMOOTHER_AVERAGE_REQUEST_DURATION",
                "-5",
                "SMOOTHER_AVERAGE_REQUEST_DURATION",
            ),
        ] {
            let said = read(&[(name, value)]).unwrap_err().to_string();
            assert!(said.contains(word), "{name}={value}: {said}");
        }
    }
}
