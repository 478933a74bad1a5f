//! The log of calls, for tests that count what a client really sent.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use crate::script::Slow;

/// What became of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Admitted and not at its end yet.
    Open,
    /// Answered to the end.
    Answered,
    /// Answered by an error or an exception in the stream, after admission.
    Failed,
    /// Cut by the simulator.
    Cut,
    /// Its client went away.
    Aborted,
    /// Refused by a limit or by an injected fault.
    Refused,
    /// Refused by a ValidationException.
    Invalid,
}

/// One call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CallRecord {
    /// The value of `x-amzn-requestid` in the answer.
    pub request_id: String,
    /// The last segment of the path.
    pub operation: String,
    /// The model's id as it came, percent-decoded.
    pub model: String,
    /// The Region that it was signed for, or the default one.
    pub region: String,
    /// The mark `id`.
    pub id: Option<String>,
    /// The mark `prio`.
    pub priority: Option<String>,
    /// The header `amz-sdk-invocation-id`: the same for all attempts of one SDK call.
    pub invocation_id: Option<String>,
    /// The header `amz-sdk-request`, as in `attempt=1; max=3`.
    pub sdk_request: Option<String>,
    /// Arrival of the whole request, in milliseconds since the simulator's start.
    pub arrival_ms: u64,
    /// Its end, in the same.
    pub end_ms: Option<u64>,
    /// What became of it.
    pub outcome: Outcome,
    /// The error's kind and message, if it was answered by one.
    pub error: Option<String>,
    /// The injected fault that struck it.
    pub fault: Option<String>,
    /// The script's span whose fault struck it, or whose capacity refused it.
    pub span: Option<String>,
    /// By how much the script made it slower, if it did.
    pub slow: Option<Slow>,
    /// The call's max_tokens, or the model's maximum.
    pub max_tokens: u64,
    /// Tokens reserved.
    pub reserved: u64,
    /// Tokens charged in the end.
    pub charged: u64,
    /// Output tokens generated.
    pub output_tokens: u64,
}

/// The newest calls. With a capacity of zero nothing is recorded.
#[derive(Debug)]
pub(crate) struct CallLog {
    capacity: usize,
    records: VecDeque<CallRecord>,
    /// Number of the record at the front.
    first: u64,
}

/// A record's number; it stays right when older ones leave.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RecordNumber(u64);

impl CallLog {
    pub(crate) fn new(capacity: usize) -> Self {
        Self {
            capacity,
            records: VecDeque::new(),
            first: 0,
        }
    }

    /// Adds the record that `make` builds, unless nothing is recorded.
    pub(crate) fn add(&mut self, make: impl FnOnce() -> CallRecord) -> Option<RecordNumber> {
        if self.capacity == 0 {
            return None;
        }
        if self.records.len() == self.capacity {
            self.records.pop_front();
            self.first += 1;
        }
        self.records.push_back(make());
        Some(RecordNumber(self.first + self.records.len() as u64 - 1))
    }

    pub(crate) fn change(&mut self, number: Option<RecordNumber>, change: impl FnOnce(&mut CallRecord)) {
        let index = number.and_then(|number| number.0.checked_sub(self.first));
        let index = index.and_then(|index| usize::try_from(index).ok());
        if let Some(record) = index.and_then(|index| self.records.get_mut(index)) {
            change(record);
        }
    }

    /// All records, oldest first; only those of the mark `id` if one is given.
    pub(crate) fn list(&self, id: Option<&str>) -> Vec<CallRecord> {
        let wanted = |record: &&CallRecord| id.is_none() || record.id.as_deref() == id;
        self.records.iter().filter(wanted).cloned().collect()
    }

    pub(crate) fn clear(&mut self) {
        self.first += self.records.len() as u64;
        self.records.clear();
    }
}
