//! One tenant's waiting requests in the order in which they go: a sorted list in chunks.
//!
//! A balanced tree finds the first as fast, but not how many stand before one that asks for its position.
//! Chunks of at most 256 keep insertion within a short move and a rank within a walk over the chunks: 4,000
//! of them for a million requests of one tenant.

use crate::ids::RequestId;
use crate::units::{Timestamp, Tokens};
use std::collections::VecDeque;

const CHUNK: usize = 256;

/// A request's place: those that come back first, then by due time, then by id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    /// The due time; its highest bit is set for a request that has not been released before.
    rank: u64,
    id: RequestId,
}

impl Place {
    const FRESH: u64 = 1 << 63;

    pub(super) fn new(returned: bool, due: Timestamp, id: RequestId) -> Self {
        let due = due.as_millis().min(Self::FRESH - 1);
        let rank = if returned { due } else { due | Self::FRESH };
        Self { rank, id }
    }
}

/// One request in line.
#[derive(Debug, Clone, Copy)]
struct Spot {
    place: Place,
    slot: u32,
    /// Tokens it is expected to cost; four bytes, so that a spot takes 32.
    cost: u32,
}

#[derive(Debug, Default)]
struct Chunk {
    spots: VecDeque<Spot>,
    tokens: Tokens,
}

/// The line. It holds slots of the request table.
#[derive(Debug, Default)]
pub(super) struct Line {
    chunks: Vec<Chunk>,
    len: usize,
    tokens: Tokens,
}

impl Line {
    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Tokens that all of it is expected to cost.
    pub(super) fn tokens(&self) -> Tokens {
        self.tokens
    }

    pub(super) fn first(&self) -> Option<u32> {
        self.nth(0)
    }

    pub(super) fn last(&self) -> Option<u32> {
        self.chunks.last()?.spots.back().map(|spot| spot.slot)
    }

    pub(super) fn nth(&self, mut index: usize) -> Option<u32> {
        for chunk in &self.chunks {
            match chunk.spots.get(index) {
                Some(spot) => return Some(spot.slot),
                None => index -= chunk.spots.len(),
            }
        }
        None
    }

    /// Adds a request and returns what it counts for.
    pub(super) fn insert(&mut self, place: Place, slot: u32, cost: Tokens) -> Tokens {
        let cost = u32::try_from(cost.get()).unwrap_or(u32::MAX);
        self.len += 1;
        self.put(Spot { place, slot, cost });
        let cost = Tokens::new(u64::from(cost));
        self.tokens += cost;
        cost
    }

    fn put(&mut self, spot: Spot) {
        let at = self.chunk_of(spot.place).min(self.chunks.len().saturating_sub(1));
        let Some(chunk) = self.chunks.get_mut(at) else {
            self.chunks.push(Chunk::of(spot));
            return;
        };
        let index = chunk.index_of(spot.place);
        if chunk.spots.len() < CHUNK {
            chunk.tokens += Tokens::new(u64::from(spot.cost));
            if chunk.spots.len() == chunk.spots.capacity() {
                // Growing by a quarter instead of doubling: most lines are short, and there are many.
                chunk.spots.reserve_exact(chunk.spots.len() / 4 + 2);
            }
            chunk.spots.insert(index, spot);
        } else if index == CHUNK {
            // Past the end of the last chunk. Arrivals mostly come in order: a new one keeps this one full.
            self.chunks.push(Chunk::of(spot));
        } else {
            let later = chunk.split();
            self.chunks.insert(at + 1, later);
            self.put(spot);
        }
    }

    /// Removes a request and returns what it counted for.
    pub(super) fn remove(&mut self, place: Place) -> Option<Tokens> {
        let at = self.chunk_of(place);
        let chunk = self.chunks.get_mut(at)?;
        let index = chunk.index_of(place);
        if chunk.spots.get(index)?.place != place {
            return None;
        }
        let spot = chunk.spots.remove(index)?;
        let cost = Tokens::new(u64::from(spot.cost));
        chunk.tokens -= cost;
        if chunk.spots.is_empty() {
            self.chunks.remove(at);
        }
        self.len -= 1;
        self.tokens -= cost;
        Some(cost)
    }

    /// How many requests stand before `place`, and how many tokens they are expected to cost.
    pub(super) fn before(&self, place: Place) -> (u64, Tokens) {
        let at = self.chunk_of(place);
        let (before, after) = self.chunks.split_at(at.min(self.chunks.len()));
        let sum = |chunks: &[Chunk]| {
            let requests: u64 = chunks.iter().map(|chunk| chunk.spots.len() as u64).sum();
            (requests, chunks.iter().map(|chunk| chunk.tokens).sum::<Tokens>())
        };
        // From the nearer end: whoever comes last is asked for the most.
        let (mut count, mut tokens) = if before.len() <= after.len() {
            sum(before)
        } else {
            let (requests, cost) = sum(after);
            (self.len as u64 - requests, self.tokens - cost)
        };
        if let Some(chunk) = self.chunks.get(at) {
            let index = chunk.index_of(place);
            count += index as u64;
            tokens += chunk.cost_of_first(index);
        }
        (count, tokens)
    }

    /// The first chunk whose last place is not before this one.
    fn chunk_of(&self, place: Place) -> usize {
        self.chunks
            .partition_point(|chunk| chunk.spots.back().is_some_and(|last| last.place < place))
    }
}

impl Chunk {
    fn of(spot: Spot) -> Self {
        Self {
            spots: VecDeque::from([spot]),
            tokens: Tokens::new(u64::from(spot.cost)),
        }
    }

    fn index_of(&self, place: Place) -> usize {
        self.spots.partition_point(|spot| spot.place < place)
    }

    fn cost_of_first(&self, count: usize) -> Tokens {
        let costs = self.spots.iter().take(count).map(|spot| u64::from(spot.cost));
        Tokens::new(costs.sum())
    }

    /// Splits off the later half.
    fn split(&mut self) -> Self {
        let half = self.spots.len() / 2;
        let first = self.cost_of_first(half);
        let later = Self {
            spots: self.spots.split_off(half),
            tokens: self.tokens - first,
        };
        self.tokens = first;
        later
    }
}
