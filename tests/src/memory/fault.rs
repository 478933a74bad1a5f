//! Where an operation can go wrong, and how.

use super::ProcessNo;
use rand::rngs::StdRng;
use smoother_core::RequestId;
use std::fmt;
use std::time::Duration;

/// Which operation of which port.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Touched {
    /// `Store::insert`.
    Insert,
    /// `Store::change`, by the change's word.
    Change(&'static str),
    /// `Store::end`.
    End,
    /// `Store::answer`.
    Answer,
    /// `Store::keep_day`.
    KeepDay,
    /// `Store::keep_memory`.
    KeepMemory,
    /// `Store::recover`.
    Recover,
    /// `Store::get`.
    Get,
    /// `Store::calls`.
    Calls,
    /// `Store::list`.
    List,
    /// `Payloads::keep` of a payload that does not travel inline.
    Keep,
    /// `Payloads::fetch`.
    Fetch,
    /// `Outbox::next`.
    Next,
    /// `Outbox::told`.
    Told,
    /// `Hold::lease`.
    Lease,
    /// `Hold::take`.
    Take,
    /// `Hold::renew`.
    Renew,
    /// `Hold::load`.
    Load,
    /// `Hold::write_ledger`.
    WriteLedger,
    /// `Hold::write_tenants`.
    WriteTenants,
    /// `Hold::write_report`.
    WriteReport,
    /// `Hold::heads`.
    Heads,
    /// `Hold::due`.
    Due,
    /// `Hold::backlog`.
    Backlog,
    /// `Hold::forget_backlog`.
    ForgetBacklog,
    /// `LaneQueue::send`.
    LaneQueue,
    /// `Dispatch::send`, once for each released request.
    Dispatch,
    /// `Model::call`.
    Model,
}

impl Touched {
    /// Whether it changes what is stored.
    pub const fn writes(self) -> bool {
        matches!(
            self,
            Self::Insert
                | Self::Change(_)
                | Self::End
                | Self::Answer
                | Self::KeepDay
                | Self::KeepMemory
                | Self::Recover
                | Self::Keep
                | Self::Told
                | Self::Take
                | Self::Renew
                | Self::Load
                | Self::WriteLedger
                | Self::WriteTenants
                | Self::WriteReport
                | Self::ForgetBacklog
        )
    }

    /// Whether it is a message that somebody else reads.
    pub const fn sends(self) -> bool {
        matches!(self, Self::LaneQueue | Self::Dispatch)
    }
}

/// One operation about to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Point {
    /// Who does it.
    pub process: ProcessNo,
    /// What.
    pub touched: Touched,
    /// For which request, where it is for one.
    pub request: Option<RequestId>,
}

/// What becomes of an operation.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Fate {
    /// It is done.
    #[default]
    Proceed,
    /// It is not done and reported failed.
    FailBefore,
    /// It is done and reported failed.
    FailAfter,
    /// It is done this much later: a write commits, a message arrives, an answer comes late. Where writes
    /// commit in order, those begun after it wait with it.
    Delay(Duration),
    /// It is done twice. A write's caller is answered by the second, as by an SDK that sent again because the
    /// first answer was lost; a message arrives twice; a read or a call is done once.
    Duplicate,
    /// A message is reported sent and never arrives; a call upstream is never answered. Anything else fails as
    /// by [`Fate::FailBefore`].
    Lose,
}

impl Fate {
    pub(super) const fn delay(self) -> Duration {
        match self {
            Self::Delay(by) => by,
            _ => Duration::ZERO,
        }
    }
}

/// Says an operation's fate.
type Decide = dyn FnMut(&Point, &mut StdRng) -> Fate + Send;

/// Decides each operation's fate; the chance is the world's own, so a seed replays the plan.
pub(super) struct Plan(pub(super) Box<Decide>);

impl Default for Plan {
    fn default() -> Self {
        Self(Box::new(|_, _| Fate::Proceed))
    }
}

impl fmt::Debug for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Plan")
    }
}
