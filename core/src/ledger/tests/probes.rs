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

/// A stream of them never pauses: whenever one is accepted the next one goes.
#[test]
fn twice_as_many_go_after_as_many_were_accepted() {
    let mut suspects = nothing_found();
    let mut most = vec![at_once(&suspects)];
    for _ in 0..20 {
        suspects.accepted(at(0), Kinds::NONE);
        most.push(at_once(&suspects));
    }
    assert_eq!(most[..9], [1, 2, 2, 4, 4, 4, 4, 8, 8]);
    assert_eq!(most[20], 8, "no more than that");
}

#[test]
fn what_is_found_and_what_is_refused_begin_anew() {
    let short = Kinds::ALL.such(|kind| kind == Kind::ShortBucket);
    let mut suspects = nothing_found();
    let goes_well = |suspects: &mut Suspects| (0..2).for_each(|_| suspects.accepted(at(0), Kinds::NONE));
    goes_well(&mut suspects);
    assert_eq!(at_once(&suspects), 2);
    suspects.accepted(at(0), short);
    assert_eq!(at_once(&suspects), 1);
    goes_well(&mut suspects);
    assert_eq!(
        at_once(&suspects),
        2,
        "one that was accepted before counts no more"
    );
    suspects.suspend(at(0), Kinds::WINDOWS);
    assert_eq!(at_once(&suspects), 1);
}
