//! Which of several lanes of one model a request waits in.
//!
//! Lanes that have more free than what waits in them share arrivals by how much: a draw weighted by it. Where none
//! has, the arrival goes to the one whose backlog is the least part of its quota, where it waits the shortest. A
//! lane whose breaker lets nothing go, or that is parked for the day, comes last.

/// A lane as an arrival sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Candidate {
    /// Its tokens per minute.
    pub quota: u64,
    /// Tokens that it could admit at once.
    pub free: u64,
    /// Tokens that count against its minute.
    pub used: u64,
    /// Tokens that wait in it.
    pub waiting: u64,
    /// It calls nobody now.
    pub shut: bool,
}

impl Candidate {
    fn room(&self) -> u64 {
        self.free.saturating_sub(self.waiting)
    }

    /// Its backlog in millionths of its quota.
    fn backlog(&self) -> u128 {
        (u128::from(self.used) + u128::from(self.waiting)) * 1_000_000 / u128::from(self.quota.max(1))
    }
}

/// The place of the chosen one; `random` is drawn evenly from all of `u64`. 0 where there is none to choose from.
pub fn choose(candidates: &[Candidate], random: u64) -> usize {
    let all_shut = candidates.iter().all(|lane| lane.shut);
    let open = || {
        let places = candidates.iter().enumerate();
        places.filter(move |(_, lane)| all_shut || !lane.shut)
    };
    let room: u128 = open().map(|(_, lane)| u128::from(lane.room())).sum();
    if room == 0 {
        return open()
            .min_by_key(|(_, lane)| lane.backlog())
            .map_or(0, |(place, _)| place);
    }
    let mut drawn = (u128::from(random) * room) >> 64;
    for (place, lane) in open() {
        let own = u128::from(lane.room());
        if drawn < own {
            return place;
        }
        drawn -= own;
    }
    0
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn lane(quota: u64, free: u64, waiting: u64) -> Candidate {
        Candidate {
            quota,
            free,
            used: quota - free,
            waiting,
            shut: false,
        }
    }

    /// How many of 1,000 evenly drawn arrivals each gets.
    fn shares(lanes: &[Candidate]) -> Vec<u64> {
        let mut got = vec![0; lanes.len()];
        for n in 0..1_000u64 {
            // From the middle of each thousandth: none lies on a border.
            got[choose(lanes, n * (u64::MAX / 1_000) + u64::MAX / 2_000)] += 1;
        }
        got
    }

    #[test]
    fn arrivals_are_shared_by_what_is_free() {
        let got = shares(&[lane(1_000, 300, 0), lane(1_000, 150, 50), lane(1_000, 100, 100)]);
        assert_eq!(got, [750, 250, 0]);
    }

    #[test]
    fn with_nothing_free_the_shortest_wait_is_chosen() {
        assert_eq!(
            shares(&[lane(1_000, 0, 5_000), lane(10_000, 0, 20_000)]),
            [0, 1_000]
        );
    }

    #[test]
    fn a_lane_that_calls_nobody_comes_last() {
        let shut = |lane| Candidate { shut: true, ..lane };
        assert_eq!(
            shares(&[shut(lane(1_000, 900, 0)), lane(1_000, 0, 9_000)]),
            [0, 1_000]
        );
        assert_eq!(
            shares(&[shut(lane(1_000, 100, 0)), shut(lane(1_000, 300, 0))]),
            [250, 750]
        );
    }

    proptest! {
        #[test]
        fn the_chosen_one_is_there_and_open(
            lanes in prop::collection::vec((1u64..1 << 40, 0u64..1 << 40, 0u64..1 << 40, any::<bool>()), 1..6),
            random: u64,
        ) {
            let lanes: Vec<Candidate> = lanes
                .into_iter()
                .map(|(quota, free, waiting, shut)| Candidate { quota, free, used: 0, waiting, shut })
                .collect();
            let chosen = lanes[choose(&lanes, random)];
            prop_assert!(!chosen.shut || lanes.iter().all(|lane| lane.shut));
        }
    }
}
