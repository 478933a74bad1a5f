//! A file or a directory: what of it is durable, and what has changed since.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use rand::Rng;
use rand::rngs::StdRng;

use crate::disk::image::SECTOR;

pub type NodeId = usize;

#[derive(Debug, Clone)]
pub enum Node {
    File(Content),
    Dir(Dir),
}

impl Node {
    pub fn file(durable: Vec<u8>) -> Self {
        Self::File(Content {
            durable,
            pending: Pending::default(),
        })
    }

    /// Changes so far.
    pub fn changes(&self) -> u64 {
        match self {
            Self::File(file) => file.pending.made,
            Self::Dir(dir) => dir.pending.made,
        }
    }

    /// A sync has ended that began after the first so many changes.
    pub fn synced(&mut self, known: u64, failed: bool) {
        match self {
            Self::File(file) => {
                for change in file.pending.synced(known, failed) {
                    change.apply(&mut file.durable);
                }
            }
            Self::Dir(dir) => {
                for entry in dir.pending.synced(known, failed) {
                    entry.apply(&mut dir.durable);
                }
            }
        }
    }
}

/// Changes that are not known to be durable, oldest first.
#[derive(Debug, Clone)]
struct Pending<T> {
    made: u64,
    left: Vec<Waiting<T>>,
}

#[derive(Debug, Clone)]
struct Waiting<T> {
    number: u64,
    /// A sync of it failed: no later one will make up for that.
    failed: bool,
    change: T,
}

impl<T> Default for Pending<T> {
    fn default() -> Self {
        Self {
            made: 0,
            left: Vec::new(),
        }
    }
}

impl<T> Pending<T> {
    fn add(&mut self, change: T) {
        self.made += 1;
        self.left.push(Waiting {
            number: self.made,
            failed: false,
            change,
        });
    }

    /// Those that are durable now.
    fn synced(&mut self, known: u64, failed: bool) -> Vec<T> {
        if failed {
            for waiting in self.left.iter_mut().filter(|waiting| waiting.number <= known) {
                waiting.failed = true;
            }
            return Vec::new();
        }
        let all = std::mem::take(&mut self.left);
        let (done, left): (Vec<_>, Vec<_>) = all
            .into_iter()
            .partition(|waiting| waiting.number <= known && !waiting.failed);
        self.left = left;
        done.into_iter().map(|waiting| waiting.change).collect()
    }

    fn iter(&self) -> impl Iterator<Item = &T> {
        self.left.iter().map(|waiting| &waiting.change)
    }
}

/// A file.
#[derive(Debug, Clone)]
pub struct Content {
    durable: Vec<u8>,
    pending: Pending<Change>,
}

/// A change of a file.
#[derive(Debug, Clone)]
pub enum Change {
    Write { offset: usize, bytes: Arc<[u8]> },
    Zeros { offset: usize, length: usize },
    Truncate(usize),
}

impl Change {
    fn apply(&self, content: &mut Vec<u8>) {
        match self {
            Self::Write { offset, bytes } => {
                room(content, offset + bytes.len())[*offset..].copy_from_slice(bytes);
            }
            Self::Zeros { offset, length } => room(content, offset + length)[*offset..].fill(0),
            Self::Truncate(length) => content.resize(*length, 0),
        }
    }

    /// Its parts, each within one sector.
    fn pieces(&self) -> Vec<Self> {
        let (from, length) = match self {
            Self::Write { offset, bytes } => (*offset, bytes.len()),
            Self::Zeros { offset, length } => (*offset, *length),
            Self::Truncate(_) => return vec![self.clone()],
        };
        let mut pieces = Vec::new();
        let mut at = from;
        while at < from + length {
            let end = ((at / SECTOR + 1) * SECTOR).min(from + length);
            pieces.push(match self {
                Self::Write { bytes, .. } => Self::Write {
                    offset: at,
                    bytes: bytes[at - from..end - from].into(),
                },
                _ => Self::Zeros {
                    offset: at,
                    length: end - at,
                },
            });
            at = end;
        }
        pieces
    }

