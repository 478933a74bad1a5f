//! A limiter as one may stand upstream. Bedrock's own is not published; these are the kinds in use.
//!
//! Written apart from core's ledger, so that the two do not share a mistake.

use super::gauge::Gauge;
use smoother_core::{Millis, RequestsPerMinute, ThrottleCause, Timestamp, Tokens, TokensPerMinute};
use std::fmt;
use std::str::FromStr;

/// How a limiter counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LimiterKind {
    /// It refuses nothing.
    None,
    /// A token bucket that holds so much time's quota.
    Bucket(Millis),
    /// Minutes of the clock.
    Fixed,
    /// The last 60 s.
    Sliding,
}

impl FromStr for LimiterKind {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "none" => Ok(Self::None),
            "bucket-10" => Ok(Self::Bucket(Millis::from_secs(10))),
            "bucket-60" => Ok(Self::Bucket(Millis::from_secs(60))),
            "fixed" => Ok(Self::Fixed),
            "sliding" => Ok(Self::Sliding),
            _ => Err("allowed are bucket-10, bucket-60, fixed, sliding and none".to_owned()),
        }
    }
}

impl fmt::Display for LimiterKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("none"),
            Self::Bucket(span) => write!(f, "bucket-{}", span.get() / 1_000),
            Self::Fixed => f.write_str("fixed"),
            Self::Sliding => f.write_str("sliding"),
        }
    }
}

/// What was charged, for its correction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ticket {
    pub(super) at: Timestamp,
    pub(super) place: u64,
}

/// One limiter of tokens and perhaps of requests.
#[derive(Debug, Clone)]
pub struct Limiter {
    tokens: Gauge,
    requests: Option<Gauge>,
}

impl Limiter {
    /// One that has seen nothing.
    pub fn new(kind: LimiterKind, tokens: TokensPerMinute, requests: Option<RequestsPerMinute>) -> Self {
        Self {
            tokens: Gauge::new(kind, tokens.get()),
            requests: requests.map(|limit| Gauge::new(kind, limit.get())),
        }
    }

    /// Charges a call, or says which limit refuses it.
    pub(crate) fn admit(&mut self, now: Timestamp, tokens: Tokens) -> Result<Ticket, ThrottleCause> {
        if !self.tokens.admits(now, tokens.get()) {
            return Err(ThrottleCause::Tokens);
        }
        if let Some(requests) = &mut self.requests {
            if !requests.admits(now, 1) {
                return Err(ThrottleCause::Requests);
            }
            requests.charge(now, 1);
        }
        Ok(self.tokens.charge(now, tokens.get()))
    }

    /// Charges a call, admitted or not.
    pub(crate) fn charge(&mut self, now: Timestamp, tokens: Tokens) {
        self.tokens.charge(now, tokens.get());
        if let Some(requests) = &mut self.requests {
            requests.charge(now, 1);
        }
    }

    /// Corrects a call's charge when it is over: a bucket now, a window where it was charged.
    pub(crate) fn settle(&mut self, now: Timestamp, ticket: Ticket, charged: Tokens, actual: Tokens) {
        self.tokens.correct(now, ticket, charged.get(), actual.get());
    }

    /// When a call of so many tokens is admitted if nothing else comes.
    pub(crate) fn earliest(&mut self, now: Timestamp, tokens: Tokens) -> Timestamp {
        let at = self.tokens.earliest(now, tokens.get());
        self.requests
            .as_mut()
            .map_or(at, |requests| at.max(requests.earliest(now, 1)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Timestamp {
        Timestamp::from_millis(60_000_000 + ms)
    }

    fn limiter(kind: &str) -> Limiter {
        Limiter::new(kind.parse().unwrap(), TokensPerMinute::new(6_000), None)
    }

    fn admits(limiter: &mut Limiter, ms: u64, tokens: u64) -> bool {
        limiter.admit(at(ms), Tokens::new(tokens)).is_ok()
    }

    #[test]
    fn a_bucket_holds_its_span_and_refills_by_the_rate() {
        let mut bucket = limiter("bucket-10");
        assert!(!admits(&mut bucket, 0, 1_001) && admits(&mut bucket, 0, 1_000));
        assert!(!admits(&mut bucket, 990, 100) && admits(&mut bucket, 1_000, 100));
        assert_eq!(bucket.earliest(at(1_000), Tokens::new(50)), at(1_500));
        assert!(
            !admits(&mut bucket, 600_000, 1_001),
            "it holds no more than before"
        );
    }

    #[test]
    fn a_bucket_takes_back_what_was_not_used_now() {
        let mut bucket = limiter("bucket-60");
        let ticket = bucket.admit(at(0), Tokens::new(6_000)).unwrap();
        bucket.settle(at(0), ticket, Tokens::new(6_000), Tokens::new(1_000));
        assert!(admits(&mut bucket, 0, 5_000) && !admits(&mut bucket, 0, 1));
        // A debt is paid before anything goes.
        let mut bucket = limiter("bucket-10");
        let ticket = bucket.admit(at(0), Tokens::new(1_000)).unwrap();
        bucket.settle(at(0), ticket, Tokens::new(1_000), Tokens::new(2_000));
        assert_eq!(bucket.earliest(at(0), Tokens::new(100)), at(11_000));
    }

    #[test]
    fn a_fixed_window_begins_anew_with_the_minute() {
        let mut fixed = limiter("fixed");
        assert!(admits(&mut fixed, 59_000, 6_000) && !admits(&mut fixed, 59_999, 1));
        assert_eq!(fixed.earliest(at(59_999), Tokens::new(1)), at(60_000));
        assert!(admits(&mut fixed, 60_000, 6_000));
    }

    #[test]
    fn a_sliding_window_forgets_each_charge_after_a_minute_and_corrects_it_where_it_was() {
        let mut sliding = limiter("sliding");
        let early = sliding.admit(at(0), Tokens::new(4_000)).unwrap();
        assert!(admits(&mut sliding, 30_000, 2_000) && !admits(&mut sliding, 59_999, 1));
        assert_eq!(sliding.earliest(at(30_000), Tokens::new(4_001)), at(90_000));
        sliding.settle(at(40_000), early, Tokens::new(4_000), Tokens::new(1_000));
        assert!(admits(&mut sliding, 40_000, 3_000));
        assert_eq!(sliding.earliest(at(40_000), Tokens::new(1_000)), at(60_000));
        assert!(admits(&mut sliding, 60_000, 1_000) && !admits(&mut sliding, 60_000, 1));
        // What is forgotten is corrected no more.
        sliding.settle(at(60_000), early, Tokens::new(4_000), Tokens::ZERO);
        assert!(!admits(&mut sliding, 60_000, 1));
    }

    #[test]
    fn requests_are_a_limit_of_their_own() {
        let mut both = Limiter::new(
            LimiterKind::Sliding,
            TokensPerMinute::new(100),
            Some(RequestsPerMinute::new(1)),
        );
        both.admit(at(0), Tokens::new(1)).unwrap();
        assert_eq!(both.admit(at(1), Tokens::new(1)), Err(ThrottleCause::Requests));
        assert_eq!(both.admit(at(1), Tokens::new(100)), Err(ThrottleCause::Tokens));
        assert_eq!(both.earliest(at(1), Tokens::new(1)), at(60_000));
    }

    #[test]
    fn words_are_read_as_they_are_shown() {
        for word in ["none", "bucket-10", "bucket-60", "fixed", "sliding"] {
            assert_eq!(word.parse::<LimiterKind>().unwrap().to_string(), word);
        }
        assert!("leaky".parse::<LimiterKind>().unwrap_err().contains("sliding"));
    }
}
