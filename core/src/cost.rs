//! What a request costs of a lane's quota: before its call, and when it is over.
//!
//! Source: AWS, "How tokens are counted in Amazon Bedrock" (docs.aws.amazon.com/bedrock/latest/userguide/
//! quotas-token-burndown.html). At admission Bedrock deducts input + cache reads + cache writes + max_tokens;
//! at the end it corrects to input + cache writes + output × burndown.

use crate::units::{Tokens, TokensPerMinute};
use serde::{Deserialize, Serialize};

/// Above the largest context window of any model, and above the longest answer.
const ANY_INPUT: Tokens = Tokens::new(10_000_000);
const ANY_OUTPUT: Tokens = Tokens::new(1_000_000);

/// What a request is expected to cost, made at the door.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Estimate {
    /// Input tokens, cache reads and writes included.
    pub input: Tokens,
    /// The max_tokens that goes upstream; the model's maximum where the caller set none.
    pub max_output: Tokens,
    /// Output tokens this caller's calls usually end with; never above `max_output`.
    pub expected_output: Tokens,
}

impl Estimate {
    /// Tokens to reserve before the call.
    ///
    /// The start reserve is not multiplied by the burndown rate while the settlement is, so a long answer can
    /// settle above input + max_tokens; the larger of both is reserved.
    pub fn reserve(&self, burndown: u64) -> Tokens {
        (self.input + self.max_output).max(self.settled(burndown))
    }

    /// Of the reserve what Bedrock does not take at the start: burndown of the output that is expected.
    pub fn surplus(&self, burndown: u64) -> Tokens {
        self.reserve(burndown) - (self.input + self.max_output)
    }

    /// Tokens the call is expected to have cost when it is over.
    pub fn settled(&self, burndown: u64) -> Tokens {
        self.input + self.expected_output.times(burndown)
    }
}

/// Tokens a finished call used, as Bedrock counted them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// Input tokens, without those read from or written to the prompt cache.
    pub input: Tokens,
    /// Output tokens.
    pub output: Tokens,
    /// Input tokens read from the prompt cache: free of quota in the end.
    pub cache_read: Tokens,
    /// Input tokens written to the prompt cache.
    pub cache_write: Tokens,
}

impl Usage {
    /// Tokens of quota the call has cost.
    pub fn charge(&self, burndown: u64) -> Tokens {
        self.input + self.cache_write + self.output.times(burndown)
    }

    /// Whether a call that asked for at most `max_output` can have used it. Bedrock admits none whose input is above
    /// the minute's quota, and none generates more than its max_tokens; ten times both are let pass, and what no
    /// model takes or gives at once, for lanes that are a small part of an account's quota.
    pub fn is_possible(&self, max_output: Tokens, quota: TokensPerMinute) -> bool {
        let most_input = Tokens::new(quota.get()).times(10).max(ANY_INPUT);
        self.whole_input() <= most_input && self.output <= max_output.times(10).max(ANY_OUTPUT)
    }

    /// Everything that was read, for comparing with an estimate of the input.
    pub fn whole_input(&self) -> Tokens {
        self.input + self.cache_read + self.cache_write
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn estimate(input: u64, max_output: u64, expected_output: u64) -> Estimate {
        Estimate {
            input: Tokens::new(input),
            max_output: Tokens::new(max_output),
            expected_output: Tokens::new(expected_output),
        }
    }

    #[test]
    fn counts_beyond_reason_are_told_from_large_ones() {
        let possible = |input, output| {
            let usage = Usage {
                input: Tokens::new(input),
                output: Tokens::new(output),
                ..Usage::default()
            };
            usage.is_possible(Tokens::new(100), TokensPerMinute::new(1_000))
        };
        assert!(possible(12, 34) && possible(120_000, 0) && possible(10_000_000, 1_000_000));
        assert!(!possible(10_000_001, 1) && !possible(1, 1_000_001) && !possible(u64::MAX, u64::MAX));
        let large = Usage {
            input: Tokens::new(15_000_000),
            ..Usage::default()
        };
        assert!(large.is_possible(Tokens::new(100), TokensPerMinute::new(2_000_000)));
    }

    #[test]
    fn a_reserve_covers_admission_and_settlement() {
        assert_eq!(estimate(1_000, 4_096, 300).reserve(5), Tokens::new(5_096));
        assert_eq!(estimate(100, 256, 200).reserve(5), Tokens::new(1_100));
        assert_eq!(estimate(100, 256, 200).reserve(1), Tokens::new(356));
    }

    #[test]
    fn cache_reads_cost_nothing_in_the_end() {
        let usage = Usage {
            input: Tokens::new(10),
            output: Tokens::new(3),
            cache_read: Tokens::new(1_000),
            cache_write: Tokens::new(50),
        };
        assert_eq!(usage.charge(5), Tokens::new(75));
        assert_eq!(usage.whole_input(), Tokens::new(1_060));
    }
}