    fn sector(&self) -> usize {
        match self {
            Self::Write { offset, .. } | Self::Zeros { offset, .. } => offset / SECTOR,
            Self::Truncate(length) => length / SECTOR,
        }
    }
}

/// The content's first bytes, made as many.
fn room(content: &mut Vec<u8>, length: usize) -> &mut [u8] {
    if content.len() < length {
        content.resize(length, 0);
    }
    &mut content[..length]
}

impl Content {
    pub fn change(&mut self, change: Change) {
        self.pending.add(change);
    }

    /// As the running process sees it.
    pub fn live(&self) -> Vec<u8> {
        let mut content = self.durable.clone();
        for change in self.pending.iter() {
            change.apply(&mut content);
        }
        content
    }

    /// As a power cut may leave it; each sector's next version is kept with probability `keep`.
    pub fn cut(&self, random: &mut StdRng, keep: f64) -> Vec<u8> {
        let mut content = self.durable.clone();
        let mut stopped = HashSet::new();
        let mut longest = content.len();
        for change in self.pending.iter() {
            if let Change::Truncate(length) = change {
                if !random.random_bool(keep) {
                    break;
                }
                content.resize(*length, 0);
                longest = *length;
                continue;
            }
            for piece in change.pieces() {
                longest = longest.max(piece.end());
                if stopped.contains(&piece.sector()) {
                    continue;
                }
                if random.random_bool(keep) {
                    piece.apply(&mut content);
                } else {
                    stopped.insert(piece.sector());
                }
            }
        }
        if keep > 0.0 && random.random() {
            content.resize(longest.max(content.len()), 0);
        }
        content
    }
}

impl Change {
    fn end(&self) -> usize {
        match self {
            Self::Write { offset, bytes } => offset + bytes.len(),
            Self::Zeros { offset, length } => offset + length,
            Self::Truncate(length) => *length,
        }
    }
}

/// A directory.
#[derive(Debug, Clone, Default)]
pub struct Dir {
    durable: BTreeMap<String, NodeId>,
    live: BTreeMap<String, NodeId>,
    pending: Pending<Entry>,
}

/// A name that was given or taken away.
#[derive(Debug, Clone)]
pub struct Entry {
    pub name: String,
    /// `None` where it was taken away.
    pub node: Option<NodeId>,
    /// Both ends of a rename have its number.
    pub rename: Option<u64>,
}

impl Entry {
    fn apply(&self, names: &mut BTreeMap<String, NodeId>) {
        match self.node {
            Some(node) => names.insert(self.name.clone(), node),
            None => names.remove(&self.name),
        };
    }
}

impl Dir {
    pub fn change(&mut self, entry: Entry) {
        entry.apply(&mut self.live);
        self.pending.add(entry);
    }

    /// Everything is durable.
    pub fn settle(&mut self) {
        self.durable = self.live.clone();
        self.pending.left.clear();
    }

    /// As the running process sees it.
    pub fn live(&self) -> &BTreeMap<String, NodeId> {
        &self.live
    }

    pub fn is_pending(&self) -> usize {
        self.pending.left.len()
    }

    /// As a power cut leaves it, where `coins` says of each pending change whether it is kept: a name's changes only
    /// up to the first that is not. Renames in `lost` have no new name, so they keep the old one; those that lose
    /// theirs here are added.
    pub fn cut(&self, coins: &[bool], lost: &mut HashSet<u64>) -> BTreeMap<String, NodeId> {
        let mut names = self.durable.clone();
        let mut stopped = HashSet::new();
        for (entry, coin) in self.pending.iter().zip(coins) {
            let takes_away_the_last =
                entry.node.is_none() && entry.rename.is_some_and(|rename| lost.contains(&rename));
            if *coin && !takes_away_the_last && !stopped.contains(&entry.name) {
                entry.apply(&mut names);
                continue;
            }
            stopped.insert(&entry.name);
            if let (Some(rename), Some(_)) = (entry.rename, entry.node) {
                lost.insert(rename);
            }
        }
        names
    }
}
