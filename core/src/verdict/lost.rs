//! A call of which nobody can say how it went, while the process that made it is still here: its runner broke off by
//! a fault of this program's own.
//!
//! It may have run and may have cost its reserve. Whether it is made again is the request's policy, as after a
//! restart. Here the caller may be on the line still, and the fault may come again with every call: so what ends a
//! chain of transient errors ends this one too.

use super::judge::{Situation, TRANSIENT, wait};
use crate::request::{Door, Failure, OnIndeterminate};
use crate::units::Timestamp;
use std::fmt;

/// Why a lost call is not made again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotAgain {
    /// The request's own policy.
    Policy,
    /// A caller on Bedrock's wire has seen generated content.
    Shown,
    /// It was the last of so many tries.
    TriesSpent(u32),
    /// The request's deadline comes first.
    Deadline,
}

impl fmt::Display for NotAgain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Policy => f.write_str("on_indeterminate = \"fail\" forbids it"),
            Self::Shown => f.write_str("a part of its answer has gone out"),
            Self::TriesSpent(tries) => write!(f, "max_tries = {tries} are spent"),
            Self::Deadline => f.write_str("its deadline comes first"),
        }
    }
}

impl NotAgain {
    /// The failure of its request, as its caller reads it; `sent` if anything of the call can have gone upstream.
    pub fn failure(self, sent: bool) -> Failure {
        let ran = if sent {
            "whether the call ran is unknown"
        } else {
            "nothing was sent"
        };
        Failure {
            kind: None,
            status: 500,
            // One that an event stream of Bedrock's may carry, too.
            exception: "InternalServerException".to_owned(),
            message: format!(
                "The smoother broke this call off by a fault of its own, which its log names; {ran}, and it is not \
                 made again: {self}. Send the request again if it may run twice."
            ),
            headers: Vec::new(),
        }
    }
}

/// When a lost call is made again, with a try spent; or why it is not.
pub fn lost(policy: OnIndeterminate, situation: &Situation) -> Result<Timestamp, NotAgain> {
    if policy == OnIndeterminate::Fail {
        return Err(NotAgain::Policy);
    }
    if situation.started_output && situation.door == Door::Sync {
        return Err(NotAgain::Shown);
    }
    if situation.tries.saturating_add(1) >= situation.max_tries {
        return Err(NotAgain::TriesSpent(situation.max_tries));
    }
    let at = wait(TRANSIENT, situation.tries, situation);
    match situation.deadline {
        Some(deadline) if at >= deadline => Err(NotAgain::Deadline),
        _ => Ok(at),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::Millis;

    const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);

    fn calm() -> Situation {
        Situation {
            door: Door::Sync,
            tries: 0,
            max_tries: 3,
            throttled: 0,
            started_output: false,
            cut_short: false,
            has_fallback: false,
            deadline: None,
            retry_after: None,
            now: NOW,
            random: u64::MAX,
        }
    }

    #[test]
    fn it_is_made_again_after_a_pause_as_long_as_the_request_allows() {
        let again = |situation: &Situation| lost(OnIndeterminate::Retry, situation);
        assert_eq!(again(&calm()), Ok(NOW + Millis::new(250)));
        let second = Situation { tries: 1, ..calm() };
        assert_eq!(again(&second), Ok(NOW + Millis::new(500)));
        let last = Situation { tries: 2, ..calm() };
        assert_eq!(again(&last), Err(NotAgain::TriesSpent(3)));
        let late = Situation {
            deadline: Some(NOW + Millis::new(250)),
            ..calm()
        };
        assert_eq!(again(&late), Err(NotAgain::Deadline));
        assert_eq!(lost(OnIndeterminate::Fail, &calm()), Err(NotAgain::Policy));
    }

    #[test]
    fn what_a_caller_on_the_wire_has_seen_is_final_and_a_jobs_reader_begins_anew() {
        let shown = Situation {
            started_output: true,
            ..calm()
        };
        assert_eq!(lost(OnIndeterminate::Retry, &shown), Err(NotAgain::Shown));
        let job = Situation {
            door: Door::Job,
            ..shown
        };
        assert!(lost(OnIndeterminate::Retry, &job).is_ok());
    }

    #[test]
    fn its_failure_says_what_happened_why_it_stays_so_and_what_to_do() {
        for (sent, known) in [(true, "ran is unknown"), (false, "nothing was sent")] {
            let message = NotAgain::TriesSpent(3).failure(sent).message;
            for part in [
                "fault of its own",
                known,
                "max_tries = 3",
                "Send the request again",
            ] {
                assert!(message.contains(part), "{message}");
            }
        }
    }
}
