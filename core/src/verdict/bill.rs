//! What a call is charged when it is over.
//!
//! Bedrock says what a call used in its answer's last piece; a call that ends before it leaves its cost unknown.
//! The lane is then charged the whole reserve: too much is a pause, too little is a throttle for somebody else.
//! A call of which nothing was sent costs nothing, however it ended.
//! Source: ConverseStream sends `metadata` with `usage` after `messageStop`
//! (docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ConverseStream.html), and quota is deducted at
//! admission (…/latest/userguide/quotas-token-burndown.html).

use crate::call::CallEnding;
use crate::cost::Usage;
use crate::model::ModelErrorKind;
use crate::units::Tokens;

/// What is known of a call's cost at its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bill {
    /// How it ended.
    pub ending: CallEnding,
    /// The error that ended it.
    pub error: Option<ModelErrorKind>,
    /// Whether anything of it can have gone upstream.
    pub sent: bool,
    /// Whether Bedrock had accepted it (its head came): from then on no error is free.
    pub accepted: bool,
    /// Tokens reserved for it.
    pub reserved: Tokens,
    /// What Bedrock counted, where it said so.
    pub usage: Option<Usage>,
    /// Tokens of quota an output token costs.
    pub burndown: u64,
}

impl Bill {
    /// Tokens of quota the call has cost; the reserve where nobody can know.
    pub fn charge(&self) -> Tokens {
        if !self.sent {
            return Tokens::ZERO;
        }
        if let Some(usage) = self.usage {
            return usage.charge(self.burndown);
        }
        let refused = match self.ending {
            CallEnding::Throttled => true,
            CallEnding::Failed => self.error.is_some_and(is_refusal),
            CallEnding::Completed | CallEnding::Aborted | CallEnding::Indeterminate => false,
        };
        if refused && !self.accepted {
            Tokens::ZERO
        } else {
            self.reserved
        }
    }
}

/// Whether the error says that the model was never reached.
const fn is_refusal(kind: ModelErrorKind) -> bool {
    use ModelErrorKind as Kind;
    match kind {
        Kind::Throttled(_)
        | Kind::Unavailable
        | Kind::NotReady
        | Kind::Validation
        | Kind::AccessDenied
        | Kind::NotFound
        | Kind::Connect
        | Kind::Setup => true,
        Kind::Internal
        | Kind::ModelTimeout
        | Kind::ModelFailed
        | Kind::Cut
        | Kind::Stalled
        | Kind::Malformed => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::throttle::ThrottleCause;

    fn failed(error: ModelErrorKind) -> Bill {
        Bill {
            ending: super::super::ending_of(Some(error)),
            error: Some(error),
            sent: true,
            accepted: false,
            reserved: Tokens::new(5_000),
            usage: None,
            burndown: 5,
        }
    }

    #[test]
    fn a_refused_call_costs_nothing() {
        use ModelErrorKind::*;
        let throttles = ThrottleCause::ALL.map(Throttled);
        let others = [
            Unavailable,
            NotReady,
            Validation,
            AccessDenied,
            NotFound,
            Connect,
            Setup,
        ];
        for error in throttles.into_iter().chain(others) {
            assert_eq!(failed(error).charge(), Tokens::ZERO, "{error:?}");
            let late = Bill {
                accepted: true,
                ..failed(error)
            };
            assert_eq!(late.charge(), Tokens::new(5_000), "{error:?} inside a stream");
        }
    }

    #[test]
    fn an_unknown_cost_is_the_whole_reserve() {
        use ModelErrorKind::*;
        for error in [Internal, ModelTimeout, ModelFailed, Cut, Stalled, Malformed] {
            assert_eq!(failed(error).charge(), Tokens::new(5_000), "{error:?}");
        }
        for ending in [
            CallEnding::Aborted,
            CallEnding::Indeterminate,
            CallEnding::Completed,
        ] {
            let bill = Bill {
                ending,
                error: None,
                ..failed(Cut)
            };
            assert_eq!(bill.charge(), Tokens::new(5_000), "{ending:?}");
        }
    }

    #[test]
    fn what_was_never_sent_costs_nothing_however_it_ended() {
        for ending in [CallEnding::Aborted, CallEnding::Indeterminate, CallEnding::Failed] {
            let bill = Bill {
                ending,
                error: None,
                sent: false,
                ..failed(ModelErrorKind::Internal)
            };
            assert_eq!(bill.charge(), Tokens::ZERO, "{ending:?}");
        }
    }

    #[test]
    fn what_bedrock_counted_goes_before_any_guess() {
        let usage = Usage {
            input: Tokens::new(100),
            output: Tokens::new(20),
            ..Usage::default()
        };
        let bill = Bill {
            usage: Some(usage),
            ..failed(ModelErrorKind::Cut)
        };
        assert_eq!(bill.charge(), Tokens::new(200));
    }
}
