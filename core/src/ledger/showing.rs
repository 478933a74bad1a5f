//! What the ledger shows of itself.

use super::Ledger;
use super::pace::Pace;
use crate::config::Pacing;
use crate::ports::DayCount;
use crate::scheduler::LimitView;
use crate::units::{Timestamp, Tokens, TokensPerMinute};

impl Ledger {
    /// The day's settled charges, for keeping.
    pub fn day_count(&self) -> DayCount {
        self.day.count()
    }

    /// Tokens of the minute.
    pub fn tokens_view(&self, now: Timestamp) -> LimitView {
        minute_view(&self.tokens, now)
    }

    /// Requests of the minute, where limited.
    pub fn requests_view(&self, now: Timestamp) -> Option<LimitView> {
        self.requests.as_ref().map(|pace| minute_view(pace, now))
    }

    /// Tokens of the day, where limited.
    pub fn day_view(&self, now: Timestamp) -> Option<LimitView> {
        let mut day = self.day.clone();
        day.turn(now, 0);
        day.limit().map(|limit| LimitView {
            limit,
            used: day.used(),
            free: limit.saturating_sub(day.used()),
        })
    }

    /// Calls at once.
    pub fn concurrency_view(&self, now: Timestamp) -> LimitView {
        let used = self.open.len() as u64;
        LimitView {
            limit: u64::from(self.lane.max_concurrency),
            used,
            free: u64::from(self.slots.ceiling(now)).saturating_sub(used),
        }
    }

    /// Until when refusals or a day that is used up keep everything back.
    pub fn parked_until(&self, now: Timestamp) -> Option<Timestamp> {
        let pause = Some(self.pause.until()).filter(|until| *until > now);
        self.day_parked_until(now).max(pause)
    }

    /// Until when the day keeps everything back: a refusal has named it, or nothing is left of its tokens.
    pub fn day_parked_until(&self, now: Timestamp) -> Option<Timestamp> {
        self.park.until(now).max(self.day.used_up_until(now))
    }

    /// What is left of the day's tokens whatever the calls under way turn out to cost, where they are limited. What is
    /// larger does not go today.
    pub fn left_of_day(&self, now: Timestamp) -> Option<Tokens> {
        self.day.left(now).map(Tokens::new)
    }

    /// What other clients of the account are taken to use of the tokens a minute, in percent.
    pub fn others_percent(&self) -> u32 {
        self.tokens.others.share().percent()
    }

    /// The limiters that releases are paced for: all that may stand upstream.
    pub fn limiters(&self, now: Timestamp) -> Vec<String> {
        if let Pacing::Bucket { seconds } = self.lane.pacing {
            return vec![format!("bucket of {seconds} s")];
        }
        let left = self.tokens.binding(now).iter();
        left.map(|kind| kind.as_str().to_owned()).collect()
    }

    /// What the lane has learned it can have, where refusals of the last minute took something off its quota.
    pub fn learned_ceiling(&self, now: Timestamp) -> Option<TokensPerMinute> {
        self.tokens.learned(now).map(TokensPerMinute::new)
    }
}

fn minute_view(pace: &Pace, now: Timestamp) -> LimitView {
    LimitView {
        limit: pace.quota(),
        used: pace.used(now),
        free: u64::try_from(pace.free(now).max(0)).unwrap_or(u64::MAX),
    }
}
