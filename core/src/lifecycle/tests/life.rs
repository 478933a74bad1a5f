//! Whole lives of arbitrary changes, timely or not, of the right call or not.

use super::*;
use proptest::prelude::*;

/// What a life has shown so far, kept beside the row.
#[derive(Debug, Default)]
struct Witness {
    given_out: BTreeSet<CallNo>,
    claimed: BTreeSet<CallNo>,
    tries: u32,
    ends: u32,
}

impl Witness {
    fn saw(&mut self, before: &Request, change: &Change, after: &Request) {
        assert!(
            !before.state.is_terminal(),
            "nothing comes after {}: {change:?}",
            before.state
        );
        assert_eq!(after.rev, before.rev.next());
        match change {
            Change::Release { call, .. } => {
                assert!(
                    self.given_out.iter().all(|given| given < call),
                    "{call} was given out before"
                );
                self.given_out.insert(*call);
            }
            Change::Claim { call, .. } => assert!(self.claimed.insert(*call), "{call} was claimed before"),
            Change::Requeue { spends_try: true, .. } => self.tries += 1,
            _ => {}
        }
        self.ends += u32::from(after.state.is_terminal());
        assert!(self.ends <= 1);
        assert_eq!(after.calls_made as usize, self.claimed.len());
        assert_eq!(after.tries, self.tries);
        assert_eq!(after.start_by.is_some(), after.state == State::Released);
        assert_eq!(after.ended_at.is_some(), after.state.is_terminal());
    }
}

/// Which change of the list, how far off its call number is, and how much later it comes. Ends are rare, so that
/// lives grow long.
fn step() -> impl Strategy<Value = (usize, u32, u64)> {
    let which = prop_oneof![30 => 0usize..9, 1 => 9usize..14];
    let off = prop_oneof![6 => Just(0u32), 1 => 1u32..4];
    (which, off, prop_oneof![4 => 0u64..5_000, 1 => 20_000u64..30_000])
}

proptest! {
    #[test]
    fn every_life_keeps_the_rules(
        steps in proptest::collection::vec(step(), 0..400), fails_when_lost: bool,
    ) {
        let mut row = Request { call: CallNo::NONE, calls_made: 0, tries: 0, ..request(State::Received) };
        if fails_when_lost {
            row.on_indeterminate = OnIndeterminate::Fail;
        }
        let (mut witness, mut now) = (Witness::default(), NOW);
        for (which, off, later) in steps {
            now = now + Millis::new(later);
            let call = CallNo::new(row.call.get().saturating_sub(off));
            let change = changes(&row, call, now).swap_remove(which);
            let allowed = arrow(row.state, &change).is_some();
            match apply(&row, &change) {
                Ok(after) => {
                    prop_assert!(allowed);
                    witness.saw(&row, &change, &after);
                    row = after;
                }
                Err(Refused::State { state, .. }) => prop_assert!(!allowed && state == row.state),
                Err(_) => prop_assert!(allowed),
            }
        }
        // Whatever happened, calling it off ends it, once.
        let cancelled = apply(&row, &Change::Cancel { at: now });
        prop_assert_eq!(cancelled.is_ok(), witness.ends == 0);
    }
}
