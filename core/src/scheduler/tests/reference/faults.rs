//! Faults built in on purpose: each has to be found by a promise that does not hold.

/// One thing that a broken scheduler does wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The higher band goes first whatever it was served.
    StrictPriority,
    /// What a call was expected to cost is never corrected.
    SettlementForgotten,
    /// Smaller requests go before a blocked one whether or not its promise holds.
    PromiseMoved,
    /// Nobody looks at how many calls a tenant has under way.
    CapNotCounted,
    /// What goes before its turn is charged to nobody.
    PassNeverRepaid,
    /// Any urgent request goes before its turn, whatever its band owes.
    PassUnbounded,
    /// Whoever comes back from idleness stands where it stood.
    IdlenessSavesUp,
    /// Inside a tenant the first to come goes first, whatever its deadline.
    FirstComeFirstServed,
    /// Nobody is refused at the door, however much waits.
    BoundOverlooked,
    /// As much is kept for interactive requests where little waits.
    KeptToTheLast,
    /// A step lets one request go, though more could.
    OneAStep,
}
