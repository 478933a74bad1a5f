//! How many calls `eager` lets go at once to find out which limiter stands upstream.

use super::at;
use crate::ledger::Margins;
use crate::ledger::kinds::{Kind, Kinds};
use crate::ledger::ledgers::Ledgers;
use crate::ledger::suspects::Suspects;

fn nothing_found() -> Suspects {
    Suspects::all(Ledgers::above(1_000_000, &Margins::default(), at(0)))
}

fn at_once(suspects: &Suspects) -> usize {
    (0..100)
        .take_while(|under_way| suspects.may_probe(at(0), *under_way))
        .count()
}

fn accepted(suspects: &mut Suspects, contradicts: Kinds) {
    suspects.accepted(at(0), contradicts, suspects.round());
}

/// A stream of them never pauses: whenever one is accepted the next one goes.
#[test]
fn twice_as_many_go_after_as_many_were_accepted_and_no_more_than_the_account_has() {
    let mut suspects = nothing_found();
    let mut most = vec![at_once(&suspects)];
    for _ in 0..20 {
        accepted(&mut suspects, Kinds::NONE);
        most.push(at_once(&suspects));
    }
    assert_eq!(most[..5], [1, 2, 2, 4, 4]);
    assert_eq!(most[20], 4, "no more than that");
    suspects.surprised();
    assert_eq!(at_once(&suspects), 3, "each of them may be refused");
}

#[test]
fn what_is_found_and_what_is_refused_begin_anew() {
    let short = Kinds::ALL.such(|kind| kind == Kind::ShortBucket);
    let mut suspects = nothing_found();
    accepted(&mut suspects, Kinds::NONE);
    let early = suspects.round();
    suspects.accepted(at(0), Kinds::NONE, early);
    assert_eq!(at_once(&suspects), 2);
    suspects.accepted(at(0), short, early);
    assert_eq!(at_once(&suspects), 1);
    suspects.accepted(at(0), Kinds::NONE, early);
    assert_eq!(at_once(&suspects), 1, "it went to find out something else");
    accepted(&mut suspects, Kinds::NONE);
    assert_eq!(at_once(&suspects), 2);
    suspects.suspend(at(0), Kinds::WINDOWS);
    assert_eq!(at_once(&suspects), 1);
}
