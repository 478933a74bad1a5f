//! Faults built in on purpose, in the adapters and the wiring of the simulation: each has to be found.

/// One thing that a broken house does wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Broken {
    /// A claim that is refused is taken for won.
    FenceSkipped,
    /// A second settlement takes the first one's place.
    SettledTwice,
    /// The lane is not told that a request comes back after its call.
    SnoozeForgotten,
    /// Readers are told of the end before it is stored.
    ToldBeforeCommit,
    /// A request that goes back in line gives its call number back.
    CallNumberReused,
    /// Some arrivals never reach their lane.
    ArrivalLost,
    /// Some entries of the outbox are never read.
    OutboxEntryDropped,
    /// A submission is answered before it is stored.
    AcceptedBeforeDurable,
    /// After a restart only what waits is looked at.
    RestartForgetsRunning,
    /// After a restart no charge is remembered.
    LedgerNotRebuilt,
    /// The end of a call that is not the request's own any more is written all the same.
    StaleEndWritten,
    /// The next lane is not told of a request that falls back to it.
    DivertUntold,
    /// Once a breaker has opened it stays open.
    BreakerStaysOpen,
    /// A call that was called off is never settled.
    AbortedNotSettled,
    /// An expiry is not written.
    ExpiryUnwritten,
    /// The model's answer is not kept with the end.
    ResultNotKept,
    /// A key that comes with another body is taken for the same.
    ConflictOverlooked,
    /// The lane takes its quota for twice what it is.
    QuotaDoubled,
    /// The lane is not told that a call is over.
    EndUntold,
    /// A call goes upstream before its claim is durable.
    CalledBeforeDurable,
    /// A job that joins a caller's request does not make it a job.
    JoinForgotten,
    /// A call whose worker never came to know of its claim is left open.
    LostCallsIgnored,
    /// Nobody hears that an answer was cut short.
    CutShortUnheard,
    /// An answer that was cut short is asked for again at the price of the first call.
    RerunUnderpriced,
    /// In the lane's line the last to come goes first.
    LastComeFirst,
    /// Nobody is refused at the door, however much waits.
    BoundOverlooked,
    /// The end of a request that made room for another is not written.
    ShedUnwritten,
}

impl Broken {
    /// Each, and the guarantee that it breaks.
    pub const ALL: [(Self, &str); 27] = [
        (Self::FenceSkipped, "G4"),
        (Self::SettledTwice, "G5"),
        (Self::SnoozeForgotten, "G6"),
        (Self::ToldBeforeCommit, "G3"),
        (Self::CallNumberReused, "G4"),
        (Self::ArrivalLost, "G6"),
        (Self::OutboxEntryDropped, "G3"),
        (Self::AcceptedBeforeDurable, "G1"),
        (Self::RestartForgetsRunning, "G6"),
        (Self::LedgerNotRebuilt, "G5"),
        (Self::StaleEndWritten, "G2"),
        (Self::DivertUntold, "G6"),
        (Self::BreakerStaysOpen, "G6"),
        (Self::AbortedNotSettled, "G5"),
        (Self::ExpiryUnwritten, "G6"),
        (Self::ResultNotKept, "G3"),
        (Self::ConflictOverlooked, "G1"),
        (Self::QuotaDoubled, "G5"),
        (Self::EndUntold, "G6"),
        (Self::CalledBeforeDurable, "G4"),
        (Self::JoinForgotten, "G2"),
        (Self::LostCallsIgnored, "G6"),
        (Self::CutShortUnheard, "G3"),
        (Self::RerunUnderpriced, "G5"),
        (Self::LastComeFirst, "G6"),
        (Self::BoundOverlooked, "bound"),
        (Self::ShedUnwritten, "G6"),
    ];
}
