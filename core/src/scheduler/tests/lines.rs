//! A line against a sorted list.

use super::world::{at, id};
use crate::scheduler::line::{Line, Place};
use crate::units::Tokens;
use proptest::prelude::*;
use std::collections::BTreeMap;

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn a_line_is_a_sorted_list(
        acts in prop::collection::vec((any::<bool>(), 0u64..700, any::<bool>(), 1u64..5_000), 1..2_500)
    ) {
        let mut line = Line::default();
        let mut list: BTreeMap<Place, (u32, u64)> = BTreeMap::new();
        for (number, (adds, due, returned, cost)) in acts.into_iter().enumerate() {
            let place = Place::new(returned, at(due), id(due));
            if adds && !list.contains_key(&place) {
                line.insert(place, number as u32, Tokens::new(cost));
                list.insert(place, (number as u32, cost));
            } else {
                let removed = line.remove(place).map(Tokens::get);
                prop_assert_eq!(removed, list.remove(&place).map(|(_, cost)| cost));
            }
        }
        prop_assert_eq!(line.len(), list.len());
        prop_assert_eq!(line.tokens().get(), list.values().map(|(_, cost)| cost).sum::<u64>());
        prop_assert_eq!(line.last(), list.values().next_back().map(|(slot, _)| *slot));
        let mut before = 0;
        for (index, (place, (slot, cost))) in list.iter().enumerate() {
            prop_assert_eq!(line.nth(index), Some(*slot));
            prop_assert_eq!(line.before(*place), (index as u64, Tokens::new(before)));
            before += cost;
        }
    }
}
